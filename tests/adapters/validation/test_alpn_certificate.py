"""Every word of RFC 8737 §3 about the certificate, and certificates that nobody should make."""

import hashlib
import random
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.validation.alpn_certificate import complaint
from acmeproxy.core.identifier import Identifier, IdentifierType
from tests.support.alpn_certificate import DIGEST, OCTET_STRING, certificate, ip, names, proof
from tests.support.der import COMMON_NAME, UTF8_STRING, dns, extension, name, tlv

HOST = Identifier(IdentifierType.DNS, "a.example")
UNREADABLE = "is not a certificate that we can read"
NOT_ONE = "has not exactly one subject alternative name"
OTHER_NAME = "is for another name"
NOT_DER = "has an acmeIdentifier extension that is not 32 octets in DER"
OTHER_TOKEN = "is for another token or account"
CONSTRAINTS = extension("2.5.29.19", b"\x30\x00", critical=True)
KEY_USAGE = extension("2.5.29.15", b"\x03\x02\x07\x80", critical=True)
UNKNOWN = extension("1.2.3.4", b"\x05\x00")


def judged(*extensions: bytes, identifier: Identifier = HOST) -> str | None:
    return complaint(certificate(extensions).der, identifier, DIGEST)


def test_the_answer_is_this_and_nothing_more() -> None:
    """TAL-05..TAL-09."""
    assert judged() is None


@pytest.mark.parametrize(
    "extensions",
    [
        [proof(), names()],
        [names(), proof(), CONSTRAINTS, KEY_USAGE, UNKNOWN],  # TAL-17
        [names(dns(b"A.Example")), proof()],  # TAL-05: case means nothing
    ],
)
def test_what_else_may_stand_there(extensions: list[bytes]) -> None:
    """TAL-17."""
    assert judged(*extensions) is None


@pytest.mark.parametrize(
    ("san", "why"),
    [
        (names(dns(b"b.example")), OTHER_NAME),
        (names(dns(b"*.example")), OTHER_NAME),
        (names(dns(b"*.a.example")), OTHER_NAME),
        (names(dns(b"a.example.")), OTHER_NAME),
        (names(dns(b"a.example\x00.b.example")), OTHER_NAME),
        (names(dns(b" a.example")), OTHER_NAME),
        (names(tlv(0x86, b"https://a.example")), OTHER_NAME),
        (names(tlv(0x81, b"a@a.example")), OTHER_NAME),
        (names(ip("127.0.0.1")), OTHER_NAME),
        (names(dns(b"a.example"), dns(b"b.example")), NOT_ONE),
        (names(dns(b"a.example"), dns(b"a.example")), NOT_ONE),
        (names(dns(b"a.example"), ip("127.0.0.1")), NOT_ONE),
        (extension("2.5.29.17", b"\x30\x00"), NOT_ONE),
        (names(dns(b"\xe4.example")), UNREADABLE),
        (names(tlv(0x8F, b"a.example")), UNREADABLE),
        (extension("2.5.29.17", b"a.example"), UNREADABLE),
        (UNKNOWN, "has no subject alternative name"),
    ],
)
def test_one_name_and_no_other(san: bytes, why: str) -> None:
    """TAL-05: the common name counts for nothing."""
    assert judged(san, proof()) == why


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (DIGEST, NOT_DER),
        (b"\x04\x21" + DIGEST + b"\x00", NOT_DER),
        (OCTET_STRING + b"\x00", NOT_DER),
        (b"\x04\x81\x20" + DIGEST, NOT_DER),  # BER: the length in two octets
        (b"\x24\x22\x04\x20" + DIGEST, NOT_DER),  # BER: constructed
        (b"\x24\x80\x04\x20" + DIGEST + b"\x00\x00", NOT_DER),  # BER: indefinite
        (b"\x04\x1f" + DIGEST[:-1], NOT_DER),
        (b"\x04\x20" + DIGEST[:-1], NOT_DER),
        (b"\x0c\x20" + DIGEST, NOT_DER),
        (b"", NOT_DER),
        (b"\x04\x2biyM82lxkJJr7M5dVWxiY2_LpLXyYzdP8ZQZ0ZDVF_cI", NOT_DER),
        (b"\x04\x20" + hashlib.sha256(b"another").digest(), OTHER_TOKEN),  # TAL-19
        (b"\x04\x20" + bytes(32), OTHER_TOKEN),
    ],
)
def test_the_value_is_compared_to_the_byte(value: bytes, why: str) -> None:
    """TAL-08, TAL-19."""
    assert judged(names(), proof(value)) == why


def test_the_extension_is_there_once_and_critical() -> None:
    """TAL-06, TAL-07, TAL-17."""
    assert judged(names(), UNKNOWN) == "has no acmeIdentifier extension"
    assert judged(names(), proof(critical=False)) == "has an acmeIdentifier extension that is not critical"
    assert judged(names(), proof(), proof()) == UNREADABLE
    assert judged(names(), proof(), proof(critical=False)) == UNREADABLE
    assert judged(names(), names(), proof()) == UNREADABLE
    assert judged(names(), proof(), UNKNOWN, UNKNOWN) == UNREADABLE
    not_quite_true = proof().replace(b"\x01\x01\xff", b"\x01\x01\x01")
    assert judged(names(), not_quite_true) == UNREADABLE


@pytest.mark.parametrize(
    ("address", "san", "why"),
    [
        ("192.0.2.1", names(ip("192.0.2.1")), None),
        ("2001:db8::1", names(ip("2001:db8::1")), None),
        ("192.0.2.1", names(ip("192.0.2.2")), OTHER_NAME),
        ("192.0.2.1", names(ip("::ffff:192.0.2.1")), OTHER_NAME),
        ("192.0.2.1", names(dns(b"192.0.2.1")), OTHER_NAME),  # TAL-14
        ("192.0.2.1", names(dns(b"1.2.0.192.in-addr.arpa")), OTHER_NAME),
        ("192.0.2.1", names(ip("192.0.2.1"), ip("192.0.2.1")), NOT_ONE),
        ("192.0.2.1", names(tlv(0x87, bytes([192, 0, 2, 1, 255, 255, 255, 255]))), OTHER_NAME),
        ("192.0.2.1", names(tlv(0x87, b"\x00")), UNREADABLE),
    ],
)
def test_an_address_is_an_address(address: str, san: bytes, why: str | None) -> None:
    """TAL-13, TAL-14, IPI-01."""
    assert judged(san, proof(), identifier=Identifier(IdentifierType.IP, address)) == why


def test_a_name_is_no_address() -> None:
    assert judged(names(ip("127.0.0.1")), proof()) == OTHER_NAME


def test_it_signed_itself() -> None:
    """TAL-09."""
    other = ec.generate_private_key(ec.SECP256R1())
    authority = name([(COMMON_NAME, UTF8_STRING, b"A CA")])
    by_ca = certificate(issuer=authority, signer=other).der
    assert complaint(by_ca, HOST, DIGEST) == "is not self-signed"
    assert complaint(certificate(signer=other).der, HOST, DIGEST) == "is not signed by its own key"


def test_dates_mean_nothing() -> None:
    """TAL-10."""
    assert complaint(certificate(expired=True).der, HOST, DIGEST) is None


@pytest.mark.parametrize("serial", [b"\xff", b"\x00", b"\x7f" * 40])
def test_serial_numbers_mean_nothing(serial: bytes) -> None:
    """ALP-08: a negative one is no fault of ours either."""
    assert complaint(certificate(serial=serial).der, HOST, DIGEST) in {None, UNREADABLE}


@pytest.mark.parametrize("version", [b"\x00", b"\x01", b"\x07", b"\x7f" * 9])
def test_other_versions_end_in_words(version: bytes) -> None:
    """ALP-08, TAL-18."""
    assert complaint(certificate(version=version).der, HOST, DIGEST) in {None, UNREADABLE}


def test_a_large_certificate_is_not_even_read() -> None:
    """ALP-08."""
    huge = certificate([names(), proof(), extension("1.2.3.4", bytes(64 * 1024))])
    assert complaint(huge.der, HOST, DIGEST) == "is larger than 65536 bytes"
    many = certificate([names(), proof(), *(extension(f"1.2.3.{n}", b"\x05\x00") for n in range(1000))])
    assert complaint(many.der, HOST, DIGEST) is None


@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=lambda key: type(key).__name__,
)
def test_any_usual_key_will_do(
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> None:
    """TAL-09, by a library's own certificate."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example")]), critical=False)
        .add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"), OCTET_STRING),
            critical=True,
        )
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    assert complaint(made.public_bytes(Encoding.DER), HOST, DIGEST) is None


def test_mutated_certificates_end_in_words_or_prove_the_same() -> None:
    """TAL-18, ALP-08: no exception, whatever the bytes."""
    chance = random.Random(20260801)  # noqa: S311 - a reproducible fuzz, no secret
    sound = certificate([names(), proof(), CONSTRAINTS, KEY_USAGE, UNKNOWN]).der
    for _ in range(3000):
        mutated = bytearray(sound)
        for _ in range(chance.randint(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        found = complaint(
            bytes(mutated[: chance.choice([len(mutated), chance.randrange(len(mutated))])]), HOST, DIGEST
        )
        assert found is None or "certificate" in found or found.startswith(("has ", "is "))
    for octets in (b"", b"\x00", b"\x30\x80", bytes(1000), chance.randbytes(1000)):
        assert complaint(octets, HOST, DIGEST) == UNREADABLE
