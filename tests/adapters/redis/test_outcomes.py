"""Who waits for a verdict is woken by it, also after the server was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from acmeproxy.adapters.embedded.valkey import valkey as running_valkey
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.authorizations import RedisAuthorizations
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.adapters.redis.outcomes import RedisOutcomes
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.ids import OrderId
from acmeproxy.core.order import Order
from acmeproxy.core.problem import problem
from acmeproxy.core.reference import Reference
from acmeproxy.services.stores import StateAwayError
from tests.support.eventually import eventually
from tests.support.stored import (
    PATIENCE,
    START,
    TENANT,
    SetClock,
    answer,
    load,
    new_account,
    new_order,
    stored_account,
)

LONG = timedelta(seconds=10)
ENDED = problem(Reference.SIGNING_ABANDONED, "too late")


@asynccontextmanager
async def listening(state: Connection) -> AsyncIterator[RedisOutcomes]:
    """Listen, from the moment on that the server knows it."""
    outcomes = RedisOutcomes(state)
    task = asyncio.create_task(outcomes.listen())
    try:
        await heard(state)
        yield outcomes
    finally:
        task.cancel()


async def heard(state: Connection) -> None:
    async def subscribed() -> bool:
        try:
            return await answer(state, "PUBSUB", "NUMSUB", "acmeproxy:outcomes") == [b"acmeproxy:outcomes", 1]
        except StateAwayError:
            return False

    await eventually(subscribed)


async def tell(state: Connection, order: Order) -> None:
    await Commit(keys.shard_tag(TENANT, "0")).tell(order.id, order).run(state)


async def test_an_outcome_wakes_all_who_wait_for_it_and_nobody_else(state: Connection) -> None:
    owner, _ = await stored_account(state)
    order, authorizations = new_order(owner, status=ChallengeStatus.PROCESSING)
    await RedisOrders(state, SetClock()).create(owner, order, authorizations)
    seen = (await load(state, owner, order.id)).authorizations[0]
    settled = seen.value.replace_challenge(seen.value.challenges[0].conclude(None, START))
    async with listening(state) as outcomes:
        with (
            outcomes.authorization(seen.value.id) as one,
            outcomes.authorization(seen.value.id) as two,
            outcomes.order(order.id) as other,
        ):
            waiting = asyncio.gather(one.outcome(LONG), two.outcome(LONG))
            await RedisAuthorizations(state, SetClock()).conclude(owner, seen, settled)
            assert [*await waiting] == [settled, settled]
            assert await other.outcome(timedelta(0)) is None


async def test_an_outcome_between_the_watch_and_the_wait_is_not_missed(state: Connection) -> None:
    order, _ = new_order(new_account()[0])
    abandoned = order.abandon(ENDED, START)
    async with listening(state) as outcomes:
        with outcomes.order(order.id) as watch, outcomes.order(OrderId("marker")) as marker:
            await tell(state, abandoned)
            await Commit(keys.shard_tag(TENANT, "0")).tell("marker", order).run(state)
            assert await marker.outcome(LONG) == order
            assert await watch.outcome(timedelta(0)) == abandoned


async def test_nobody_polls(state: Connection) -> None:
    """While somebody waits, no command is sent for it."""
    order, _ = new_order(new_account()[0])
    async with listening(state) as outcomes:
        with outcomes.order(order.id) as watch:
            waiting = asyncio.create_task(watch.outcome(timedelta(milliseconds=300)))
            before = await commands(state)
            assert await waiting is None
            # The second look at the counter is the one command.
            assert await commands(state) - before == 1


async def test_listening_goes_on_after_the_server_was_away(tmp_path: Path) -> None:
    order, _ = new_order(new_account()[0])
    async with (
        running_valkey(tmp_path) as first,
        connect(first.url, None, PATIENCE, Durability.AUTO) as state,
        listening(state) as outcomes,
    ):
        await first.process.kill()
        async with running_valkey(tmp_path, port=first.port):
            await heard(state)
            with outcomes.order(order.id) as watch:
                await tell(state, order)
                assert await watch.outcome(LONG) == order


async def test_listening_begins_when_the_server_comes_up_later(tmp_path: Path) -> None:
    async with running_valkey(tmp_path) as gone:
        await gone.process.kill()
    async with connect(gone.url, None, PATIENCE, Durability.AUTO) as state:
        outcomes = RedisOutcomes(state)
        task = asyncio.create_task(outcomes.listen())
        async with running_valkey(tmp_path, port=gone.port):
            await heard(state)
            assert not task.done()
        task.cancel()


async def commands(state: Connection) -> int:
    stats = await answer(state, "INFO", "stats")
    assert isinstance(stats, bytes)
    [line] = [line for line in stats.split() if line.startswith(b"total_commands_processed:")]
    return int(line.partition(b":")[2])
