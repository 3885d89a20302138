"""Which requests are read at all, and with which keys (A15: FIN-03..07; abuse CSR-09, CSR-17)."""

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core import csr
from acmeproxy.core.encoding import b64url_encode
from acmeproxy.core.problem import AcmeError
from tests.support import acme_keys, der
from tests.support.acme_csr import certificate_request
from tests.support.csr_vectors import dns, from_openssl, vectors
from tests.support.refusals import refused

ORDERED = dns("a.example", "b.example")
ACCEPTED = {"acme_sh", "acme_sh_rsa", "openssl_defaults", "ed25519", "ecdsa_sha512"}
REFUSED = {
    # FIN-06, abuse CSR-09: a signature of another kind than a CA would make itself.
    "md5_rsa": "CSR-REFUSED",
    "sha1_ecdsa": "CSR-REFUSED",
    "sha1_rsa": "CSR-REFUSED",
    "sha224_rsa": "CSR-REFUSED",
    "pss_rsa": "CSR-REFUSED",
    # FIN-07
    "rsa1024_bits": "CSR-KEY",
    "rsa4104_bits": "CSR-KEY",
    "rsa_exponent3": "CSR-KEY",
    "p192": "CSR-KEY",
    "p224": "CSR-KEY",
    "secp256k1": "CSR-KEY",
    "ed448": "CSR-KEY",
    "explicit_curve": "CSR-KEY",
}


def test_all_vectors_are_looked_at() -> None:
    assert vectors() == ACCEPTED | set(REFUSED)


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_requests_of_openssl_are_accepted(name: str) -> None:
    """CLI-34: acme.sh puts O=acme.sh, keyUsage and both usages in, and openssl fills its own defaults in."""
    request = from_openssl(name)

    assert csr.check(request, ORDERED).der == request


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_weak_keys_and_signatures_are_refused(name: str) -> None:
    with refused("badCSR", REFUSED[name]):
        csr.check(from_openssl(name), ORDERED)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
        rsa.generate_private_key(65537, 3072),
    ],
    ids=["P-256", "P-384", "P-521", "Ed25519", "RSA 2048", "RSA 3072"],
)
def test_a_request_is_known_by_its_key(key: acme_keys.PrivateKey) -> None:
    """KEY-10: by two names, the one among certificates and the one among accounts."""
    request = csr.check(certificate_request(["a.example"], key), dns("a.example"))

    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert request.key == hashlib.sha256(spki).hexdigest()
    assert request.thumbprint == acme_keys.AccountKey(key).thumbprint
    assert csr.key_thumbprint(request.der) == request.thumbprint


@pytest.mark.parametrize(
    ("keys", "name", "accepted"),
    [
        ((), "acme_sh_rsa", True),
        (("RSA",), "acme_sh_rsa", True),
        (("P-256", "P-384"), "acme_sh_rsa", False),
        (("P-256",), "acme_sh", True),
        (("P-384", "P-521", "RSA"), "acme_sh", False),
        (("Ed25519",), "ed25519", True),
        (("P-256",), "ed25519", False),
    ],
)
def test_a_profile_can_take_some_kinds_of_keys(*, keys: tuple[str, ...], name: str, accepted: bool) -> None:
    if accepted:
        csr.check(from_openssl(name), ORDERED, keys)
        return
    with refused("badCSR", "CSR-KEY"):
        csr.check(from_openssl(name), ORDERED, keys)


def test_the_key_of_what_is_no_request_is_unknown() -> None:
    assert csr.key_thumbprint(b"") is None
    assert csr.key_thumbprint(from_openssl("p224")) is None
    assert csr.key_thumbprint(from_openssl("acme_sh")[:-1]) is None


GOOD = certificate_request(["a.example"])


def test_a_request_is_taken_out_of_its_base64url() -> None:
    assert csr.decode(b64url_encode(GOOD)) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "",
        b64url_encode(GOOD) + "=",
        b64url_encode(GOOD) + "\n",
        "+" + b64url_encode(GOOD)[1:],
        "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----",
        "é",
    ],
    ids=["empty", "padded", "line end", "other alphabet", "PEM", "not ASCII"],
)
def test_another_encoding_is_refused(text: str) -> None:
    """FIN-03."""
    with refused("malformed", "CSR-SHAPE"):
        csr.decode(text)


def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _tampered(where: bytes) -> bytes:
    """Change one octet inside what is signed."""
    assert GOOD.count(where) == 1
    return GOOD.replace(where, where[:-1] + bytes([where[-1] ^ 1]))


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x30\x00", id="empty sequence"),
        pytest.param(b"-----BEGIN CERTIFICATE REQUEST-----", id="PEM"),
        pytest.param(_certificate(), id="a public key"),
        pytest.param(GOOD + b"\0", id="FIN-04 one octet more"),
        pytest.param(GOOD + GOOD, id="FIN-04 two"),
        pytest.param(GOOD[:-1], id="FIN-04 one octet less"),
        pytest.param(b"\x30\x80" + GOOD[4:] + b"\0\0", id="FIN-04 indefinite length"),
        pytest.param(_tampered(b"a.example"), id="FIN-05 tampered"),
        pytest.param(GOOD[:-1] + bytes([GOOD[-1] ^ 1]), id="FIN-05 signature tampered"),
    ],
)
def test_what_is_no_sound_request_is_refused(octets: bytes) -> None:
    with refused("badCSR", "CSR-REFUSED"):
        csr.check(octets, dns("a.example"))


def test_a_request_signed_by_another_key_is_refused() -> None:
    """FIN-05, abuse CSR-09: else anybody could have a certificate for somebody else's key."""
    ours, theirs = (x509.load_der_x509_csr(certificate_request(["a.example"])) for _ in range(2))
    mixed = der.sequence(
        ours.tbs_certrequest_bytes,
        bytes.fromhex("300a06082a8648ce3d040302"),
        der.tlv(0x03, b"\0", theirs.signature),
    )

    with refused("badCSR", "CSR-REFUSED"):
        csr.check(mixed, dns("a.example"))


def test_a_compressed_point_is_refused() -> None:
    """Vault could not read it, and the order would fail for a reason that we could have told (NOR-03)."""
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    public = der.sequence(
        der.sequence(der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.3.1.7")),
        der.tlv(0x03, b"\0", point),
    )
    names = der.extension_request(der.alternative_names(der.dns(b"a.example")))

    csr.check(der.request(der.name(), names, key=key), dns("a.example"))
    with refused("badCSR", "CSR-KEY"):
        csr.check(der.request(der.name(), names, key=key, public=public), dns("a.example"))


@given(st.binary(max_size=64), st.integers(0, len(GOOD)), st.integers(0, 64))
def test_no_octets_break_the_check(octets: bytes, start: int, length: int) -> None:
    """Whatever is put in place of part of a request, it is refused as the client's."""
    changed = GOOD[:start] + octets + GOOD[start + length :]
    if changed == GOOD:
        return
    with pytest.raises(AcmeError) as caught:
        csr.check(changed, dns("a.example"))
    assert caught.value.problem.type == "urn:ietf:params:acme:error:badCSR"
