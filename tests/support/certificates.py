"""Authorities and the certificates that they sign, right ones and wrong ones (RFC 5280)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from acmeproxy.core.identifier import Identifier
from acmeproxy.core.order import Intent

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
Subject = Sequence[tuple[ObjectIdentifier, str]]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class Wish:
    """An end-entity certificate; as it stands, the one that is asked for throughout the tests.

    An empty `usages` leaves the extension out; `more` is added as it is.
    """

    key: PublicKey
    names: tuple[x509.GeneralName, ...] = (x509.DNSName("a.example"), x509.DNSName("b.example"))
    subject: Subject = ((NameOID.COMMON_NAME, "a.example"),)
    begins: datetime = NOW
    ends: datetime = NOW + DAY
    ca: bool = False
    key_usage: tuple[str, ...] = ("digital_signature",)
    usages: tuple[ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,)
    more: tuple[x509.ExtensionType, ...] = ()


@dataclass(frozen=True)
class Authority:
    """A CA: its key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def sign(self, wish: Wish, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
        """Sign an end-entity certificate, perhaps with a key that is not this authority's."""
        builder = _begin(x509.Name([x509.NameAttribute(*a) for a in wish.subject]), wish.key, self)
        builder = builder.not_valid_before(wish.begins).not_valid_after(wish.ends)
        extensions: list[x509.ExtensionType] = [
            x509.BasicConstraints(ca=wish.ca, path_length=None),
            _key_usage(*wish.key_usage),
            *wish.more,
        ]
        if wish.names:
            extensions.append(x509.SubjectAlternativeName(wish.names))
        if wish.usages:
            extensions.append(x509.ExtendedKeyUsage(wish.usages))
        for extension in extensions:
            # Names are critical where the subject has none (RFC 5280 §4.2.1.6).
            names_all = isinstance(extension, x509.SubjectAlternativeName) and not wish.subject
            builder = builder.add_extension(
                extension, critical=names_all or isinstance(extension, x509.KeyUsage)
            )
        certificate = builder.sign(key or self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.DER)


def authority(
    name: str, issuer: Authority | None = None, *, allowed: str | None = None, ends: datetime | None = None
) -> Authority:
    """Make a CA, a root without `issuer`; `allowed` constrains the names below it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _begin(subject, key.public_key(), issuer, key.public_key())
    builder = builder.not_valid_before(NOW - 30 * DAY).not_valid_after(ends or NOW + 3000 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
    if allowed:
        builder = builder.add_extension(x509.NameConstraints([x509.DNSName(allowed)], None), critical=True)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Authority(key, certificate)


def intent_for(key: PublicKey, *names: Identifier) -> Intent:
    """Return the intent that a certificate is held against: of a day, made now."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Intent(
        id="i", csr=b"", key=hashlib.sha256(der).hexdigest(), names=names, lifetime=86400, created_at=NOW
    )


def lasts(certificate: x509.Certificate, wanted: timedelta) -> bool:
    """Tell whether a certificate of Vault's has a length, give or take Vault's own second.

    It reads the clock for the end first and for the beginning after that, and cuts both to whole seconds.
    """
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return wanted - timedelta(seconds=1) <= life <= wanted


def _begin(
    subject: x509.Name, key: PublicKey, issuer: Authority | None, own: PublicKey | None = None
) -> x509.CertificateBuilder:
    issuer_key = issuer.key.public_key() if issuer else own
    assert issuer_key is not None
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in names for name in _USAGES})
