"""A certificate authority whose key is made in Vault and never leaves it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.producer import step
from acmeproxy.adapters.vault.producer.issuers import Issuer, issuers, keys, next_name
from acmeproxy.adapters.vault.producer.namespace import Namespace, ProducerError
from acmeproxy.adapters.vault.producer.step import Difference, Step

_KEY: Final = {"key_type": "ec", "key_bits": 384}


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

    def shown(self) -> Mapping[str, object]:
        """Return what is worth reading of a new one."""
        ...

    def waits(self) -> str:
        """Say why a new one cannot be had now, if it cannot."""
        ...

    def certify(self, csr: x509.CertificateSigningRequest) -> Sequence[x509.Certificate]:
        """Return the certificate for a request, and all above it.

        Raises:
            WaitsError: Somebody has to sign it.
            ProducerError: What signed it did not sign what was asked.
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
            return step.added(certifier.what, where, certifier.shown(), certifier.waits())
        return step.changed(certifier.what, where, self._wrong(self._present))

    def beside(self) -> Issuer:
        """Return an authority that fits beside the default one: one that was begun before, or a new one.

        It is nameless if it is new, and not the default.
        """
        self.look()
        newest = max((issuer.number for issuer in self._known if issuer.default), default=0)
        begun = [
            issuer
            for issuer in self._known
            if not issuer.default and (issuer.number > newest or not issuer.name)
        ]
        return next((issuer for issuer in begun if self._certifier.fits(issuer)), None) or self.add()

    def carry(self) -> None:
        """Make it where it is not there; name it and make it the default."""
        issuer = self._present or self.add()
        self.name(issuer)
        self.make_default(issuer)

    def add(self) -> Issuer:
        """After a look, make a new one beside what there is; return it, nameless and not yet the default.

        Begun before and interrupted, it is finished: the key is found by its name.
        """
        name = next_name(self._known, self._certifier.prefix)
        csr = self._request(name)
        certificates = self._certifier.certify(csr)
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

    def _fields(self, issuer: Issuer) -> Mapping[str, Any]:
        name = issuer.name
        if not name.startswith(f"{self._certifier.prefix}-"):
            name = next_name(self._known, self._certifier.prefix)
        return {"issuer_name": name, **self._certifier.settings}

    def _wrong(self, issuer: Issuer) -> list[Difference]:
        wrong = list(step.differences(self._fields(issuer), issuer.settings))
        return wrong if issuer.default else [*wrong, Difference("default", "another", "this one")]

    def _request(self, name: str) -> x509.CertificateSigningRequest:
        """Have a P-384 key made inside, or take the one of that name, and return a request for it."""
        path, key = f"{self._mount}/intermediate/generate", {"key_name": name, **_KEY}
        kind = "internal"
        if name in keys(self._namespace, self._mount):
            kind, key = "existing", {"key_ref": name}
        body = {"common_name": self._certifier.common_name, "exclude_cn_from_sans": True, **key}
        pem = str(self._namespace.write(f"{path}/{kind}", body).data.get("csr"))
        return x509.load_pem_x509_csr(pem.encode())


def check_certified(
    csr: x509.CertificateSigningRequest, certificates: Sequence[x509.Certificate]
) -> x509.Certificate:
    """See that certificates are a chain for a request, its own first, up to a root that signed itself.

    Raises:
        ProducerError: With the first thing that is wrong.
    """
    if not certificates or certificates[0].public_key() != csr.public_key():
        raise ProducerError("the certificate is for another key than the request")
    for authority in certificates:
        if not _is_authority(authority):
            name = authority.subject.rfc4514_string()
            raise ProducerError(f"{name} may not sign certificates: it is no CA")
    for lower, upper in zip(certificates, (*certificates[1:], certificates[-1]), strict=True):
        subject = upper.subject.rfc4514_string()
        try:
            lower.verify_directly_issued_by(upper)
        except (InvalidSignature, ValueError, TypeError):
            raise ProducerError(
                f"{lower.subject.rfc4514_string()} was not signed by {subject}:"
                " the chain to a root is missing"
            ) from None
    for below, authority in enumerate(certificates):
        length = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
        if length is not None and length < below:
            name = authority.subject.rfc4514_string()
            raise ProducerError(f"{name} may have {length} authorities below it, and has {below} here")
    return certificates[0]


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca and usage.key_cert_sign
