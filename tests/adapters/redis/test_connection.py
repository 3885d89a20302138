"""The connection: one meaning for every failure, and never that of an absent document (RED-07, RED-08)."""

import asyncio
import hashlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.processes import free_port
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.embedded.valkey import valkey as running_valkey
from acmeproxy.adapters.redis.accounts import RedisAccounts, RedisEabKeys
from acmeproxy.adapters.redis.authorizations import RedisAuthorizations
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Call, Connection, Durability, connect
from acmeproxy.adapters.redis.gate import RedisGate
from acmeproxy.adapters.redis.jobs import RedisQueue
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.adapters.redis.surplus import RedisSurplus
from acmeproxy.core.ids import AuthorizationId, OrderId
from acmeproxy.core.job import Job, JobKind
from acmeproxy.services.stores import StateAwayError, Wanted
from tests.support.eventually import eventually
from tests.support.in_time import in_time
from tests.support.stored import PATIENCE, START, TENANT, SetClock, answer, new_account, new_order

SHORT = timedelta(milliseconds=200)
OWNER, ACCOUNT = new_account()
ORDER, AUTHORIZATIONS = new_order(OWNER)
CLOCK = SetClock()

#: What a use case may ask; each must fail, and none find nothing, when the store does not answer.
ASKED: dict[str, Callable[[Connection], Awaitable[object]]] = {
    "admit": lambda state: RedisGate(state).admit(TENANT, "", Wanted(account=OWNER.account)),
    "admit by key": lambda state: RedisGate(state).admit(TENANT, "", Wanted(thumbprint="t")),
    "find account": lambda state: RedisAccounts(state, CLOCK).find(TENANT, "thumbprint"),
    "create account": lambda state: RedisAccounts(state, CLOCK).create(TENANT, ACCOUNT),
    "get EAB key": lambda state: RedisEabKeys(state).get(TENANT, "kid"),
    "create order": lambda state: RedisOrders(state, CLOCK).create(OWNER, ORDER, AUTHORIZATIONS),
    "load order": lambda state: RedisOrders(state, CLOCK).load(OWNER, OrderId("0")),
    "page": lambda state: RedisOrders(state, CLOCK).page(OWNER, "", 10),
    "load authorization": lambda state: RedisAuthorizations(state, CLOCK).load(OWNER, AuthorizationId("0")),
    "get surplus": lambda state: RedisSurplus(state, CLOCK).get(OWNER, "subject"),
    "add surplus": lambda state: RedisSurplus(state, CLOCK).add(OWNER, b"der"),
    "take": lambda state: RedisQueue(state, [TENANT], CLOCK).take(),
    "reclaim": lambda state: RedisQueue(state, [TENANT], CLOCK).reclaim(),
    "sweep": lambda state: RedisQueue(state, [TENANT], CLOCK).sweep(),
}


@asynccontextmanager
async def silent(server: Valkey) -> AsyncIterator[None]:
    """Have the server keep its connections and say nothing."""
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


@pytest.mark.parametrize("asked", ASKED)
async def test_a_server_that_is_not_there_is_no_absent_document(asked: str) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    async with connect(url, None, SHORT, Durability.AUTO) as state:
        with pytest.raises(StateAwayError, match="Connect call failed"):
            await ASKED[asked](state)


async def test_a_server_that_was_killed_is_no_absent_document(tmp_path: Path) -> None:
    async with (
        running_valkey(tmp_path) as server,
        connect(server.url, None, PATIENCE, Durability.AUTO) as state,
    ):
        await eventually(lambda: ok(state))
        await server.process.kill()
        for ask in ASKED.values():
            with pytest.raises(StateAwayError):
                await ask(state)


@pytest.mark.parametrize("asked", ASKED)
async def test_a_type_that_is_not_ours_is_no_absent_document(asked: str, valkey: Valkey) -> None:
    """RED-08: whatever key is asked for holds a set."""
    async with connect(valkey.url, None, PATIENCE, Durability.AUTO) as state:
        await state.write(Call("SET", ("{acmeproxy/probe}", "1")))
        await answer(state, "CONFIG", "RESETSTAT")
        await spoil(state)
        with pytest.raises(StateAwayError, match=r"WRONGTYPE|NOGROUP"):
            await ASKED[asked](state)


async def spoil(state: Connection) -> None:
    """Put a set wherever one of our stores looks for something."""
    tag = f"{{{TENANT}/{OWNER.account[0]}}}"
    account = OWNER.account
    names = [f"{tag}:account:{account}", f"{tag}:order:{account}:0", f"{tag}:order:{account}:{ORDER.id}"]
    names += [f"{tag}:authorization:{account}:0", f"{tag}:orders:{account}", f"{{{TENANT}/eab}}:kid"]
    names += [f"{{{TENANT}/{n}}}:{what}" for n in range(4) for what in ("jobs", "due")]
    names += [f"{{{TENANT}/{n}}}:key:{key}" for n in range(4) for key in ("t", "thumbprint")]
    names += [f"{tag}:key:{ACCOUNT.thumbprint}"]
    subject = hashlib.sha256(b"der").hexdigest()
    names += [f"{tag}:surplus:{account}:{one}" for one in ("subject", subject)]
    for name in names:
        await answer(state, "SADD", name, "a set")


async def test_a_server_that_says_nothing_is_given_up_in_time(valkey: Valkey) -> None:
    """RES: the patience, and what an fsync may take; then the connection is used no more."""
    async with connect(valkey.url, None, SHORT, Durability.AUTO) as state:
        await eventually(lambda: ok(state))
        await state.read(Call("SET", ("a", "1")))
        async with silent(valkey):
            begun = time.monotonic()
            async with in_time(2.5):
                with pytest.raises(StateAwayError, match="Timeout"):
                    await answer(state, "GET", "a")
            assert time.monotonic() - begun > 1.5
            assert await state.state() == "no answer in time"
        await eventually(lambda: ok(state))
        assert await answer(state, "GET", "a") == b"1"


async def ok(state: Connection) -> bool:
    """Tell whether a probe, whose patience is half a second, was answered."""
    return await state.state() == "ok"


async def test_an_answer_that_nobody_waits_for_is_nobody_elses(valkey: Valkey) -> None:
    """A request that was given up leaves no reply behind for the next one."""
    async with connect(valkey.url, None, PATIENCE, Durability.AUTO) as state:
        await state.write(*(Call("SET", (str(n), f"value {n}")) for n in range(50)))
        async with silent(valkey):
            reads = [asyncio.create_task(answer(state, "GET", str(n))) for n in range(25)]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await asyncio.gather(*reads)
        found = await asyncio.gather(*(answer(state, "GET", str(n)) for n in range(50)))
        assert found == [f"value {n}".encode() for n in range(50)]


async def test_a_request_that_is_cancelled_ends_and_gives_its_connection_back(state: Connection) -> None:
    """RES-12: whoever drains cancels what waits for the store, at whatever point that is."""

    async def ask_for_ever() -> None:
        while True:
            assert await answer(state, "ECHO", "a") == b"a"

    for steps in list(range(15)) * 8:
        asked = [asyncio.create_task(ask_for_ever()) for _ in range(3)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in asked:
            task.cancel()
        async with asyncio.timeout(60):
            ends = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(end) for end in ends} == {asyncio.CancelledError}
    found = await asyncio.gather(*(answer(state, "ECHO", str(n)) for n in range(100)))
    assert found == [str(n).encode() for n in range(100)]


async def test_more_at_once_than_there_are_connections_wait_for_their_turn(valkey: Valkey) -> None:
    async with connect(valkey.url, None, PATIENCE, Durability.AUTO) as state:
        found = await asyncio.gather(*(answer(state, "ECHO", str(n)) for n in range(500)))
        clients = await answer(state, "INFO", "clients")
    assert found == [str(n).encode() for n in range(500)]
    assert isinstance(clients, bytes)
    [line] = [line for line in clients.split() if line.startswith(b"connected_clients:")]
    assert int(line.partition(b":")[2]) <= 101


async def test_scripts_that_the_server_forgot_are_loaded_again(state: Connection) -> None:
    """NOSCRIPT: a flush, a restart, a failover."""
    commit = Commit("{alpha/0}").put("{alpha/0}:a", b"1")
    await commit.run(state)
    for _ in range(2):
        await answer(state, "SCRIPT", "FLUSH")
        await commit.run(state)
        await RedisGate(state).admit(TENANT, "", Wanted(account=OWNER.account, order=ORDER.id))
    await answer(state, "SCRIPT", "FLUSH")
    await asyncio.gather(*(RedisGate(state).admit(TENANT, "", Wanted()) for _ in range(20)))


@pytest.mark.parametrize("crowds", [1, 2], ids=["never loaded", "forgotten"])
async def test_a_crowd_that_finds_no_scripts_loads_them_once(crowds: int, state: Connection) -> None:
    """RED-07: what comes first after a start or a failover is a crowd."""
    for _ in range(crowds):
        await answer(state, "SCRIPT", "FLUSH")
        await answer(state, "CONFIG", "RESETSTAT")
        await asyncio.gather(*(RedisGate(state).admit(TENANT, "", Wanted()) for _ in range(50)))
    stats = await answer(state, "INFO", "commandstats")
    assert isinstance(stats, bytes)
    [loads] = [line for line in stats.split() if line.startswith(b"cmdstat_script|load:")]
    assert loads.startswith(b"cmdstat_script|load:calls=5,"), loads


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), "read only replica"),
        (("CONFIG", "SET", "maxmemory", "1"), "maxmemory"),
        (("CONFIG", "SET", "min-replicas-to-write", "1"), "Not enough good replicas"),
    ],
)
async def test_a_server_that_takes_no_writes_is_away_and_not_ready(
    command: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    """RED-06, RED-07: demoted, full, or cut off from its replicas."""
    async with (
        running_valkey(tmp_path) as server,
        connect(server.url, None, PATIENCE, Durability.AUTO) as state,
    ):
        job = Job(JobKind.ISSUE, TENANT, OWNER.account, "subject")
        commit = Commit("{alpha/0}").put("{alpha/0}:a", b"1").enqueue(job, START)
        await commit.run(state)
        await answer(state, *command)
        with pytest.raises(StateAwayError, match=expected):
            await Commit("{alpha/0}").put("{alpha/0}:a", b"2").run(state)
        with pytest.raises(StateAwayError, match=expected):
            await RedisGate(state).admit(TENANT, "", Wanted(account=OWNER.account))

        async def failed() -> bool:
            return "the state store failed" in await state.state()

        await eventually(failed)


async def test_a_server_that_is_busy_with_a_script_is_away(tmp_path: Path) -> None:
    """RED-07: BUSY."""
    async with (
        running_valkey(tmp_path) as server,
        connect(server.url, None, PATIENCE, Durability.AUTO) as state,
    ):
        await answer(state, "CONFIG", "SET", "busy-reply-threshold", 1)
        endless = asyncio.create_task(answer(state, "EVAL", "while true do end", 0))

        async def busy() -> bool:
            return "busy" in await state.state()

        await eventually(busy)
        with pytest.raises(StateAwayError, match="busy"):
            await answer(state, "GET", "a")
        await answer(state, "SCRIPT", "KILL")
        with pytest.raises(StateAwayError):
            await endless
        await eventually(lambda: ok(state))


async def test_a_password_is_used_and_not_told(tmp_path: Path) -> None:
    """LOG-02."""
    async with (
        running_valkey(tmp_path) as server,
        connect(server.url, None, PATIENCE, Durability.AUTO) as open_,
    ):
        await answer(open_, "CONFIG", "SET", "requirepass", "CANARY")
        async with connect(server.url, "CANARY", PATIENCE, Durability.AUTO) as state:
            await eventually(lambda: ok(state))
        async with connect(server.url, "not CANARY", PATIENCE, Durability.AUTO) as state:
            told = await state.state()
    assert "WRONGPASS" in told or "invalid username-password" in told
    assert "CANARY" not in told
