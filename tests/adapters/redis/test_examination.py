"""The state store, one fault at a time (threat-model §1.5, RED-01)."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.embedded.valkey import valkey as running_valkey
from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.examination import Reach, examine
from acmeproxy.services.findings import Finding, Level
from acmeproxy.services.stores import StateAwayError
from tests.support.eventually import eventually
from tests.support.valkey import ask

NARROW = "acmeproxy on >secret ~* &* +@all -@admin -@dangerous +info"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Valkey]:
    """Run one of its own, which keeps every write and has a user that may do no more than it must."""
    async with running_valkey(tmp_path, persistent=True) as server:
        assert await ask(server, "ACL", "SETUSER", *NARROW.split()) == b"+OK"
        yield server


@asynccontextmanager
async def connected(server: Valkey, user: str = "acmeproxy:secret@") -> AsyncIterator[Connection]:
    url = f"redis://{user}127.0.0.1:{server.port}/0"
    async with connect(url, None, timedelta(seconds=5), Durability.AUTO) as connection:
        yield connection


async def examined(
    server: Valkey, user: str = "acmeproxy:secret@", durability: Durability = Durability.AUTO
) -> Sequence[Finding]:
    async with connected(server, user) as connection:
        return await examine(connection, Reach("127.0.0.1", server.port), durability, utc_now)


def faults(found: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.level is not Level.PASS]


async def carried_out(server: Valkey, mend: str) -> None:
    """Carry out a command line of valkey-cli, as the operator."""
    words = re.fullmatch(rf"valkey-cli -h 127\.0\.0\.1 -p {server.port} ([^#]*?)(  #.*)?", mend)
    assert words, mend
    assert await ask(server, *words[1].replace("'", "").split()) == b"+OK"


async def test_a_sound_store_passes(server: Valkey) -> None:
    found = await examined(server)
    assert [(one.level, one.subject) for one in found] == [
        (Level.PASS, "redis"),
        (Level.PASS, "redis memory"),
        (Level.PASS, "redis durability"),
        (Level.PASS, "redis acl"),
        (Level.PASS, "clock redis"),
    ]
    assert re.fullmatch(rf"Valkey \d+\.\d+\.\d+ answers at 127\.0\.0\.1:{server.port}", found[0].text)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_eviction_fails(server: Valkey, policy: str) -> None:
    await ask(server, "CONFIG", "SET", "maxmemory-policy", policy)
    [found] = faults(await examined(server))
    assert found == Finding(
        Level.FAIL,
        "redis memory",
        f"maxmemory-policy {policy}: when memory is short, it forgets accounts and orders",
        f"valkey-cli -h 127.0.0.1 -p {server.port} CONFIG SET maxmemory-policy noeviction",
    )
    await carried_out(server, found.mend)
    assert faults(await examined(server)) == []


@pytest.mark.parametrize(
    ("durability", "level"),
    [(Durability.AUTO, Level.WARN), (Durability.NONE, Level.WARN), (Durability.FSYNC, Level.FAIL)],
)
async def test_no_append_only_file_is_told(server: Valkey, durability: Durability, level: Level) -> None:
    await ask(server, "CONFIG", "SET", "appendonly", "no")
    [found] = faults(await examined(server, durability=durability))
    assert found == Finding(
        level,
        "redis durability",
        "appendonly no: a restart loses every account and order",
        f"valkey-cli -h 127.0.0.1 -p {server.port} CONFIG SET appendonly yes",
    )
    await carried_out(server, found.mend)
    assert faults(await examined(server)) == []

    async def written() -> bool:
        return b"aof_rewrite_in_progress:0" in await ask(server, "INFO", "persistence")

    # Until then it does not end when it is told to.
    await eventually(written)


@pytest.mark.parametrize(
    ("fsync", "text", "better"),
    [
        (
            "everysec",
            "appendfsync everysec: answers that may not be lost wait up to a second for the sync",
            "always",
        ),
        ("no", "appendfsync no: answers wait for a sync that nobody asks for", "everysec"),
    ],
)
async def test_how_it_syncs_is_told_where_the_user_may_ask(
    server: Valkey, fsync: str, text: str, better: str
) -> None:
    await ask(server, "CONFIG", "SET", "appendfsync", fsync)
    assert faults(await examined(server)) == []
    found = [one for one in faults(await examined(server, "")) if one.subject == "redis durability"]
    mend = f"valkey-cli -h 127.0.0.1 -p {server.port} CONFIG SET appendfsync {better}"
    assert found == [Finding(Level.WARN, "redis durability", text, mend)]
    await carried_out(server, mend)


async def test_durability_that_is_switched_off_is_told(server: Valkey) -> None:
    [found] = faults(await examined(server, durability=Durability.NONE))
    text = "redis.durability = none: answers are given before they would survive a power loss"
    assert found == Finding(Level.WARN, "redis durability", text, 'set redis.durability = "auto"')


async def test_a_user_that_may_do_everything_is_told_with_the_one_that_may_not(server: Valkey) -> None:
    await ask(server, "ACL", "DELUSER", "acmeproxy")
    [found] = faults(await examined(server, ""))
    assert found.text == (
        "user default may call CONFIG, DEBUG, FLUSHALL, KEYS, REPLICAOF, SHUTDOWN, ACL,"
        " which acmeproxy never does"
    )
    assert found.mend == (
        f"valkey-cli -h 127.0.0.1 -p {server.port} ACL SETUSER acmeproxy on '>PASSWORD'"
        " '~*' '&*' '+@all' '-@admin' '-@dangerous' '+info'"
        "  # then name it in redis.url: redis://acmeproxy@..."
    )
    await carried_out(server, found.mend)
    assert faults(await examined(server, "acmeproxy:PASSWORD@")) == []


async def test_a_wide_user_of_our_own_is_narrowed(server: Valkey) -> None:
    await ask(server, "ACL", "SETUSER", "acmeproxy", "+@all")
    [found] = faults(await examined(server))
    assert found.level is Level.WARN
    assert found.mend == (
        f"valkey-cli -h 127.0.0.1 -p {server.port} ACL SETUSER acmeproxy -@admin -@dangerous +info"
    )
    await carried_out(server, found.mend)
    assert faults(await examined(server)) == []


async def test_a_replica_fails(server: Valkey) -> None:
    await ask(server, "REPLICAOF", "127.0.0.1", "1")
    found = faults(await examined(server))
    told = Finding(Level.FAIL, "redis", "it is a slave: it takes no writes", "set redis.url to the primary")
    assert told in found


@pytest.mark.parametrize(
    ("minutes", "which"), [(10, "its clock is 600 s behind ours"), (-10, "its clock is 600 s ahead of ours")]
)
async def test_another_time_fails(server: Valkey, minutes: int, which: str) -> None:
    def elsewhen() -> datetime:
        return utc_now() + timedelta(minutes=minutes)

    async with connected(server) as connection:
        found = await examine(connection, Reach("127.0.0.1", server.port), Durability.AUTO, elsewhen)
    text = f"{which}: at most 5 s are tolerated"
    assert faults(found) == [Finding(Level.FAIL, "clock redis", text, "timedatectl set-ntp true")]


async def test_a_password_in_the_clear_is_told(server: Valkey) -> None:
    async with connected(server) as connection:
        reach = Reach("valkey.corp.example", loopback=False)
        found = await examine(connection, reach, Durability.AUTO, utc_now)
    assert faults(found) == [
        Finding(
            Level.WARN,
            "redis tls",
            "what is sent to it, the password included, goes over the network in the clear",
            "set redis.url to rediss://, and give its listener a certificate",
        )
    ]


async def test_a_user_without_info_cannot_be_examined(server: Valkey) -> None:
    await ask(server, "ACL", "SETUSER", "acmeproxy", "-info")
    with pytest.raises(StateAwayError, match=r"\+info is needed"):
        await examined(server)


def test_a_command_line_names_where_and_no_secret() -> None:
    assert Reach("valkey.corp.example", 6380, tls=True, loopback=False).cli("valkey-cli", "PING") == (
        "valkey-cli -h valkey.corp.example -p 6380 --tls PING"
    )
    assert Reach("", path="/run/valkey.sock").cli("redis-cli", "PING") == "redis-cli -s /run/valkey.sock PING"
