"""The worker: does many jobs at a time, loses none, and ends when it is told to (RES-12, K7, K20)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.valkey import valkey as running_valkey
from acmeproxy.adapters.redis import jobs as jobs_module
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.jobs import RedisQueue
from acmeproxy.core.authorization import AuthorizationStatus
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.job import JobKind
from acmeproxy.core.order import Issued, Order
from acmeproxy.core.problem import Problem
from acmeproxy.services.ports import Target
from acmeproxy.services.stores import Owner, StateAwayError
from acmeproxy.worker import runner as runner_module
from acmeproxy.worker.runner import Runner
from tests.support.eventually import eventually
from tests.support.stored import PATIENCE, TENANT, SetClock, answer, load
from tests.support.workshop import Workshop, looking

BRISK = timedelta(milliseconds=50)
SILENT = timedelta(milliseconds=2500)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do every chore more often, so that nobody waits for seconds."""
    for name in ("_KEEP_EVERY", "_RECLAIM_EVERY", "_SWEEP_EVERY", "_AWAY_PAUSE"):
        monkeypatch.setattr(runner_module, name, BRISK)
    monkeypatch.setattr(jobs_module, "_SILENT", SILENT)
    monkeypatch.setattr(jobs_module, "_BLOCK", BRISK)


class Held:
    """Looks that last until they are let go."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()

    async def look(self, _: Target) -> Problem | None:
        self.now += 1
        self.most = max(self.most, self.now)
        self.entered.set()
        await self.go_on.wait()
        self.now -= 1
        return None


def runner(workshop: Workshop, limits: dict[JobKind, int] | None = None) -> Runner:
    queue = RedisQueue(workshop.state, [TENANT], workshop.clock)
    return Runner(queue, workshop.dispatch, limits) if limits else Runner(queue, workshop.dispatch)


@asynccontextmanager
async def working(one: Runner) -> AsyncIterator[asyncio.Task[None]]:
    """Have a worker work until the context ends, and then drain."""
    task = asyncio.create_task(one.run())
    try:
        yield task
        one.drain()
        async with asyncio.timeout(60):
            await task
    finally:
        task.cancel()


async def answered(workshop: Workshop) -> tuple[Owner, Order]:
    """Have a client answer a challenge: the job is in the stream."""
    owner, order = await workshop.ordered(ChallengeStatus.PENDING)
    seen = (await load(workshop.state, owner, order.id)).authorizations[0]
    challenge = seen.value.challenges[0].answer("token.thumbprint", workshop.clock())
    await workshop.authorizations.answer(owner, seen, seen.value.replace_challenge(challenge))
    return owner, order


def valid(workshop: Workshop, owner: Owner, order: Order) -> Callable[[], asyncio.Future[bool]]:
    async def is_valid() -> bool:
        try:
            authorization = await workshop.authorization(owner, order)
        except StateAwayError:
            return False
        return authorization.status(workshop.clock()) is AuthorizationStatus.VALID

    return lambda: asyncio.ensure_future(is_valid())


async def test_what_clients_ask_for_is_done(workshop: Workshop) -> None:
    first, second = await answered(workshop), await workshop.finalized()
    async with working(runner(workshop)):
        await eventually(valid(workshop, *first))

        async def issued() -> bool:
            return isinstance((await workshop.order(*second)).progress, Issued)

        await eventually(issued)
    assert await workshop.due(first[0]) == await workshop.due(second[0]) == {}
    for owner, _ in (first, second):
        assert await answer(workshop.state, "XLEN", f"{keys.tag(owner)}:jobs") == 0


async def test_draining_finishes_what_was_begun_and_takes_nothing_more(workshop: Workshop) -> None:
    """RES-12."""
    held = Held()
    workshop.validator.script.append(held.look)
    begun = await answered(workshop)
    one = runner(workshop)
    async with working(one) as task:
        await held.entered.wait()
        one.drain()
        # Its last wait for jobs is over when another worker has been given one that came later.
        later = await answered(workshop)
        async with working(runner(workshop)):
            await eventually(valid(workshop, *later))
        assert not task.done()
        assert not await valid(workshop, *begun)()
        held.go_on.set()
        async with asyncio.timeout(60):
            await task
    assert await valid(workshop, *begun)()
    assert await answer(workshop.state, "XLEN", f"{keys.tag(begun[0])}:jobs") == 0


async def test_each_kind_of_job_has_its_own_places(workshop: Workshop) -> None:
    """TEN-06: a thousand slow targets are no reason not to sign."""
    held = Held()
    workshop.validator.script.extend([held.look] * 5)
    slow = [await answered(workshop) for _ in range(5)]
    async with working(runner(workshop, {JobKind.VALIDATE: 2, JobKind.ISSUE: 1})):
        await held.entered.wait()
        owner, order = await workshop.finalized()

        async def issued() -> bool:
            return isinstance((await workshop.order(owner, order)).progress, Issued)

        await eventually(issued)
        assert held.most == 2
        held.go_on.set()
        for one in slow:
            await eventually(valid(workshop, *one))
    assert held.most == 2


async def test_what_waits_for_a_place_is_left_to_others_when_it_drains(workshop: Workshop) -> None:
    """RES-12: begun is what has a place; the rest is not begun any more, and not lost."""
    held = Held()
    workshop.validator.script.append(held.look)
    both = [await answered(workshop) for _ in range(2)]
    one = runner(workshop, {JobKind.VALIDATE: 1})
    async with working(one):
        await held.entered.wait()

        async def taken() -> bool:
            streams = {f"{keys.tag(owner)}:jobs" for owner, _ in both}
            groups = [await answer(workshop.state, "XPENDING", stream, "workers") for stream in streams]
            return sum(int(group[0]) for group in groups if isinstance(group, list)) == 2

        await eventually(taken)
        one.drain()
        held.go_on.set()
    assert len(workshop.validator.seen) == 1
    async with working(runner(workshop)):
        for left in both:
            await eventually(valid(workshop, *left))
    assert len(workshop.validator.seen) == 2


async def test_a_job_that_lasts_is_kept_from_other_workers(workshop: Workshop) -> None:
    """K20: looked at once, although another worker would take it over after a moment of silence."""
    held = Held()
    workshop.validator.script.append(held.look)
    begun = await answered(workshop)
    other = RedisQueue(workshop.state, [TENANT], workshop.clock)
    async with working(runner(workshop)):
        await held.entered.wait()
        # Time passes: longer than silence may last.
        until = asyncio.get_running_loop().time() + 1.2 * SILENT.total_seconds()
        while asyncio.get_running_loop().time() < until:
            assert await other.reclaim() == []
            await asyncio.sleep(BRISK.total_seconds() / 2)
        held.go_on.set()
        await eventually(valid(workshop, *begun))
    assert len(workshop.validator.seen) == 1


async def test_what_a_dead_worker_had_begun_is_done_by_another(workshop: Workshop) -> None:
    """K7: without the lease of half a minute being over, and without an attempt being counted."""
    held = Held()
    workshop.validator.script.append(held.look)
    begun = await answered(workshop)
    victim = asyncio.create_task(runner(workshop).run())
    await held.entered.wait()
    victim.cancel()
    assert await asyncio.gather(victim, return_exceptions=True)
    async with working(runner(workshop)):
        await eventually(valid(workshop, *begun))
    assert (await workshop.authorization(*begun)).challenges[0].attempts == 1
    assert len(workshop.validator.seen) == 2


async def test_what_is_due_is_done_without_an_entry_in_the_stream(workshop: Workshop) -> None:
    """RED-11, STA-09."""
    begun = await answered(workshop)
    await answer(workshop.state, "DEL", f"{keys.tag(begun[0])}:jobs")
    async with working(runner(workshop)):
        workshop.clock.move(timedelta(seconds=31))
        await eventually(valid(workshop, *begun))


async def test_jobs_that_cannot_be_done_do_not_stop_the_others(workshop: Workshop) -> None:
    """RES-08: documents and entries that nobody can read, and a validator that breaks."""
    stream = f"{keys.shard_tag(TENANT, '0')}:jobs"
    await answer(workshop.state, "XADD", stream, "*", "job", b"not json")
    await answer(workshop.state, "XADD", stream, "*", "nothing", "of ours")
    broken_authorization, broken_order = await answered(workshop), await workshop.finalized()
    await overwrite(
        workshop, keys.authorization(broken_authorization[0], broken_authorization[1].authorizations[0])
    )
    await overwrite(workshop, keys.order(broken_order[0], broken_order[1].id))
    workshop.validator.breaks(RuntimeError("a fault of ours"))
    good = [await answered(workshop) for _ in range(3)]
    async with working(runner(workshop)) as task:
        workshop.clock.move(timedelta(seconds=31))
        for one in good:
            seen = valid(workshop, *one)

            async def in_time(seen: Callable[[], Awaitable[bool]] = seen) -> bool:
                workshop.clock.move(timedelta(seconds=1))
                return await seen()

            await eventually(in_time)
        assert not task.done()


async def overwrite(workshop: Workshop, key: str) -> None:
    assert await answer(workshop.state, "EXISTS", key) == 1
    await answer(workshop.state, "SET", key, b'{"id": 5')


async def test_a_store_that_was_away_is_worked_from_again(tmp_path: Path, clock: SetClock) -> None:
    """INV-12, RED-07: killed under a worker, and back at the same place with what it had."""
    async with (
        running_valkey(tmp_path, persistent=True) as first,
        connect(first.url, None, PATIENCE, Durability.AUTO) as state,
    ):
        workshop = Workshop(state, clock)
        before = await answered(workshop)
        async with working(runner(workshop)) as task:
            await eventually(valid(workshop, *before))
            await first.process.kill()
            await eventually(lambda: away(state))
            async with running_valkey(tmp_path, persistent=True, port=first.port):
                after = await answered(workshop)
                await eventually(valid(workshop, *after))
                assert not task.done()


async def test_a_store_that_comes_up_later_is_waited_for(tmp_path: Path, clock: SetClock) -> None:
    async with running_valkey(tmp_path) as gone:
        await gone.process.kill()
    async with connect(gone.url, None, PATIENCE, Durability.AUTO) as state:
        workshop = Workshop(state, clock)
        async with working(runner(workshop)) as task, running_valkey(tmp_path, port=gone.port):
            begun = await answered(workshop)
            await eventually(valid(workshop, *begun))
            assert not task.done()


async def away(state: Connection) -> bool:
    return await state.state() != "ok"


async def test_what_was_done_while_the_store_went_away_is_found_to_be_done(workshop: Workshop) -> None:
    """A job that could not be taken off is given out again, and nothing is signed twice."""
    owner, order = await workshop.finalized()
    queue = RedisQueue(workshop.state, [TENANT], workshop.clock)
    [delivery] = await queue.take()
    await workshop.dispatch(delivery.job)
    async with working(runner(workshop)):

        async def gone() -> bool:
            return await answer(workshop.state, "XLEN", delivery.stream) == 0

        await eventually(gone)
    assert workshop.signer.calls == ["sign"]
    assert isinstance((await workshop.order(owner, order)).progress, Issued)
    assert delivery.job != looking(owner, order)
