"""Ids cannot be guessed and say nothing of what they name (HTTP-15, CHL-02)."""

import re

from acmeproxy.core import ids


def test_an_id_is_128_random_bits_in_hex() -> None:
    drawn = {ids.random_id() for _ in range(1000)}

    assert len(drawn) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in drawn)
    # Every digit of an id takes every value: none is a constant or a counter.
    assert all(len({one[place] for one in drawn}) == 16 for place in range(32))


def test_a_token_is_256_random_bits_in_base64url() -> None:
    drawn = {ids.token() for _ in range(1000)}

    assert len(drawn) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", one) for one in drawn)
