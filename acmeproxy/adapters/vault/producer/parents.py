"""The certificates above an issuing CA: without them in its mount, every chain from there is broken."""

from collections.abc import Sequence

from cryptography import x509

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.producer import step
from acmeproxy.adapters.vault.producer.issuers import issuers
from acmeproxy.adapters.vault.producer.namespace import Namespace
from acmeproxy.adapters.vault.producer.step import Step


class Parents:
    """What a mount lacks of the way up from an authority that the signing CA certified (vault.md §1).

    An authority that was imported alone works, and nobody can verify what it signs; a new one is not needed.
    """

    def __init__(self, namespace: Namespace, mount: str, admin: Namespace, signing_mount: str) -> None:
        self._namespace = namespace
        self._mount = mount
        self._admin = admin
        self._signing_mount = signing_mount
        self._above: Sequence[x509.Certificate] = ()

    def look(self) -> Step:
        """Look for authorities without a way up which the signing CA signed."""
        where = step.place(self._namespace.path, f"{self._mount}/issuers")
        alone = [issuer for issuer in issuers(self._namespace, self._mount) if not issuer.complete]
        signing = issuers(self._admin, self._signing_mount) if alone else ()
        above = [one for one in signing if one.complete]
        ours = [
            (issuer.name or issuer.id, one.chain)
            for issuer in alone
            for one in above
            if chain.signed(issuer.certificate, one.certificate)
        ]
        self._above = tuple(dict.fromkeys(authority for _, way in ours for authority in way))
        if not ours:
            return step.changed("parents", where, ())
        names = [authority.subject.rfc4514_string() for authority in self._above]
        return step.added("parents", where, {"of": [name for name, _ in ours], "import": names})

    def carry(self) -> None:
        """Import the signing CAs that are missed and what is above them; none has its key here."""
        if self._above:
            pems = "\n".join(chain.pem(certificate) for certificate in self._above)
            self._namespace.write(f"{self._mount}/issuers/import/cert", {"pem_bundle": pems})
