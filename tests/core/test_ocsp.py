"""OCSP: what is asked, and which answers are believed (RFC 6960, RFC 5019)."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as reference

from acmeproxy.core import ocsp
from acmeproxy.core.ocsp import (
    CertId,
    Fault,
    IssuerHash,
    MalformedRequestError,
    Request,
    Status,
    UntrustedResponseError,
)
from tests.support.scripted_authority import ca_certificate, signed_status

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
SERIAL: Final = 0x1393B2184DFB7C2881D8A572A8593AB63507C50D
KEY: Final = ec.generate_private_key(ec.SECP256R1())
CA: Final = ca_certificate(KEY, "issuing CA", NOW)
# SEQUENCE of one: SHA-256, two hashes of 32 octets, a serial number; put together by hand.
ONE: Final = bytes.fromhex(
    "305f 305d 305b 3059 3057 300d 0609 608648016503040201 0500".replace(" ", "")
    + "0420"
    + "aa" * 32
    + "0420"
    + "bb" * 32
    + "0202 1234".replace(" ", "")
)


def asked(algorithm: hashes.HashAlgorithm | None = None) -> reference.OCSPRequest:
    names = ocsp.issuer_hashes(CA)[1]
    builder = reference.OCSPRequestBuilder().add_certificate_by_hash(
        names.name, names.key, SERIAL, algorithm or hashes.SHA256()
    )
    return builder.build()


def about() -> CertId:
    return CertId(ocsp.issuer_hashes(CA)[1], SERIAL)


def test_a_request_names_an_issuer_and_a_number() -> None:
    expected = Request(CertId(IssuerHash("sha256", b"\xaa" * 32, b"\xbb" * 32), 0x1234))
    assert ocsp.parse_request(ONE) == expected
    assert ocsp.encode_request(expected.certificate) == ONE


@pytest.mark.parametrize("number", [0, 1, 2, 3], ids=["sha1", "sha256", "sha384", "sha512"])
def test_an_issuer_has_a_name_in_each_hash(number: int) -> None:
    """RFC 6960 §4.1.1: of the name in DER, and of the key's bits without what says of which kind they are."""
    algorithm = ("sha1", "sha256", "sha384", "sha512")[number]
    found = ocsp.issuer_hashes(CA)[number]
    point = KEY.public_key().public_numbers()
    bits = b"\x04" + point.x.to_bytes(32) + point.y.to_bytes(32)
    name = bytes.fromhex("3015311330110603550403 0c0a".replace(" ", "")) + b"issuing CA"
    assert found.algorithm == algorithm
    assert found.name == hashlib.new(algorithm, name).digest()
    assert found.key == hashlib.new(algorithm, bits).digest()


def test_an_issuer_is_named_by_its_own_name_not_by_its_issuers() -> None:
    below = x509.CertificateBuilder(
        CA.subject, x509.Name([]), KEY.public_key(), 5, NOW, NOW + timedelta(days=1)
    ).sign(KEY, hashes.SHA256())
    assert ocsp.issuer_hashes(below)[0].name == hashlib.sha1(b"\x30\x00").digest()  # noqa: S324 - as OCSP has it


def test_a_nonce_is_noticed() -> None:
    names = ocsp.issuer_hashes(CA)[0]
    builder = reference.OCSPRequestBuilder().add_certificate_by_hash(
        names.name,
        names.key,
        SERIAL,
        hashes.SHA1(),  # noqa: S303 - as clients ask
    )
    with_nonce = builder.add_extension(x509.OCSPNonce(b"n" * 32), critical=False).build()
    assert ocsp.parse_request(with_nonce.public_bytes(Encoding.DER)) == Request(
        CertId(names, SERIAL), nonce=True
    )


def _many() -> bytes:
    single = ONE[6:]
    return _sequence(_sequence(_sequence(single + single)))


def _sequence(content: bytes) -> bytes:
    assert 127 < len(content) < 256
    return b"\x30\x81" + bytes([len(content)]) + content


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"junk",
        ONE + b"x",
        ONE[:-1],
        bytes.fromhex("30043002 3000".replace(" ", "")),
        _many(),
        ONE.replace(bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040299")),
        ONE[:1] + bytes([ONE[1] + 21]) + ONE[2:3],
    ],
    ids=["nothing", "junk", "more", "less", "about nothing", "about two", "unknown hash", "cut"],
)
def test_what_is_no_request_for_one_certificate_is_refused(der: bytes) -> None:
    """RFC 5019 §2.1.1: one at a time. Vault would answer the first and be silent about the others."""
    with pytest.raises(MalformedRequestError):
        ocsp.parse_request(der)


def test_a_number_that_no_certificate_has_is_refused() -> None:
    names = ocsp.issuer_hashes(CA)[1]
    too_long = CertId(names, 1 << 168)
    with pytest.raises(MalformedRequestError):
        ocsp.parse_request(ocsp.encode_request(too_long))
    longest = CertId(names, (1 << 160) - 1)
    assert ocsp.parse_request(ocsp.encode_request(longest)).certificate == longest


@pytest.mark.parametrize(("revoked", "status"), [(False, Status.GOOD), (True, Status.REVOKED)])
def test_the_issuers_answer_is_believed(revoked: bool, status: Status) -> None:  # noqa: FBT001 - a case
    der = signed_status(CA, KEY, asked(), NOW, revoked=revoked)
    found = ocsp.parse_response(der, about(), CA, NOW)
    assert (found.der, found.status) == (der, status)
    assert (found.this_update, found.next_update) == (NOW, NOW + timedelta(hours=12))


def test_unknown_is_an_answer_and_one_without_an_end_too() -> None:
    der = signed_status(CA, KEY, asked(), NOW, unknown=True, lasts=None)
    found = ocsp.parse_response(der, about(), CA, NOW)
    assert (found.status, found.next_update) == (Status.UNKNOWN, None)


@pytest.mark.parametrize(
    "make", [lambda: rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate]
)
def test_answers_of_other_keys_are_verified_too(
    make: Callable[[], rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey],
) -> None:
    key = make()
    algorithm = hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey) else None
    subject = CA.subject
    issuer = x509.CertificateBuilder(
        subject, subject, key.public_key(), 5, NOW, NOW + timedelta(days=1)
    ).sign(key, algorithm)
    certificate = CertId(ocsp.issuer_hashes(issuer)[1], SERIAL)
    request = reference.load_der_ocsp_request(ocsp.encode_request(certificate))
    builder = reference.OCSPResponseBuilder().add_response_by_hash(
        request.issuer_name_hash,
        request.issuer_key_hash,
        SERIAL,
        request.hash_algorithm,
        reference.OCSPCertStatus.GOOD,
        NOW,
        NOW + timedelta(hours=1),
        None,
        None,
    )
    builder = builder.responder_id(reference.OCSPResponderEncoding.HASH, issuer)
    der = builder.sign(key, algorithm).public_bytes(Encoding.DER)
    assert ocsp.parse_response(der, certificate, issuer, NOW).status is Status.GOOD
    with pytest.raises(UntrustedResponseError, match="not signed by the issuer"):
        ocsp.parse_response(der[:-1] + bytes([der[-1] ^ 1]), certificate, issuer, NOW)


def _answers() -> dict[str, tuple[bytes, str]]:
    other = ec.generate_private_key(ec.SECP256R1())
    namesake = ca_certificate(other, "issuing CA", NOW)
    good = signed_status(CA, KEY, asked(), NOW)
    late = NOW - timedelta(hours=12)
    soon = NOW + timedelta(minutes=6)
    return {
        "another's signature": (signed_status(namesake, other, asked(), NOW), "not signed by the issuer"),
        "another certificate": (signed_status(CA, KEY, asked(), NOW, serial=7), "about another certificate"),
        "over": (signed_status(CA, KEY, asked(), late), "of another time"),
        "not yet": (signed_status(CA, KEY, asked(), soon), "of another time"),
        "an error": (Fault.TRY_LATER.value, "not an OCSP response"),
        "more": (good + b"x", "not an OCSP response"),
        "nothing": (b"", "not an OCSP response"),
        "a page": (b"<html>", "not an OCSP response"),
    }


@pytest.mark.parametrize("what", list(_answers()))
def test_other_answers_are_not(what: str) -> None:
    """What Vault, or who sits before it, answers is checked before it is shown to anybody."""
    der, reason = _answers()[what]
    with pytest.raises(UntrustedResponseError, match=reason):
        ocsp.parse_response(der, about(), CA, NOW)


def test_faults_are_what_the_rfc_says() -> None:
    """RFC 6960 §4.2.1."""
    names = {
        fault.name: reference.load_der_ocsp_response(fault.value).response_status.name for fault in Fault
    }
    assert names == {
        name: name for name in ("MALFORMED_REQUEST", "INTERNAL_ERROR", "TRY_LATER", "UNAUTHORIZED")
    }
    assert ocsp.fault_of(bytes.fromhex("30030a0106")) is Fault.UNAUTHORIZED
    assert ocsp.fault_of(b"") is None
