"""A process without a login has a worker read a role, and is told what came of it (INV-14)."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest

from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.adapters.redis.jobs import RedisQueue
from acmeproxy.adapters.redis.outcomes import RedisOutcomes
from acmeproxy.adapters.redis.roles import RedisRoles, RedisRoleWishes
from acmeproxy.core.job import JobKind
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError
from acmeproxy.services.reports import Report
from acmeproxy.services.roles import RoleReading, RoleUnreadError
from tests.adapters.redis.test_outcomes import listening
from tests.support.scripted_roles import ScriptedRoles
from tests.support.stored import TENANT, SetClock

PLACE: Final = VaultPlace("pki", "web", "admin/alpha")
ALPHA: Final = Tenant(TENANT, PLACE, Names())


class Worker:
    """Who may read roles."""

    def __init__(self, state: Connection, clock: SetClock) -> None:
        self.reader = ScriptedRoles()
        self.queue = RedisQueue(state, [TENANT], clock)
        self.reading = RoleReading(self.reader, RedisRoles(state), {TENANT: ALPHA})

    async def works(self) -> list[Report]:
        """Do what is in the queue."""
        done = []
        for delivery in await self.queue.take():
            assert delivery.job.kind is JobKind.READ_ROLE
            done.append(await self.reading.answer(delivery.job))
            await self.queue.finish(delivery)
        return done


@pytest.fixture
def worker(state: Connection, clock: SetClock) -> Worker:
    return Worker(state, clock)


async def wishing(state: Connection, outcomes: RedisOutcomes, worker: Worker) -> list[object]:
    """Wish for a role in two processes at once, and have a worker work."""
    wishes = [asyncio.create_task(RedisRoleWishes(state, outcomes).reread(ALPHA, PLACE)) for _ in range(2)]
    reports: list[Report] = []
    while not reports:
        reports = await worker.works()
    assert len(reports) == 1
    return [reports[0].outcome, *await asyncio.gather(*wishes, return_exceptions=True)]


async def test_a_wish_is_done_once_and_told_to_all(state: Connection, worker: Worker) -> None:
    role = Role("web", key_type="ec")
    worker.reader.answers["web"] = role
    async with listening(state) as outcomes:
        assert await wishing(state, outcomes, worker) == ["read", role, role]
        # It can be wished for again at once.
        assert await wishing(state, outcomes, worker) == ["read", role, role]
    assert worker.reader.asked == [PLACE] * 2


async def test_that_it_may_not_be_read_is_told(state: Connection, worker: Worker) -> None:
    worker.reader.answers["web"] = None
    async with listening(state) as outcomes:
        assert await wishing(state, outcomes, worker) == ["read", None, None]


async def test_that_vault_is_away_is_told(state: Connection, worker: Worker) -> None:
    """Nobody waits in vain, and what was published stays."""
    published = RedisRoles(state)
    await published.publish(TENANT, PLACE, Role("web"))
    worker.reader.answers["web"] = SigningDeferredError("sealed")
    async with listening(state) as outcomes:
        outcome, *errors = await wishing(state, outcomes, worker)
    assert (outcome, [str(error) for error in errors]) == ("unread", ["sealed", "sealed"])
    assert all(isinstance(error, RoleUnreadError) for error in errors)
    assert PLACE in await published.read(TENANT, frozenset({PLACE}))


async def test_without_a_worker_nobody_waits_long(state: Connection) -> None:
    async with listening(state) as outcomes:
        wishes = RedisRoleWishes(state, outcomes, timedelta(seconds=0.2))
        with pytest.raises(RoleUnreadError, match="no worker answered"):
            await wishes.reread(ALPHA, PLACE)


async def test_a_role_that_the_worker_does_not_know_is_let_be(state: Connection, worker: Worker) -> None:
    """The settings of the two differ, for a moment."""
    async with listening(state) as outcomes:
        wishes = RedisRoleWishes(state, outcomes, timedelta(seconds=0.2))
        with pytest.raises(RoleUnreadError):
            await wishes.reread(ALPHA, VaultPlace("pki", "other", "admin/alpha"))
    assert await worker.works() == [Report("dropped")]
    assert worker.reader.asked == []
