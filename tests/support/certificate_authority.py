"""A small CA, which signs what it is asked for or what it should not."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from acmeproxy.core.identifier import IdentifierType
from acmeproxy.core.order import Intent

_LONG = timedelta(days=3650)
_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Wish:
    """What to sign otherwise than asked; an empty one changes nothing.

    Attributes:
        names: More DNS names.
        subject: An organization in the subject.
        key: Another key.
        ca: A CA certificate.
        usages: Other extended key usages.
        lasts: Another lifetime.
        begins: Another beginning, as a distance from now.
    """

    names: tuple[str, ...] = ()
    subject: str = ""
    key: ec.EllipticCurvePublicKey | None = None
    ca: bool = False
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,)
    lasts: timedelta | None = None
    begins: timedelta = field(default=-timedelta(seconds=30))


class CertificateAuthority:
    """A root, and the CA below it that signs; `clock` says when."""

    def __init__(self, clock: Callable[[], datetime], name: str = "test") -> None:
        self._clock = clock
        self._key = ec.generate_private_key(ec.SECP256R1())
        root_key = ec.generate_private_key(ec.SECP256R1())
        root_name, name_ = _named(f"{name} root"), _named(f"{name} CA")
        self.root = self._ca(root_name, root_key.public_key(), root_name, root_key, 1)
        self.certificate = self._ca(name_, self._key.public_key(), root_name, root_key, 0)

    @property
    def root_der(self) -> bytes:
        """The root in DER."""
        return self.root.public_bytes(Encoding.DER)

    @classmethod
    def unlike(cls, clock: Callable[[], datetime]) -> Self:
        """Make another one, which nobody should trust."""
        return cls(clock, "another")

    def issue(self, intent: Intent, wish: Wish) -> x509.Certificate:
        """Sign an intent."""
        csr = x509.load_der_x509_csr(intent.csr)
        key = wish.key or csr.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        begins = self._clock() + wish.begins
        ends = self._clock() + (timedelta(seconds=intent.lifetime) if wish.lasts is None else wish.lasts)
        builder = _builder(_organization(wish.subject), self.certificate.subject, key, begins, ends)
        builder = (
            builder.add_extension(
                x509.SubjectAlternativeName(_general(intent, wish)), critical=not wish.subject
            )
            .add_extension(x509.BasicConstraints(ca=wish.ca, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(wish.usages), critical=False)
            .add_extension(_USAGE, critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        return builder.sign(self._key, hashes.SHA256())

    def _ca(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        issuer: x509.Name,
        signer: ec.EllipticCurvePrivateKey,
        below: int,
    ) -> x509.Certificate:
        begins = self._clock() - timedelta(days=1)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            _builder(subject, issuer, key, begins, begins + _LONG)
            .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
            .sign(signer, hashes.SHA256())
        )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _general(intent: Intent, wish: Wish) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in wish.names]
    for name in intent.names:
        if name.type is IdentifierType.DNS:
            names.append(x509.DNSName(name.value))
        else:
            names.append(x509.IPAddress(ipaddress.ip_address(name.value)))
    return names


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _organization(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)] if name else [])
