"""The certificates above an issuing CA: without them in its mount, every chain from there is broken."""

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.producer import step
from acmeproxy.adapters.vault.producer.issuers import Issuer, default, issuers
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
        self._signing: Issuer | None = None

    def look(self) -> Step:
        """Look for authorities without a way up which the signing CA signed."""
        where = step.place(self._namespace.path, f"{self._mount}/issuers")
        alone = [issuer for issuer in issuers(self._namespace, self._mount) if not issuer.complete]
        self._signing = default(self._admin, self._signing_mount) if alone else None
        above = self._signing
        if above is None or not above.complete:
            return step.changed("parents", where, ())
        ours = [issuer for issuer in alone if chain.signed(issuer.certificate, above.certificate)]
        if not ours:
            return step.changed("parents", where, ())
        names = [authority.subject.rfc4514_string() for authority in above.chain]
        return step.added("parents", where, {"of": [one.name or one.id for one in ours], "import": names})

    def carry(self) -> None:
        """Import the signing CA and what is above it; none of them has its key here."""
        if self._signing is not None:
            pems = "\n".join(chain.pem(certificate) for certificate in self._signing.chain)
            self._namespace.write(f"{self._mount}/issuers/import/cert", {"pem_bundle": pems})
