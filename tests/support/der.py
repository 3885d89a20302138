"""DER by hand, for requests that no library would make (X.690, RFC 2986)."""

from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_SEQUENCE = 0x30
_SET = 0x31
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")

COMMON_NAME = "2.5.4.3"
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
IA5_STRING = 0x16
BMP_STRING = 0x1E


def tlv(tag: int, *contents: bytes) -> bytes:
    """Encode one value: tag, definite length, contents joined."""
    octets = b"".join(contents)
    size = len(octets)
    if size < 0x80:
        return bytes([tag, size]) + octets
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + octets


def sequence(*members: bytes) -> bytes:
    """Encode a SEQUENCE."""
    return tlv(_SEQUENCE, *members)


def set_of(*members: bytes) -> bytes:
    """Encode a SET OF, in the order that DER wants (X.690 §11.6)."""
    return tlv(_SET, *sorted(members))


def oid(dotted: str) -> bytes:
    """Encode an OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return tlv(0x06, *(_base128(arc) for arc in (40 * first + second, *rest)))


def name(*rdns: Sequence[tuple[str, int, bytes]]) -> bytes:
    """Encode a Name: each relative distinguished name is a list of type, string tag and octets."""
    return sequence(*(set_of(*(sequence(oid(t), tlv(tag, value)) for t, tag, value in rdn)) for rdn in rdns))


def alternative_names(*names: bytes) -> bytes:
    """Encode the Extension subjectAltName over GeneralNames that are encoded already."""
    return extension("2.5.29.17", sequence(*names))


def dns(value: bytes) -> bytes:
    """Encode a GeneralName of type dNSName; any octets are taken."""
    return tlv(0x82, value)


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    """Encode an Extension."""
    return sequence(oid(dotted), tlv(0x01, b"\xff") if critical else b"", tlv(0x04, value))


def extension_request(*extensions: bytes) -> bytes:
    """Encode the attribute in which a request asks for extensions (RFC 2985 §5.4.2)."""
    return attribute(EXTENSION_REQUEST, sequence(*extensions))


def attribute(dotted: str, *values: bytes) -> bytes:
    """Encode an Attribute of a request."""
    return sequence(oid(dotted), set_of(*values))


def request(
    subject: bytes,
    *attributes: bytes,
    key: ec.EllipticCurvePrivateKey | None = None,
    public: bytes | None = None,
) -> bytes:
    """Encode a PKCS#10 request, signed with ECDSA and SHA-256.

    Args:
        subject: A Name.
        attributes: In any order; they are sorted.
        key: A fresh P-256 key if missing.
        public: A SubjectPublicKeyInfo in place of the usual one of the key.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    public = public or key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    wanted = sequence(tlv(0x02, b"\x00"), subject, public, tlv(0xA0, *sorted(attributes)))
    signature = key.sign(wanted, ec.ECDSA(hashes.SHA256()))
    return sequence(wanted, _ECDSA_WITH_SHA256, tlv(0x03, b"\x00", signature))


def _base128(arc: int) -> bytes:
    groups = [arc & 0x7F]
    while arc := arc >> 7:
        groups.append(0x80 | arc & 0x7F)
    return bytes(reversed(groups))
