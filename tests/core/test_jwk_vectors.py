"""Keys, thumbprints and signatures of the RFCs, and keys whose numbers begin with a zero (A3, JWS-13..15)."""

import json
from pathlib import Path
from typing import Any

import pytest

from acmeproxy.core.encoding import b64url_decode
from acmeproxy.core.jwk import AccountKey

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "jose.json").read_text("utf-8"))
signatures = pytest.mark.parametrize("vector", VECTORS["signatures"], ids=lambda vector: vector["source"])


def _signed(vector: dict[str, str]) -> bytes:
    return f"{vector['protected']}.{vector['payload']}".encode()


@pytest.mark.parametrize("vector", VECTORS["thumbprints"], ids=lambda vector: vector["source"])
def test_a_key_has_the_published_thumbprint(vector: dict[str, Any]) -> None:
    """KEY-06, KEY-07: coordinates keep their leading zeros."""
    key = AccountKey.parse(vector["jwk"])

    assert key.thumbprint == vector["thumbprint"]
    assert {name: vector["jwk"][name] for name in key.jwk} == key.jwk
    # The way back from what signs CSRs and certificates gives the same key.
    assert AccountKey.of(key.public_key()) == key


@signatures
def test_a_published_signature_verifies(vector: dict[str, Any]) -> None:
    key = AccountKey.parse(vector["jwk"])

    assert key.algorithm == vector["algorithm"]
    assert key.verifies(b64url_decode(vector["signature"]), _signed(vector))


@signatures
def test_any_changed_bit_is_seen(vector: dict[str, Any]) -> None:
    """JWS-25."""
    key = AccountKey.parse(vector["jwk"])
    signature, signed = b64url_decode(vector["signature"]), _signed(vector)

    for place in range(0, len(signature), 7):
        changed = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
        assert not key.verifies(changed, signed)
    assert not key.verifies(signature, signed + b"\0")
    assert not key.verifies(signature, signed[:-1])


@signatures
@pytest.mark.parametrize(
    "octets", [b"", b"\0", bytes(64), bytes(96), bytes(132), bytes(256), b"\xff" * 64], ids=repr
)
def test_a_signature_of_another_shape_is_no_signature(vector: dict[str, Any], octets: bytes) -> None:
    assert not AccountKey.parse(vector["jwk"]).verifies(octets, _signed(vector))


@signatures
def test_a_signature_is_only_its_own_keys(vector: dict[str, Any]) -> None:
    others = [other["jwk"] for other in VECTORS["signatures"] if other is not vector]

    assert not any(
        AccountKey.parse(jwk).verifies(b64url_decode(vector["signature"]), _signed(vector)) for jwk in others
    )
