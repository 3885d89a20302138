"""What was answered survives a power loss: every write waits for the disk where there is one (INV-6)."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.embedded.valkey import valkey as running_valkey
from acmeproxy.adapters.redis.accounts import RedisAccounts
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Call, Connection, Durability, connect
from acmeproxy.services.stores import StateAwayError
from tests.support.stored import TENANT, SetClock, answer, new_account, stored_account

SHORT = timedelta(milliseconds=200)
PUT = Commit("{alpha/0}").put("{alpha/0}:a", b"1")


@pytest_asyncio.fixture
async def keeping(tmp_path: Path) -> AsyncIterator[Valkey]:
    """Run a server that keeps an append-only file, and syncs it when it is told to."""
    async with running_valkey(tmp_path, persistent=True) as server:
        yield server


@asynccontextmanager
async def connected(server: Valkey, durability: Durability) -> AsyncIterator[Connection]:
    async with connect(server.url, None, SHORT, durability) as state:
        yield state


async def waits(state: Connection) -> int:
    """Count how often the server was asked to wait for the disk because of a write."""
    stats = await answer(state, "INFO", "commandstats")
    assert isinstance(stats, bytes)
    found = re.search(rb"cmdstat_waitaof:calls=(\d+)", stats)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("durability", [Durability.AUTO, Durability.FSYNC])
async def test_every_write_waits_for_the_disk(keeping: Valkey, durability: Durability) -> None:
    async with connected(keeping, durability) as state:
        await PUT.run(state)
        before = await waits(state)
        await PUT.run(state)
        await stored_account(state)
        await state.write(Call("SET", ("b", "2")))
        assert await waits(state) - before == 3
        await state.read(Call("GET", ("b",)))
        assert await waits(state) - before == 3


async def test_nobody_waits_where_nothing_is_kept(valkey: Valkey) -> None:
    async with connected(valkey, Durability.AUTO) as state:
        await answer(state, "CONFIG", "RESETSTAT")
        await PUT.run(state)
        assert await waits(state) == 0


async def test_nobody_waits_where_an_operator_wants_none(keeping: Valkey) -> None:
    async with connected(keeping, Durability.NONE) as state:
        await PUT.run(state)
        assert await waits(state) == 0


async def test_what_did_not_reach_the_disk_is_not_done(keeping: Valkey) -> None:
    """INV-6: the client is told to ask again, and asking again waits again."""
    _, account = new_account()
    async with connected(keeping, Durability.AUTO) as state, connected(keeping, Durability.AUTO) as other:
        await PUT.run(state)
        await PUT.run(other)
        await answer(state, "CONFIG", "SET", "appendfsync", "no")
        with pytest.raises(StateAwayError, match="durable in time"):
            await RedisAccounts(state, SetClock()).create(TENANT, account)
        # Over another connection, which did not write it: done before, but no more durable for that.
        with pytest.raises(StateAwayError, match="durable in time"):
            await RedisAccounts(other, SetClock()).create(TENANT, account)
        await answer(state, "CONFIG", "SET", "appendfsync", "always")
        await RedisAccounts(other, SetClock()).create(TENANT, account)
        found = await RedisAccounts(state, SetClock()).find(TENANT, account.thumbprint)
        assert found is not None
        assert found.value == account


async def test_durability_that_cannot_be_had_is_a_failure(valkey: Valkey) -> None:
    async with connected(valkey, Durability.FSYNC) as state:
        with pytest.raises(StateAwayError, match="appendonly is disabled"):
            await PUT.run(state)


async def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    """K3: an account that a client was told of is there when the server comes back."""
    async with running_valkey(tmp_path, persistent=True) as first, connected(first, Durability.AUTO) as state:
        _, stored = await stored_account(state)
        await first.process.kill()
    async with (
        running_valkey(tmp_path, persistent=True) as second,
        connected(second, Durability.AUTO) as state,
    ):
        assert await RedisAccounts(state, SetClock()).find(TENANT, stored.value.thumbprint) == stored
