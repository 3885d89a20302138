"""Certificates for tls-alpn-01 that no library would make (RFC 8737 §3), by DER written by hand."""

import hashlib
import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.der import COMMON_NAME, UTF8_STRING, alternative_names, dns, extension, name, sequence, tlv
from tests.support.http01_look import ANSWER

ACME_IDENTIFIER: Final = "1.3.6.1.5.5.7.1.31"
DIGEST: Final = hashlib.sha256(ANSWER).digest()
#: The value of the extension, as RFC 8737 §3 wants it to the byte.
OCTET_STRING: Final = b"\x04\x20" + DIGEST
SUBJECT: Final = name([(COMMON_NAME, UTF8_STRING, b"acme")])

_ECDSA_WITH_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")


class Leaf:
    """A certificate (DER) and the PEM of the key that a server needs with it."""

    def __init__(self, der: bytes, key: ec.EllipticCurvePrivateKey) -> None:
        self.der = der
        self.key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def ip(text: str) -> bytes:
    """Encode a GeneralName of type iPAddress."""
    return tlv(0x87, ipaddress.ip_address(text).packed)


def proof(value: bytes = OCTET_STRING, *, critical: bool = True) -> bytes:
    """Encode the acmeIdentifier extension over any octets."""
    return extension(ACME_IDENTIFIER, value, critical=critical)


def names(*encoded: bytes) -> bytes:
    """Encode the extension subjectAltName: of `a.example`, or of GeneralNames that are encoded already."""
    return alternative_names(*(encoded or (dns(b"a.example"),)))


def certificate(  # noqa: PLR0913 - one for each part that a test replaces
    extensions: Sequence[bytes] = (),
    *,
    issuer: bytes = SUBJECT,
    signer: ec.EllipticCurvePrivateKey | None = None,
    serial: bytes = b"\x01",
    version: bytes = b"\x02",
    expired: bool = False,
) -> Leaf:
    """Make a certificate with these extensions, or with the right ones; self-signed unless told otherwise."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    now = datetime.now(UTC) - timedelta(days=90 if expired else 1)
    to_be_signed = sequence(
        tlv(0xA0, tlv(0x02, version)),
        tlv(0x02, serial),
        _ECDSA_WITH_SHA256,
        issuer,
        sequence(_time(now), _time(now + timedelta(days=30))),
        SUBJECT,
        public,
        tlv(0xA3, sequence(*(extensions or (names(), proof())))),
    )
    signature = (signer or key).sign(to_be_signed, ec.ECDSA(hashes.SHA256()))
    return Leaf(sequence(to_be_signed, _ECDSA_WITH_SHA256, tlv(0x03, b"\x00", signature)), key)


def _time(when: datetime) -> bytes:
    return tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode())
