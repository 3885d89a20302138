"""Nonces: good once, on every replica, and never again after the server forgot (RFC 8555 §6.5)."""

import asyncio
import hashlib
import hmac
import re
import time
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.valkey import valkey as running_valkey
from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.gate import RedisGate
from acmeproxy.adapters.redis.nonces import Mint
from acmeproxy.services.stores import NonceFault, StateAwayError, Wanted
from tests.support.acme_keys import b64url, unb64url
from tests.support.eventually import eventually
from tests.support.stored import PATIENCE, TENANT, answer, every_key

HOUR = 3600


async def fault(gate: RedisGate, nonce: str) -> NonceFault | None:
    return (await gate.admit(TENANT, nonce, Wanted())).nonce_fault


async def learned(state: Connection) -> RedisGate:
    """Return a gate that knows the epoch, as it does a moment after its start."""
    gate = RedisGate(state)
    assert await fault(gate, "") is NonceFault.MISSING
    return gate


async def made(state: Connection, age: float) -> str:
    """Make a nonce that is some seconds old: the time, chance, and a MAC over both."""
    secret = await answer(state, "HGET", "{acmeproxy/nonce}:epoch", "secret")
    assert isinstance(secret, bytes)
    body = int(time.time() - age).to_bytes(4, "big") + bytes(16)
    return b64url(body + hmac.digest(secret, body, hashlib.sha256)[:16])


async def test_a_nonce_is_good_once(state: Connection) -> None:
    """NON-08."""
    gate = await learned(state)
    nonce = gate.mint()
    assert [await fault(gate, nonce) for _ in range(3)] == [None, NonceFault.USED, NonceFault.USED]


async def test_of_fifty_requests_with_one_nonce_one_is_let_in(state: Connection) -> None:
    """NON-15: two replicas, one server."""
    gates = [await learned(state), await learned(state)]
    nonce = gates[0].mint()
    faults = await asyncio.gather(*(fault(gates[i % 2], nonce) for i in range(50)))
    assert sorted(faults, key=str) == [None, *[NonceFault.USED] * 49]


async def test_a_nonce_of_one_replica_is_good_at_another(state: Connection) -> None:
    """NON-14, NON-15."""
    here, there = await learned(state), await learned(state)
    assert await fault(there, here.mint()) is None


async def test_nonces_are_unlike_each_other_and_base64url(state: Connection) -> None:
    """NON-06: 128 random bits at least."""
    gate = await learned(state)
    nonces = {gate.mint() for _ in range(10_000)}
    assert len(nonces) == 10_000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{48}", nonce) for nonce in nonces)
    assert len({unb64url(nonce)[4:20] for nonce in nonces}) == 10_000


async def test_making_nonces_writes_nothing(state: Connection) -> None:
    """A flood of new-nonce costs the store nothing; a used one is forgotten two hours later."""
    gate = await learned(state)
    before = await every_key(state)
    nonces = [gate.mint() for _ in range(1000)]
    assert await every_key(state) == before
    assert await fault(gate, nonces[0]) is None
    marker = f"{{acmeproxy/nonce}}:used:{nonces[0]}"
    assert set(await every_key(state)) - set(before) == {marker}
    assert await answer(state, "TTL", marker) == 2 * HOUR


@pytest.mark.parametrize(
    ("age", "expected"), [(0, None), (2 * HOUR - 60, None), (2 * HOUR + 60, NonceFault.EXPIRED)]
)
async def test_a_nonce_is_good_for_two_hours(
    age: float, expected: NonceFault | None, state: Connection
) -> None:
    """NON-17."""
    gate = await learned(state)
    assert await fault(gate, await made(state, age)) is expected


async def test_what_was_never_made_here_is_refused(state: Connection) -> None:
    """NON-08: a MAC that is off by a bit, another secret's, another length, or no base64url at all."""
    gate = await learned(state)
    good = unb64url(gate.mint())
    forged = [
        bytes([good[0] ^ 1]) + good[1:],
        good[:-1] + bytes([good[-1] ^ 1]),
        good[:-1],
        good + b"\0",
        b"",
    ]
    nonces = [*(b64url(octets) for octets in forged[:-1]), "a=b", "ä", "A" * 48, Mint().make()]
    before = await every_key(state)
    assert {await fault(gate, nonce) for nonce in nonces} == {NonceFault.UNKNOWN}
    assert await fault(gate, "") is NonceFault.MISSING
    assert await every_key(state) == before


async def test_a_gate_that_never_heard_of_the_epoch_refuses_and_learns_it(state: Connection) -> None:
    """A fresh replica refuses what another made, once, and the client repeats with a nonce of its answer."""
    old, young = await learned(state), RedisGate(state)
    assert await fault(young, old.mint()) is NonceFault.UNKNOWN
    assert await fault(young, old.mint()) is None
    assert await fault(old, young.mint()) is None


async def test_after_a_flush_older_nonces_are_void(state: Connection) -> None:
    """NON-03, INV-7: what forgot which nonces were used takes none of them."""
    gates = [await learned(state), await learned(state)]
    used, unused = gates[0].mint(), gates[0].mint()
    assert await fault(gates[0], used) is None
    await answer(state, "FLUSHALL")
    assert await fault(gates[0], used) is NonceFault.UNKNOWN
    assert await fault(gates[1], unused) is NonceFault.UNKNOWN
    # Both have learned the new epoch from their answers.
    assert await fault(gates[0], gates[1].mint()) is None
    assert await fault(gates[1], gates[0].mint()) is None
    assert await fault(gates[0], used) is NonceFault.UNKNOWN


@pytest.mark.parametrize("persistent", [False, True])
async def test_after_a_restart_older_nonces_are_void(persistent: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """NON-03, INV-7: a server that was killed may have lost what it said, whatever it kept."""
    async with (
        running_valkey(tmp_path, persistent=persistent) as first,
        connect(first.url, None, PATIENCE, Durability.AUTO) as state,
    ):
        gate = await learned(state)
        used, unused = gate.mint(), gate.mint()
        assert await fault(gate, used) is None
        await first.process.kill()
        with pytest.raises(StateAwayError):
            await fault(gate, unused)
        async with running_valkey(tmp_path, persistent=persistent, port=first.port):
            assert await fault(gate, used) is NonceFault.UNKNOWN
            assert await fault(gate, unused) is NonceFault.UNKNOWN
            fresh = gate.mint()
            assert [await fault(gate, fresh) for _ in range(2)] == [None, NonceFault.USED]


async def test_a_gate_learns_of_a_new_epoch_without_being_asked(state: Connection) -> None:
    """So that new-nonce does not hand out void nonces for longer than a second."""
    gate, other = await learned(state), await learned(state)
    await answer(state, "FLUSHALL")
    assert await fault(other, "") is NonceFault.MISSING

    async def taken() -> bool:
        return await fault(other, gate.mint()) is None

    learning = asyncio.create_task(gate.keep_learning())
    try:
        await eventually(taken)
    finally:
        learning.cancel()
