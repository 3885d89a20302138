"""The certificates above an authority: without them in its mount, every chain from there is broken."""

from collections.abc import Callable, Sequence

from cryptography import x509

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.producer import step
from acmeproxy.adapters.vault.producer.issuers import Issuer, issuers
from acmeproxy.adapters.vault.producer.namespace import Namespace
from acmeproxy.adapters.vault.producer.step import Step

Above = Callable[[Issuer], Sequence[x509.Certificate]]
"""Returns all certificates above an authority, up to its root; nothing for one that is not ours."""


class Parents:
    """What a mount lacks of the way up from its authorities (vault.md §1).

    An authority that was imported alone works, and nobody can verify what it signs; nor where somebody wrote
    its chain by hand (`manual_chain`) and not up to a root. A new one is not needed.
    """

    def __init__(self, namespace: Namespace, mount: str, above: Above) -> None:
        self._namespace = namespace
        self._mount = mount
        self._above = above
        self._cut: Sequence[Issuer] = ()
        self._import: Sequence[x509.Certificate] = ()

    def look(self) -> Step:
        """Look for authorities of ours without a way up."""
        where = step.place(self._namespace.path, f"{self._mount}/issuers")
        alone = [issuer for issuer in issuers(self._namespace, self._mount) if not issuer.complete]
        ways = [(issuer, way) for issuer in alone if (way := self._above(issuer))]
        ours = [issuer for issuer, _ in ways]
        self._import = tuple(dict.fromkeys(one for _, way in ways for one in way))
        self._cut = [
            one for one in alone if one.settings.get("manual_chain") and (one in ours or one.default)
        ]
        fields: dict[str, object] = {}
        if ours:
            names = [authority.subject.rfc4514_string() for authority in self._import]
            fields |= {"of": [one.name or one.id for one in ours], "import": names}
        if self._cut:
            fields["without manual_chain"] = [one.name or one.id for one in self._cut]
        return step.added("parents", where, fields) if fields else step.changed("parents", where, ())

    def carry(self) -> None:
        """Import what is above, of which nothing has its key here, and let the server make the chains."""
        if self._import:
            pems = "\n".join(chain.pem(certificate) for certificate in self._import)
            self._namespace.write(f"{self._mount}/issuers/import/cert", {"pem_bundle": pems})
        for issuer in self._cut:
            self._namespace.patch(f"{self._mount}/issuer/{issuer.id}", {"manual_chain": []})


def below_signing(admin: Namespace, signing_mount: str) -> Above:
    """Return what is above an issuing CA that the signing CA certified: the signing CA and its own chain."""

    def above(issuer: Issuer) -> Sequence[x509.Certificate]:
        for signing in issuers(admin, signing_mount):
            if signing.complete and chain.signed(issuer.certificate, signing.certificate):
                return signing.chain
        return ()

    return above
