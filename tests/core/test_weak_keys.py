"""Keys that are too weak for an account, and good enough to have their own certificate revoked (REV-15)."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from acmeproxy.core.jwk import AccountKey
from tests.support.acme_keys import AccountKey as Key
from tests.support.acme_keys import b64url, generate
from tests.support.refusals import refused


@pytest.mark.parametrize(("bits", "exponent"), [(1024, 65537), (2048, 3)])
def test_a_weak_key_verifies_what_it_signed(bits: int, exponent: int) -> None:
    """REV-15."""
    private = rsa.generate_private_key(exponent, bits)
    jwk = Key(private).jwk
    with refused("badPublicKey", "KEY-REFUSED"):
        AccountKey.parse(jwk)
    parsed = AccountKey.parse(jwk, weak=True)
    assert parsed == AccountKey.of(private.public_key())
    signature = private.sign(b"revoke", padding.PKCS1v15(), hashes.SHA256())
    assert parsed.verifies(signature, b"revoke")
    assert not parsed.verifies(signature, b"something else")


def test_a_sound_key_is_the_same_key_either_way() -> None:
    for algorithm in ("RS256", "ES256", "ES384", "EdDSA"):
        jwk = generate(algorithm).jwk
        assert AccountKey.parse(jwk, weak=True) == AccountKey.parse(jwk)


@pytest.mark.parametrize(
    ("bits", "exponent"),
    [(512, 65537), (1023, 65537), (8193, 65537), (2048, 2**33 + 1), (2048, 1), (2048, 2)],
)
def test_a_key_that_costs_too_much_or_is_none_is_refused(bits: int, exponent: int) -> None:
    """REV-15: weak is not without bounds."""
    n = ((1 << (bits - 1)) | 0x1234567 | 1).to_bytes((bits + 7) // 8)
    jwk = {"kty": "RSA", "n": b64url(n), "e": b64url(exponent.to_bytes((exponent.bit_length() + 7) // 8))}
    with refused("badPublicKey", "KEY-REFUSED"):
        AccountKey.parse(jwk, weak=True)


def test_private_members_are_refused_all_the_same() -> None:
    """KEY-05."""
    with refused("badPublicKey", "KEY-REFUSED"):
        AccountKey.parse({**generate().jwk, "d": "AQ"}, weak=True)
