"""Takes jobs, does many at a time, keeps them while it works, and lets none be lost (K7, K20)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

import structlog

from acmeproxy.core.ids import TenantName
from acmeproxy.core.job import Job, JobKind
from acmeproxy.services.places import Lane, Places
from acmeproxy.services.queue import Delivery, Queue
from acmeproxy.services.stores import StateAwayError
from acmeproxy.worker.dispatch import Dispatch

#: Waiting for strangers costs nearly nothing, signing holds a thread: each kind has its own places, of which
#: each tenant has its share.
LIMITS: Final = {
    JobKind.VALIDATE: 500,
    JobKind.ISSUE: 64,
    JobKind.REVOKE_SURPLUS: 8,
    JobKind.REVOKE: 8,
    JobKind.READ_ROLE: 8,
}
#: What is taken at the most, places and waiting for one: a kind without a place must not keep the others out.
MOST_HELD: Final = 4096

_LOG: Final = structlog.get_logger()
_KEEP_EVERY: Final = timedelta(seconds=2)
_RECLAIM_EVERY: Final = timedelta(seconds=2)
_SWEEP_EVERY: Final = timedelta(milliseconds=500)
_AWAY_PAUSE: Final = timedelta(seconds=1)


class Runner:
    """The worker role: runs until it is told to drain, then finishes what it has begun."""

    def __init__(
        self,
        queue: Queue,
        dispatch: Dispatch,
        limits: Mapping[JobKind, int] = LIMITS,
        tenants: Iterable[TenantName] = (),
    ) -> None:
        self._queue = queue
        self._dispatch = dispatch
        self._places = {kind: Places(limit) for kind, limit in limits.items()}
        self._lanes = {
            (kind, tenant): places.lane() for tenant in tenants for kind, places in self._places.items()
        }
        self._held: set[Delivery] = set()
        self._waiting: set[Job] = set()
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Take nothing more; `run` returns when what was begun is done."""
        self._draining.set()

    async def run(self) -> None:
        """Work until drained."""
        async with asyncio.TaskGroup() as chores:
            background = [
                chores.create_task(self._every(_KEEP_EVERY, self._keep)),
                chores.create_task(self._every(_SWEEP_EVERY, self._sweep)),
            ]
            async with asyncio.TaskGroup() as jobs:
                reclaiming = jobs.create_task(self._every(_RECLAIM_EVERY, lambda: self._reclaim(jobs)))
                while not self._draining.is_set():
                    await self._take(jobs)
                reclaiming.cancel()
            for chore in background:
                chore.cancel()

    async def _take(self, jobs: asyncio.TaskGroup) -> None:
        if len(self._held) >= MOST_HELD:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), _SWEEP_EVERY.total_seconds())
            return
        try:
            self._begin(jobs, await self._queue.take())
        except StateAwayError as error:
            _LOG.warning("worker.waiting", reason=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), _AWAY_PAUSE.total_seconds())

    async def _reclaim(self, jobs: asyncio.TaskGroup) -> None:
        self._begin(jobs, await self._queue.reclaim())

    def _begin(self, jobs: asyncio.TaskGroup, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if delivery not in self._held:
                self._held.add(delivery)
                jobs.create_task(self._work(delivery))

    async def _work(self, delivery: Delivery) -> None:
        job = delivery.job
        lane = self._lane(job)
        waits = lane.full
        try:
            if job in self._waiting:
                # The sweeper enqueued it again, and the one that waits for a place will do.
                with suppress(StateAwayError):
                    await self._queue.finish(delivery)
                return
            self._waiting.add(job)
            async with self._place(lane, job):
                if waits and self._draining.is_set():
                    return  # not begun: kept no more, it is another worker's in a moment
                await self._dispatch(delivery.job)
            # If the job cannot be taken off now, it is reclaimed and found to be done.
            with suppress(StateAwayError):
                await self._queue.finish(delivery)
        finally:
            self._held.discard(delivery)

    def _lane(self, job: Job) -> Lane:
        key = (job.kind, job.tenant)
        if key not in self._lanes:
            self._lanes[key] = self._places[job.kind].lane()
        return self._lanes[key]

    @asynccontextmanager
    async def _place(self, lane: Lane, job: Job) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(lane.place())
            finally:
                self._waiting.discard(job)
            yield

    async def _keep(self) -> None:
        await self._queue.keep(list(self._held))

    async def _sweep(self) -> None:
        await self._queue.sweep()

    async def _every(self, pause: timedelta, chore: Callable[[], Awaitable[None]]) -> None:
        while True:
            with suppress(StateAwayError):
                await chore()
            await asyncio.sleep(pause.total_seconds())
