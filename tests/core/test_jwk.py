"""Account keys: what is taken, what is refused, and that one key has one name (A3; abuse JWS-13, JWS-15)."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core.jwk import AccountKey, spki_sha256
from acmeproxy.core.problem import AcmeError
from tests.support import acme_keys
from tests.support.refusals import refused

EC: dict[str, str] = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
OKP: dict[str, str] = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
P256_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1


def number(value: int, octets: int | None = None) -> str:
    return acme_keys.b64url(value.to_bytes(octets or (value.bit_length() + 7) // 8 or 1))


def rsa_jwk(bits: int = 2048, exponent: int = 65537, *, even: bool = False) -> dict[str, str]:
    """Return an RSA JWK; no factor of its modulus is known, or needed."""
    return {"kty": "RSA", "n": number(2**bits - (118 if even else 117)), "e": number(exponent)}


RSA = rsa_jwk()


@pytest.mark.parametrize("algorithm", acme_keys.ALGORITHMS)
def test_a_key_of_every_kind_is_taken_and_has_one_algorithm(algorithm: str) -> None:
    """JWS-13, JWS-14, JWS-15, KEY-06: canonical members and thumbprint as another reader computes them."""
    theirs = acme_keys.generate(algorithm)

    ours = AccountKey.parse(theirs.jwk)

    assert ours.algorithm == algorithm
    assert ours.jwk == theirs.jwk
    assert ours.thumbprint == theirs.thumbprint
    assert ours.verifies(theirs.sign(b"message"), b"message")
    assert ours == AccountKey.of(theirs.private.public_key()) == AccountKey.restore(ours.jwk)
    assert ours.spki_sha256 == spki_sha256(theirs.private.public_key())


@pytest.mark.parametrize("bits", [2048, 3072, 4096, 8192])
def test_rsa_keys_of_all_usual_sizes_are_taken(bits: int) -> None:
    assert AccountKey.parse(rsa_jwk(bits)).algorithm == "RS256"


@pytest.mark.parametrize("jwk", [EC, RSA, OKP], ids=["EC", "RSA", "OKP"])
def test_more_members_make_no_other_key(jwk: dict[str, str]) -> None:
    """KEY-06, abuse JWS-15: neither more members nor their order change the thumbprint."""
    key = AccountKey.parse(jwk)
    more = {
        "x5c": ["MIIB"],
        "kid": "mine",
        "use": "sig",
        "alg": key.algorithm,
        "key_ops": ["verify"],
        "ext": True,
    }

    same = AccountKey.parse({**more, **dict(reversed(jwk.items()))})

    assert same == key
    assert same.thumbprint == key.thumbprint


def test_leading_zeros_of_rsa_numbers_make_no_other_key() -> None:
    """KEY-07 (erratum 7565), abuse JWS-15."""
    padded = RSA | {"n": number(2**2048 - 117, 260), "e": "AAEAAQ"}

    assert AccountKey.parse(padded) == AccountKey.parse(RSA)


@pytest.mark.parametrize(
    ("jwk", "why"),
    [
        # RSA (KEY-01, KEY-02; abuse JWS-13)
        (rsa_jwk(512), "2048 to 8192"),
        (rsa_jwk(1024), "2048 to 8192"),
        (rsa_jwk(2047), "2048 to 8192"),
        (rsa_jwk(8193), "2048 to 8192"),
        (rsa_jwk(65_536), "2048 to 8192"),
        (rsa_jwk(exponent=1), "65537"),
        (rsa_jwk(exponent=2), "65537"),
        (rsa_jwk(exponent=3), "65537"),
        (rsa_jwk(exponent=65536), "65537"),
        (rsa_jwk(exponent=2**2000 + 1), "65537"),
        (rsa_jwk(even=True), "odd modulus"),
        (RSA | {"n": "AA"}, "2048 to 8192"),
        ({"kty": "RSA", "n": RSA["n"]}, "lacks e"),
        ({"kty": "RSA", "e": "AQAB"}, "lacks n"),
        (RSA | {"n": ""}, "lacks n"),
        (RSA | {"e": 65537}, "lacks e"),
        (RSA | {"n": RSA["n"] + "=="}, "not unpadded base64url"),
        (RSA | {"n": RSA["n"][:-1] + "+"}, "not unpadded base64url"),
        # EC (KEY-03, KEY-08)
        (EC | {"x": number(0, 32), "y": number(0, 32)}, "point"),
        (EC | {"y": EC["x"]}, "point"),
        (EC | {"x": number(P256_PRIME, 32)}, "point"),
        (EC | {"x": "zc0nXRuwrP3Uu-BYVYPMyK1aJEFDPvcSdkJfxXAhzQ"}, "have 32 octets"),
        (EC | {"x": number(1, 33)}, "have 32 octets"),
        (EC | {"crv": "P-384"}, "have 48 octets"),
        (EC | {"crv": "P-521"}, "have 66 octets"),
        (EC | {"crv": "secp256k1"}, "P-256, P-384 or P-521"),
        (EC | {"crv": "P-224"}, "P-256, P-384 or P-521"),
        (EC | {"crv": "p-256"}, "P-256, P-384 or P-521"),
        (EC | {"crv": ["P-256"]}, "P-256, P-384 or P-521"),
        (EC | {"crv": "Ed25519"}, "P-256, P-384 or P-521"),
        ({"kty": "EC", "crv": "P-256", "x": EC["x"]}, "lacks y"),
        # OKP (KEY-04)
        (OKP | {"crv": "Ed448"}, "Ed25519"),
        (OKP | {"crv": "X25519"}, "Ed25519"),
        (OKP | {"crv": None}, "Ed25519"),
        (OKP | {"x": number(1, 31)}, "32 octets"),
        (OKP | {"x": number(1, 57)}, "32 octets"),
        ({"kty": "OKP", "crv": "Ed25519"}, "lacks x"),
        # Other kinds, and none
        ({}, "kty"),
        ({"kty": "AKP", "pub": "AA", "alg": "ML-DSA-44"}, "kty"),
        ({"kty": "ec"}, "kty"),
        ({"kty": ["EC"]}, "kty"),
        ({"kty": None}, "kty"),
        # For something else than signatures (KEY-12)
        (EC | {"use": "enc"}, "use"),
        (EC | {"use": None}, "use"),
        (EC | {"alg": "ES384"}, "alg"),
        (EC | {"alg": "ECDH-ES"}, "alg"),
        (RSA | {"alg": "PS256"}, "alg"),
        (OKP | {"alg": "Ed25519"}, "alg"),
    ],
)
def test_other_keys_are_refused_with_the_reason(jwk: dict[str, Any], why: str) -> None:
    with refused("badPublicKey", "KEY-REFUSED") as refusal:
        AccountKey.parse(jwk)

    assert why in refusal.detail


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
@pytest.mark.parametrize("jwk", [EC, RSA, OKP, {"kty": "oct"}], ids=["EC", "RSA", "OKP", "oct"])
def test_a_secret_is_refused_and_not_repeated(jwk: dict[str, str], member: str) -> None:
    """KEY-05."""
    with refused("badPublicKey", "KEY-REFUSED") as refusal:
        AccountKey.parse({**jwk, member: "hunter2"})

    assert "private members" in refusal.detail
    assert "hunter2" not in refusal.detail


@pytest.mark.parametrize("jwk", [None, "x", 1, True, [], [EC]])
def test_a_jwk_is_an_object(jwk: object) -> None:
    with refused("malformed", "JWS-HEADER"):
        AccountKey.parse(jwk)


_JSON = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.lists(st.text(max_size=2), max_size=2)
)


@given(
    st.sampled_from([EC, RSA, OKP]), st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg"]), _JSON
)
def test_a_member_of_any_type_is_taken_or_refused_and_nothing_else(
    jwk: dict[str, str], member: str, value: object
) -> None:
    """Abuse JWS-11."""
    try:
        key = AccountKey.parse({**jwk, member: value})
    except AcmeError as error:
        assert error.problem.type.endswith(":badPublicKey")  # noqa: PT017 - taking it is as good
        return
    assert key == AccountKey.parse(jwk)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ec.generate_private_key(ec.SECP224R1()).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        x25519.X25519PrivateKey.generate().public_key(),
        EC,
        None,
    ],
    ids=["secp256k1", "P-224", "Ed448", "X25519", "JWK", "none"],
)
def test_keys_that_no_account_can_have(key: object) -> None:
    with pytest.raises(TypeError):
        AccountKey.of(key)


def test_the_key_of_a_certificate_is_known_again_as_an_accounts() -> None:
    """KEY-10, KEY-11: whatever form it comes in."""
    for private in (
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ):
        account = acme_keys.AccountKey(private)
        assert AccountKey.of(private.public_key()).thumbprint == account.thumbprint


def test_a_signature_in_der_is_refused() -> None:
    """JWS-26: r and s stand side by side at full width."""
    private = ec.generate_private_key(ec.SECP256R1())
    key = AccountKey.of(private.public_key())
    signature = acme_keys.AccountKey(private).sign(b"message")

    der = b"\x30\x44\x02\x20" + signature[:32] + b"\x02\x20" + signature[32:]

    assert key.verifies(signature, b"message")
    assert not key.verifies(der, b"message")
    assert not key.verifies(b"\0" + signature[:32] + b"\0" + signature[32:], b"message")
    # Wider than it need be, r and s are still the same numbers.
    assert not key.verifies(signature[:32] + b"\0" + signature[32:], b"message")
    assert not key.verifies(bytes(64), b"message")
