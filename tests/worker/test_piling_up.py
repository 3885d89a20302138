"""A job enqueued again while it waits is one job, and one tenant does not fill the worker (TEN-06)."""

import asyncio
from collections.abc import Sequence
from typing import Any

from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.core.job import Job, JobKind
from acmeproxy.services.queue import Delivery
from acmeproxy.worker.runner import Runner
from tests.support.eventually import eventually

ALPHA, BETA = TenantName("alpha"), TenantName("beta")


def job(subject: str, tenant: TenantName = ALPHA) -> Job:
    return Job(JobKind.ISSUE, tenant, AccountId("0" * 33), subject)


class Piling:
    """A queue whose sweeper enqueues one job again and again, as it does while Vault hangs."""

    def __init__(self, first: Job, again: Job, times: int) -> None:
        self.left = [first, *[again] * times]
        self.entries = 0
        self.finished: list[str] = []

    async def take(self) -> Sequence[Delivery]:
        await asyncio.sleep(0)
        if not self.left:
            await asyncio.sleep(0.01)
            return []
        self.entries += 1
        return [Delivery(self.left.pop(0), "jobs", str(self.entries))]

    async def reclaim(self) -> Sequence[Delivery]:
        return []

    async def keep(self, deliveries: Sequence[Delivery]) -> None:
        """Do nothing: nobody else is there."""

    async def finish(self, delivery: Delivery) -> None:
        self.finished.append(delivery.entry)

    async def sweep(self) -> int:
        return 0


class Counting:
    """Does jobs slowly: the first one until it is let go."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.go_on = asyncio.Event()

    async def __call__(self, one: Job) -> None:
        await self.go_on.wait()
        self.done.append(one.subject)


async def test_entries_for_a_job_that_waits_are_taken_off_at_once() -> None:
    queue, dispatch = Piling(job("first"), job("again"), times=50), Counting()
    anything: Any = dispatch
    runner = Runner(queue, anything, {JobKind.ISSUE: 1})
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(runner.run())

        async def piled() -> bool:
            return len(queue.finished) == 49

        await eventually(piled)
        assert dispatch.done == []
        dispatch.go_on.set()

        async def done() -> bool:
            return len(dispatch.done) == 2

        await eventually(done)
        runner.drain()
    assert dispatch.done == ["first", "again"]
    assert len(queue.finished) == 51


async def test_a_tenant_whose_jobs_all_last_leaves_places_to_the_others() -> None:
    """TEN-06, INV-9: of two places it has one, whoever comes first."""
    queue = Piling(job("first"), job("again"), times=0)
    queue.left = [*(job(f"slow {number}") for number in range(4)), job("quick", BETA)]
    done: list[str] = []
    go_on = asyncio.Event()

    async def dispatch(one: Job) -> None:
        if one.tenant == ALPHA:
            await go_on.wait()
        done.append(one.subject)

    anything: Any = dispatch
    runner = Runner(queue, anything, {JobKind.ISSUE: 2}, (ALPHA, BETA))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(runner.run())

        async def all_but_the_slow() -> bool:
            return done == ["quick"]

        await eventually(all_but_the_slow)
        go_on.set()

        async def all_of_them() -> bool:
            return len(done) == 5

        await eventually(all_of_them)
        runner.drain()
