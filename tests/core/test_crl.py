"""Revocation lists: which ones are shown (RFC 5280 §5)."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from acmeproxy.core import crl
from acmeproxy.core.crl import UntrustedListError
from tests.support.scripted_authority import ca_certificate, signed_list

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY: Final = ec.generate_private_key(ec.SECP256R1())
OTHER: Final = ec.generate_private_key(ec.SECP256R1())
CA: Final = ca_certificate(KEY, "issuing CA", NOW)


@pytest.mark.parametrize("delta", [False, True])
def test_the_issuers_list_is_shown(delta: bool) -> None:  # noqa: FBT001 - a case
    der = signed_list(CA, KEY, NOW, {5}, delta=delta)
    found = crl.parse(der, CA, NOW, delta=delta)
    assert (found.der, found.digest) == (der, hashlib.sha256(der).hexdigest())
    assert (found.this_update, found.next_update) == (NOW, NOW + timedelta(hours=72))


@pytest.mark.parametrize(
    ("der", "reason"),
    [
        (b"", "not a revocation list"),
        (b"<html>", "not a revocation list"),
        (signed_list(CA, KEY, NOW, set()) + b"x", "not a revocation list"),
        (signed_list(CA, OTHER, NOW, set()), "not signed by the issuer"),
        (signed_list(ca_certificate(KEY, "another CA", NOW), KEY, NOW, set()), "not signed by the issuer"),
        (signed_list(CA, KEY, NOW, set(), delta=True), "a delta in place"),
        (signed_list(CA, KEY, NOW - timedelta(hours=72), set()), "of another time"),
        (signed_list(CA, KEY, NOW + timedelta(minutes=6), set()), "of another time"),
    ],
    ids=["nothing", "a page", "more", "another key", "another name", "a delta", "over", "not yet"],
)
def test_other_lists_are_not(der: bytes, reason: str) -> None:
    with pytest.raises(UntrustedListError, match=reason):
        crl.parse(der, CA, NOW, delta=False)


def test_a_whole_list_is_no_delta() -> None:
    with pytest.raises(UntrustedListError, match="a delta in place"):
        crl.parse(signed_list(CA, KEY, NOW, set()), CA, NOW, delta=True)
