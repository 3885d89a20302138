"""Jobs: given to one worker at a time, and again when it falls silent (K7, K20, RED-11)."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from acmeproxy.adapters.redis import jobs as jobs_module
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.adapters.redis.jobs import RedisQueue
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.core.job import Job, JobKind
from acmeproxy.services.queue import Delivery
from acmeproxy.services.stores import StateAwayError
from tests.support.stored import OTHER_TENANT, START, TENANT, SetClock, answer

TENANTS = (TENANT, OTHER_TENANT)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for jobs that do not come a moment, and not a second."""
    monkeypatch.setattr(jobs_module, "_BLOCK", timedelta(milliseconds=50))


def job(shard: str = "0", tenant: TenantName = TENANT, subject: str = "subject") -> Job:
    return Job(JobKind.VALIDATE, tenant, AccountId(shard + "f" * 32), subject)


def queue(state: Connection, clock: SetClock | None = None) -> RedisQueue:
    return RedisQueue(state, TENANTS, clock or SetClock())


async def enqueue(state: Connection, *jobs: Job) -> None:
    for one in jobs:
        await Commit(keys.shard_tag(one.tenant, one.account[0])).enqueue(one, START).run(state)


async def fall_silent(state: Connection, delivery: Delivery, seconds: float = 9) -> None:
    """Make a delivery look as if its worker had not kept it for some seconds."""
    owner = (await pending(state, delivery.stream))[0][1]
    words = ("XCLAIM", delivery.stream, "workers", owner, 0, delivery.entry)
    await answer(state, *words, "IDLE", int(seconds * 1000), "JUSTID")


async def pending(state: Connection, stream: str) -> list[tuple[str, bytes, int, int]]:
    """Return what is given out: entry, consumer, idle milliseconds, deliveries."""
    entries = await answer(state, "XPENDING", stream, "workers", "-", "+", 100)
    assert isinstance(entries, list)
    return [(entry.decode(), consumer, idle, times) for entry, consumer, idle, times in entries]


async def test_a_job_is_given_to_one_worker(state: Connection) -> None:
    await enqueue(state, job())
    one, other = queue(state), queue(state)
    first, second = await asyncio.gather(one.take(), other.take())
    taken = [*first, *second]
    assert [delivery.job for delivery in taken] == [job()]
    assert taken[0].stream == "{alpha/0}:jobs"
    assert [*await asyncio.gather(one.take(), other.take())] == [[], []]


async def test_jobs_of_all_tenants_and_shards_are_taken_a_few_of_each(state: Connection) -> None:
    """TEN-06: a tenant with many jobs leaves room for the others."""
    many = [job("1", TENANT, str(n)) for n in range(50)]
    few = [job(shard, OTHER_TENANT, "few") for shard in "0123"]
    await enqueue(state, *many, *few)
    taken = [delivery.job for delivery in await queue(state).take()]
    assert taken[:4] == many[:4]
    assert sorted(taken[4:], key=lambda one: one.account) == few


async def test_a_finished_job_is_gone(state: Connection) -> None:
    """RED-11: XDEL after XACK, and nothing is ever trimmed."""
    await enqueue(state, job())
    worker = queue(state)
    [delivery] = await worker.take()
    await worker.finish(delivery)
    await worker.finish(delivery)
    assert await pending(state, delivery.stream) == []
    assert await answer(state, "XLEN", delivery.stream) == 0


async def test_what_a_silent_worker_took_is_taken_over(state: Connection) -> None:
    """K7, K20."""
    await enqueue(state, job())
    dead, alive = queue(state), queue(state)
    [delivery] = await dead.take()
    assert await alive.reclaim() == []
    await fall_silent(state, delivery, 7)
    assert await alive.reclaim() == []
    await fall_silent(state, delivery)
    assert await alive.reclaim() == [delivery]
    assert await dead.reclaim() == []
    await alive.finish(delivery)
    assert await pending(state, delivery.stream) == []


async def test_what_is_kept_is_not_taken_over(state: Connection) -> None:
    await enqueue(state, job())
    busy, idle = queue(state), queue(state)
    [delivery] = await busy.take()
    await fall_silent(state, delivery)
    await busy.keep([delivery])
    assert await idle.reclaim() == []
    [(_, _, silent, times)] = await pending(state, delivery.stream)
    # Keeping is no delivery.
    assert (silent < 5000, times) == (True, 1)
    await busy.keep([])


async def test_keeping_what_is_finished_brings_nothing_back(state: Connection) -> None:
    await enqueue(state, job())
    worker = queue(state)
    [delivery] = await worker.take()
    await worker.finish(delivery)
    await worker.keep([delivery])
    assert await pending(state, delivery.stream) == []


async def test_a_deleted_entry_does_not_stop_the_others(state: Connection) -> None:
    """RED-11: trimmed from outside while it was given out."""
    await enqueue(state, job(subject="gone"), job(subject="there"))
    dead, alive = queue(state), queue(state)
    deliveries = await dead.take()
    for delivery in deliveries:
        entry = ("XCLAIM", delivery.stream, "workers", "dead", 0, delivery.entry)
        await answer(state, *entry, "IDLE", 9000, "JUSTID")
    await answer(state, "XDEL", deliveries[0].stream, deliveries[0].entry)
    assert await alive.reclaim() == [deliveries[1]]


@pytest.mark.parametrize(
    "fields",
    [
        ("job", b"not json"),
        ("job", b""),
        ("job", b'{"kind":"of a later version","tenant":"alpha","account":"a","subject":"s"}'),
        ("job", b'{"kind":"issue"}'),
        ("other", b"field"),
    ],
)
async def test_an_entry_that_cannot_be_read_does_not_stop_the_others(
    fields: tuple[str, bytes], state: Connection
) -> None:
    stream = f"{keys.shard_tag(TENANT, '0')}:jobs"
    await answer(state, "XADD", stream, "*", *fields)
    await enqueue(state, job())
    worker, other = queue(state), queue(state)
    taken = await worker.take()
    assert [delivery.job for delivery in taken] == [job()]
    for entry, _, _, _ in await pending(state, stream):
        words = ("XCLAIM", stream, "workers", "dead", 0, entry)
        await answer(state, *words, "IDLE", 9000, "JUSTID")
    assert [delivery.job for delivery in await other.reclaim()] == [job()]


async def test_what_is_due_is_enqueued_again_and_only_then(state: Connection, clock: SetClock) -> None:
    """RED-11, STA-09: nothing that is not finished is lost with its stream entry."""
    await enqueue(state, job(subject="a"), job("1", OTHER_TENANT, "b"))
    worker = queue(state, clock)
    for delivery in await worker.take():
        await worker.finish(delivery)
    clock.move(timedelta(seconds=29))
    assert await worker.sweep() == 0
    clock.move(timedelta(seconds=1))
    assert await worker.sweep() == 2
    # Looked at next after another half minute, however many sweep.
    assert await worker.sweep() == await queue(state, clock).sweep() == 0
    assert {delivery.job.subject for delivery in await worker.take()} == {"a", "b"}
    clock.move(timedelta(seconds=31))
    await Commit(keys.shard_tag(TENANT, "0")).finished(job(subject="a")).run(state)
    assert await worker.sweep() == 1


async def test_many_that_are_due_are_enqueued_a_hundred_at_a_time(state: Connection, clock: SetClock) -> None:
    due = f"{keys.shard_tag(TENANT, '0')}:due"
    for n in range(150):
        member = msgspec.json.encode(job(subject=str(n)))
        await answer(state, "ZADD", due, START.timestamp(), member)
    worker = queue(state, clock)
    assert [await worker.sweep() for _ in range(3)] == [100, 50, 0]


async def test_groups_are_made_again_when_the_data_is_gone(state: Connection) -> None:
    """RED-11: after FLUSHALL, and also what was enqueued before the group was there is given out."""
    worker = queue(state)
    assert await worker.take() == []
    await answer(state, "FLUSHALL")
    await enqueue(state, job())
    with pytest.raises(StateAwayError, match="NOGROUP"):
        await worker.take()
    assert [delivery.job for delivery in await worker.take()] == [job()]


async def test_reclaiming_fails_as_away_when_the_groups_are_gone(state: Connection) -> None:
    worker = queue(state)
    await worker.take()
    await answer(state, "FLUSHALL")
    with pytest.raises(StateAwayError, match="NOGROUP"):
        await worker.reclaim()


async def test_a_group_begins_at_the_beginning(state: Connection) -> None:
    """RED-11: what was enqueued before any worker came is given out."""
    await enqueue(state, job(subject="early"))
    assert [delivery.job.subject for delivery in await queue(state).take()] == ["early"]


async def test_former_workers_are_forgotten_unless_they_hold_something(
    state: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RED-11: names of consumers do not pile up, and no job is lost with one."""
    monkeypatch.setattr(jobs_module, "_FORGOTTEN", timedelta(milliseconds=50))
    stream = "{alpha/0}:jobs"
    idle, busy = queue(state), queue(state)
    assert await idle.take() == []
    await enqueue(state, job())
    [held] = await busy.take()
    # Time passes: longer than what a worker is remembered for.
    await asyncio.sleep(0.1)
    assert await queue(state).take() == []
    consumers = await answer(state, "XINFO", "CONSUMERS", stream, "workers")
    assert isinstance(consumers, list)
    # The new one, and the one that holds a job.
    assert sorted(words[3] for words in consumers) == [0, 1]
    assert (await pending(state, stream))[0][0] == held.entry
