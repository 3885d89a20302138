"""The same job enqueued again while it waits for a place is one job (TEN-06)."""

import asyncio
from collections.abc import Sequence
from typing import Any

from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.core.job import Job, JobKind
from acmeproxy.services.queue import Delivery
from acmeproxy.worker.runner import Runner
from tests.support.eventually import eventually


def job(subject: str) -> Job:
    return Job(JobKind.ISSUE, TenantName("alpha"), AccountId("0" * 33), subject)


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
