"""Budgets in the store: exact, atomic, all or nothing (RAT-04; commit.lua)."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.authorizations import RedisAuthorizations
from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.limits import RedisLimits
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.core.limit import Limit, LimitName, LimitReachedError, Spend, Use
from acmeproxy.services.stores import StateAwayError
from tests.support.stored import (
    OTHER_TENANT,
    TENANT,
    SetClock,
    answer,
    every_key,
    load,
    new_account,
    new_order,
    stored_account,
)

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
TEN_A_MINUTE = Limit(10, timedelta(minutes=1))
ORDERS = LimitName.NEW_ORDERS_PER_TENANT


def one(clock: SetClock, limit: Limit = TEN_A_MINUTE, use: Use = Use.TAKE, subject: str = "alpha") -> Spend:
    return Spend(ORDERS, subject, limit, clock(), use)


async def spent(state: Connection, *spends: Spend) -> timedelta | None:
    """Spend, and return how long there is to wait if that is refused."""
    try:
        await RedisLimits(state).spend_shared(TENANT, spends)
    except LimitReachedError as error:
        return error.wait
    return None


async def test_a_burst_passes_and_the_next_one_waits_for_exactly_one_interval(
    state: Connection, clock: SetClock
) -> None:
    assert [await spent(state, one(clock)) for _ in range(10)] == [None] * 10
    assert await spent(state, one(clock)) == timedelta(seconds=6)

    clock.move(timedelta(seconds=6) - MICROSECOND)
    assert await spent(state, one(clock)) == MICROSECOND
    clock.move(MICROSECOND)
    assert await spent(state, one(clock)) is None
    assert await spent(state, one(clock)) == timedelta(seconds=6)

    # However long nobody comes, no more than a burst is saved up.
    clock.move(HOUR)
    assert [await spent(state, one(clock)) for _ in range(11)] == [None] * 10 + [timedelta(seconds=6)]


async def test_being_refused_costs_nothing(state: Connection, clock: SetClock) -> None:
    limit = Limit(1, HOUR)
    assert await spent(state, one(clock, limit)) is None
    assert {await spent(state, one(clock, limit)) for _ in range(50)} == {HOUR}
    clock.move(HOUR)
    assert await spent(state, one(clock, limit)) is None


async def test_of_200_at_once_ten_pass(state: Connection, clock: SetClock) -> None:
    """RAT-04: there is no gap between looking and spending."""
    ends = await asyncio.gather(*(spent(state, one(clock)) for _ in range(200)))
    assert ends.count(None) == 10
    assert {end for end in ends if end} == {timedelta(seconds=6)}


async def test_all_budgets_pay_or_none(state: Connection, clock: SetClock) -> None:
    """RAT-04: the one with the longest wait is named, whatever its place, and all keep what they have."""
    short, long = Limit(1, timedelta(minutes=1)), Limit(1, HOUR)
    assert await spent(state, one(clock, short, subject="b"), one(clock, long, subject="c")) is None
    before = await every_key(state)

    together = [one(clock, subject="a"), one(clock, short, subject="b"), one(clock, long, subject="c")]
    for spends in (together, together[::-1]):
        with pytest.raises(LimitReachedError) as caught:
            await RedisLimits(state).spend_shared(TENANT, spends)
        assert (caught.value.spend.subject, caught.value.wait) == ("c", HOUR)

    assert await every_key(state) == before
    assert [await spent(state, one(clock, subject="a")) for _ in range(10)] == [None] * 10


async def test_one_budget_named_twice_pays_twice(state: Connection, clock: SetClock) -> None:
    limit = Limit(3, HOUR)
    assert await spent(state, one(clock, limit), one(clock, limit)) is None
    assert await spent(state, one(clock, limit), one(clock, limit)) == timedelta(minutes=20)
    assert await spent(state, one(clock, limit)) is None


async def test_looking_spends_nothing(state: Connection, clock: SetClock) -> None:
    limit = Limit(1, HOUR)
    assert [await spent(state, one(clock, limit, Use.LOOK)) for _ in range(3)] == [None] * 3
    assert await every_key(state) == {}
    assert await spent(state, one(clock, limit)) is None
    assert await spent(state, one(clock, limit, Use.LOOK)) == HOUR


async def test_what_happened_is_charged_up_to_a_full_budget(state: Connection, clock: SetClock) -> None:
    limit = Limit(2, HOUR)
    assert [await spent(state, one(clock, limit, Use.CHARGE)) for _ in range(9)] == [None] * 9
    assert await spent(state, one(clock, limit, Use.LOOK)) == timedelta(minutes=30)
    assert await spent(state, one(clock, limit, Use.CLEAR)) is None
    assert await spent(state, one(clock, limit, Use.LOOK)) is None


async def test_budgets_do_not_mix(state: Connection, clock: SetClock) -> None:
    limit = Limit(1, HOUR)
    limits = RedisLimits(state)
    (owner, _), (other, _) = new_account(), new_account()
    await limits.spend_shared(TENANT, [one(clock, limit)])
    await limits.spend_shared(OTHER_TENANT, [one(clock, limit)])
    await limits.spend(owner, [one(clock, limit)])
    await limits.spend(other, [one(clock, limit)])
    with pytest.raises(LimitReachedError):
        await limits.spend(owner, [one(clock, limit)])


async def test_a_budget_goes_away_once_it_is_full(state: Connection, clock: SetClock) -> None:
    """A key lives until it says nothing any more, to the millisecond above."""
    await spent(state, one(clock, Limit(7, timedelta(seconds=700))))
    key = keys.shared_limit(TENANT, ORDERS, "alpha")
    assert key == "{alpha/limits}:new_orders_per_tenant:alpha"
    left = await answer(state, "PTTL", key)
    assert isinstance(left, int)
    assert 99_000 < left <= 100_000
    assert await answer(state, "GET", key) == b"1772366500000000"


@pytest.mark.parametrize("lie", [b"", b"nonsense"])
async def test_what_is_no_budget_is_not_a_full_one(lie: bytes, state: Connection, clock: SetClock) -> None:
    """RED-08: an error is not an absence."""
    await answer(state, "SET", keys.shared_limit(TENANT, ORDERS, "alpha"), lie)
    with pytest.raises(StateAwayError):
        await spent(state, one(clock))


async def test_an_order_and_what_it_costs_are_one_step(state: Connection, clock: SetClock) -> None:
    """NOR-15, STA-13: in one round trip, and nothing of a refused order is there."""
    owner, _ = await stored_account(state)
    orders = RedisOrders(state, clock)
    spends = (Spend(LimitName.NEW_ORDERS_PER_ACCOUNT, owner.account, Limit(1, HOUR), clock()),)
    first, second = new_order(owner), new_order(owner)
    await orders.create(owner, *first, spends)
    before = await every_key(state)

    with pytest.raises(LimitReachedError) as caught:
        await orders.create(owner, *second, spends)

    assert caught.value.wait == HOUR
    assert await every_key(state) == before


async def test_an_order_that_was_stored_is_not_paid_twice(state: Connection, clock: SetClock) -> None:
    """K2: the answer was lost, and the same call comes again."""
    owner, _ = await stored_account(state)
    orders = RedisOrders(state, clock)
    spends = (Spend(LimitName.NEW_ORDERS_PER_ACCOUNT, owner.account, Limit(1, HOUR), clock()),)
    order = new_order(owner)
    await orders.create(owner, *order, spends)
    await orders.create(owner, *order, spends)


async def test_an_answer_and_what_it_costs_are_one_step(state: Connection, clock: SetClock) -> None:
    """CHL-14."""
    owner, _ = await stored_account(state)
    order, drafts = new_order(owner, ("a.alpha.example", "b.alpha.example"))
    await RedisOrders(state, clock).create(owner, order, drafts)
    first, second = (await load(state, owner, order.id)).authorizations
    spends: Sequence[Spend] = (
        Spend(LimitName.CHALLENGE_ANSWERS_PER_ACCOUNT, owner.account, Limit(1, HOUR), clock()),
    )
    authorizations = RedisAuthorizations(state, clock)
    answered = [
        a.value.replace_challenge(a.value.challenges[0].answer("x.y", clock())) for a in (first, second)
    ]

    await authorizations.answer(owner, first, answered[0], spends)
    with pytest.raises(LimitReachedError):
        await authorizations.answer(owner, second, answered[1], spends)

    assert (await load(state, owner, order.id)).authorizations[1] == second


async def test_a_store_that_is_away_allows_nothing(valkey: Valkey, clock: SetClock) -> None:
    """RAT-05: limits fail closed."""
    assert valkey.port
    async with connect("redis://127.0.0.1:1/0", None, timedelta(seconds=1), Durability.NONE) as nobody:
        with pytest.raises(StateAwayError):
            await RedisLimits(nobody).spend_shared(TENANT, [one(clock)])


async def test_a_store_that_forgot_gives_back(state: Connection, clock: SetClock) -> None:
    """RAT-05: what is lost with the store's memory is documented to be given back, and no error."""
    assert await spent(state, one(clock, Limit(1, HOUR))) is None
    await answer(state, "FLUSHALL")
    assert await spent(state, one(clock, Limit(1, HOUR))) is None
