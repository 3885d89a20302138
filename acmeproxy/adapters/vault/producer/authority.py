"""A certificate authority whose key is made in Vault and never leaves it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cryptography import x509

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.producer import claim, step
from acmeproxy.adapters.vault.producer.issuers import Issuer, issuers, keys, next_names
from acmeproxy.adapters.vault.producer.namespace import Namespace, ProducerError
from acmeproxy.adapters.vault.producer.step import Difference, Step


class Certifier(Protocol):
    """What tells the signing CA from an issuing CA."""

    prefix: str
    what: str
    common_name: str
    #: Fields of the issuer: what it may be used for, and what happens at its end.
    settings: Mapping[str, Any]

    def fits(self, issuer: Issuer) -> bool:
        """Tell whether an issuer is the one that shall be there."""
        ...

    def current(self, issuer: Issuer) -> bool:
        """Tell whether one that fits is what would be made today: what stays as it is may be older."""
        ...

    def shown(self) -> Mapping[str, object]:
        """Return what is worth reading of a new one."""
        ...

    def waits(self, name: str) -> str:
        """Say why a new one of a name cannot be had now, if it cannot."""
        ...

    def certify(self, csr: x509.CertificateSigningRequest, name: str) -> Sequence[x509.Certificate]:
        """Return a certificate for the request of an authority, and all above it.

        Raises:
            WaitsError: Somebody has to sign it.
            ProducerError: What signed it did not sign what was asked.
        """
        ...

    def recall(
        self, csr: x509.CertificateSigningRequest, name: str, serial: str
    ) -> Sequence[x509.Certificate]:
        """Return the certificate that was claimed for a request, and all above it; none if it is of no use.

        Raises:
            ProducerError: Somebody else has it.
        """
        ...


class Authority:
    """The authority of a mount: its certificate, with its parents, its name, and being the default.

    One that is there but is not as it shall be stays, and a new one is made beside it.
    """

    def __init__(self, namespace: Namespace, mount: str, certifier: Certifier) -> None:
        self._namespace = namespace
        self._mount = mount
        self._certifier = certifier
        self._present: Issuer | None = None
        self._known: Sequence[Issuer] = ()

    def look(self) -> Step:
        """Find the issuer, or say what will be made."""
        certifier = self._certifier
        where = step.place(self._namespace.path, self._mount)
        self._known = issuers(self._namespace, self._mount)
        self._present = next((issuer for issuer in self._known if certifier.fits(issuer)), None)
        if self._present is None:
            waits = certifier.waits(next(next_names(self._known, certifier.prefix)))
            return step.added(certifier.what, where, certifier.shown(), waits)
        return step.changed(certifier.what, where, self._wrong(self._present))

    def beside(self, old: Issuer) -> Issuer:
        """Return an authority beside the default one: one that was begun before, or a new one.

        It is nameless if it is new, and not the default.

        Raises:
            ProducerError: Another than `old` is the default by now.
        """
        return self.begun(old) or self.add()

    def begun(self, old: Issuer) -> Issuer | None:
        """Return what an interrupted run has made beside the default one, if it is what is wanted.

        Raises:
            ProducerError: Another than `old` is the default by now.
        """
        self.look()
        self._see_default(old)
        beside = [issuer for issuer in self._known if not issuer.default]
        begun = [issuer for issuer in beside if issuer.number > old.number or not issuer.name]
        fitting = (issuer for issuer in begun if self._certifier.fits(issuer))
        return next((issuer for issuer in fitting if self._certifier.current(issuer)), None)

    def next_step(self, old: Issuer) -> Step:
        """Return what replacing the default one will do.

        Raises:
            ProducerError: Another than `old` is the default by now.
        """
        certifier, where = self._certifier, step.place(self._namespace.path, self._mount)
        begun = self.begun(old)
        if begun is not None:
            instead = Difference("default", old.name or old.id, begun.name or begun.id)
            return step.changed(certifier.what, where, (instead,))
        name = next(next_names(self._known, certifier.prefix))
        fields = {"name": name, "beside": old.name or old.id, **certifier.shown()}
        return step.added(certifier.what, where, fields, certifier.waits(name))

    def carry(self) -> None:
        """Make it where it is not there; name it and make it the default."""
        issuer = self._present or self.add()
        self.name(issuer)
        self.make_default(issuer)

    def add(self) -> Issuer:
        """After a look, make a new one beside what there is; return it, nameless and not yet the default.

        One that another run has begun, or is making at this moment, is finished, and no further one made.
        """
        known = {issuer.certificate for issuer in self._known}
        for name in next_names(self._known, self._certifier.prefix):
            certificates = self._certified(name)
            # One that was known at the look is no new one, whatever its key is called.
            if certificates and certificates[0] not in known:
                return self._imported(certificates)
        raise AssertionError("names have no end")

    def _certified(self, name: str) -> Sequence[x509.Certificate]:
        """Return the certificate of the key of a name, with all above it; none if it is spent on another."""
        certifier = self._certifier
        key = claim.begin(self._namespace, self._mount, name, certifier.common_name)
        csr = claim.request(self._namespace, self._mount, key, certifier.common_name)
        if not key.serial:
            certificates = certifier.certify(csr, name)
            key = claim.claim(self._namespace, self._mount, key, certificates[0])
            if key.serial == claim.serial_of(certificates[0]):
                return certificates
        return certifier.recall(csr, name, key.serial)

    def _imported(self, certificates: Sequence[x509.Certificate]) -> Issuer:
        pems = "\n".join(chain.pem(certificate) for certificate in certificates)
        imported = self._namespace.write(f"{self._mount}/intermediate/set-signed", {"certificate": pems})
        mapping = imported.data.get("mapping") or {}
        ours = [issuer for issuer, key in mapping.items() if key]
        if not ours:
            # A bundle without the certificate of the key is answered with 200 too (vault.md §1).
            raise ProducerError(f"{self._mount} imported an authority without its key")
        self._known = issuers(self._namespace, self._mount)
        made = [issuer for issuer in self._known if issuer.id in ours]
        if not made or made[0].certificate != certificates[0] or not made[0].complete:
            raise ProducerError(f"{self._mount} does not know the whole chain of the authority it imported")
        return made[0]

    def name(self, issuer: Issuer) -> str:
        """Give an issuer its name and settings, and return its name."""
        wanted = self._fields(issuer)
        wrong = {difference.field for difference in self._wrong(issuer)}
        fields = {name: value for name, value in wanted.items() if name in wrong}
        if fields:
            self._namespace.patch(f"{self._mount}/issuer/{issuer.id}", fields)
        return str(wanted["issuer_name"])

    def make_default(self, issuer: Issuer) -> None:
        """Make an issuer the one that signs where nobody names another."""
        if not issuer.default:
            self._namespace.write(f"{self._mount}/config/issuers", {"default": issuer.id})

    def replace(self, old: Issuer, new: Issuer) -> None:
        """Make an issuer the default instead of another, which still has to be it.

        Raises:
            ProducerError: Another one is the default by now.
        """
        self._known = issuers(self._namespace, self._mount)
        if not any(one.default and one.id == new.id for one in self._known):
            self._see_default(old)
            self.make_default(new)

    def _see_default(self, old: Issuer) -> None:
        now = next((issuer for issuer in self._known if issuer.default), old)
        if now.id != old.id:
            raise ProducerError(
                f"another run has made {now.name or now.id} the default of {self._mount} instead of"
                f" {old.name or old.id}: look with acmeproxy vault show before you rotate again"
            )

    def _fields(self, issuer: Issuer) -> Mapping[str, Any]:
        return {"issuer_name": self._named(issuer), **self._certifier.settings}

    def _named(self, issuer: Issuer) -> str:
        """Return the name that an issuer has or gets: that of its key, so that numbers stay together."""
        prefix = f"{self._certifier.prefix}-"
        if issuer.name.startswith(prefix):
            return issuer.name
        of_key = claim.authority_of(keys(self._namespace, self._mount).get(issuer.key_id, ""))
        if of_key.startswith(prefix) and all(one.name != of_key for one in self._known):
            return of_key
        return next(next_names(self._known, self._certifier.prefix))

    def _wrong(self, issuer: Issuer) -> list[Difference]:
        wrong = list(step.differences(self._fields(issuer), issuer.settings))
        return wrong if issuer.default else [*wrong, Difference("default", "another", "this one")]
