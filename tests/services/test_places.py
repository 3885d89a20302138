"""Places are shared out so that no tenant can have them all (INV-9, TEN-06)."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from acmeproxy.services.places import Lane, Places


async def settled() -> None:
    """Let every task come as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


class Holder:
    """Somebody who takes as many places as he gets, and keeps them."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.let_go = asyncio.Semaphore(0)
        self.tasks: list[asyncio.Task[None]] = []

    def wants(self, number: int) -> None:
        self.tasks += [asyncio.create_task(self._hold()) for _ in range(number)]

    def gives_back(self, number: int) -> None:
        for _ in range(number):
            self.let_go.release()

    async def _hold(self) -> None:
        async with self.lane.place():
            await self.let_go.acquire()


async def held(*holders: Holder) -> tuple[int, ...]:
    await settled()
    return tuple(holder.lane.held for holder in holders)


async def ended(*holders: Holder) -> None:
    for task in (task for holder in holders for task in holder.tasks):
        task.cancel()
    await settled()
    assert [holder.lane.held for holder in holders] == [0] * len(holders)


async def test_each_tenant_takes_half_of_what_others_left() -> None:
    places = Places(8)
    first, second, third, fourth, fifth = holders = [Holder(places.lane()) for _ in range(5)]
    for holder in holders:
        holder.wants(20)
    assert await held(*holders) == (4, 2, 1, 1, 0)
    # Who has the fewest is next, whoever asked first.
    first.gives_back(1)
    assert await held(*holders) == (3, 2, 1, 1, 1)
    # What one gives back is not for whoever has more than is free.
    third.gives_back(1)
    assert await held(first, second, third, fourth, fifth) == (3, 2, 1, 1, 1)
    await ended(*holders)


async def test_a_tenant_that_is_alone_has_all_places() -> None:
    holder = Holder(Places(3).lane())
    holder.wants(5)
    assert (await held(holder), holder.lane.full) == ((3,), True)
    holder.gives_back(4)
    assert (await held(holder), holder.lane.full) == ((1,), False)
    await ended(holder)


async def test_one_place_serves_two_tenants() -> None:
    places = Places(1)
    first, second = Holder(places.lane()), Holder(places.lane())
    first.wants(2)
    second.wants(1)
    assert await held(first, second) == (1, 0)
    first.gives_back(1)
    assert await held(first, second) == (1, 0)
    first.gives_back(1)
    assert await held(first, second) == (0, 1)
    await ended(first, second)


@pytest.mark.parametrize("given", [False, True])
async def test_who_gives_up_waiting_takes_no_place_along(given: bool) -> None:  # noqa: FBT001 - a case
    """Cancelled while waiting, or at the very moment when a place was given."""
    places = Places(1)
    first, second, third = (Holder(places.lane()) for _ in range(3))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(first.lane.place())
        second.wants(1)
        await settled()
        if not given:
            second.tasks[0].cancel()
    if given:
        second.tasks[0].cancel()
    third.wants(1)
    assert await held(first, second, third) == (0, 0, 1)
    await ended(third)
