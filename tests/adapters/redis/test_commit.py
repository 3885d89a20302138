"""commit.lua: one transition, all of it or nothing (threat-model RED-09)."""

import hashlib
from datetime import timedelta

import msgspec
import pytest

from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.core.job import Job, JobKind
from acmeproxy.services.stores import StaleError, StateAwayError, Stored
from tests.support.stored import START, TENANT, answer, every_key, new_account

TAG = "{alpha/0}"
ONE, TWO = f"{TAG}:one", f"{TAG}:two"
JOB = Job(JobKind.ISSUE, TENANT, new_account()[0].account, "subject")
HOUR = timedelta(hours=1)


class Note(msgspec.Struct, frozen=True):
    text: str


def read_as(text: str) -> Stored[Note]:
    """Return a note as somebody read it: its revision is the SHA-1 of its JSON."""
    octets = b'{"text":"' + text.encode() + b'"}'
    return Stored(Note(text), hashlib.sha1(octets, usedforsecurity=False).hexdigest())


async def test_what_is_created_is_there_with_its_time_to_live(state: Connection) -> None:
    """What may expire has a TTL from the first write; what an auditor needs has none."""
    await Commit(TAG).create(ONE, Note("a"), HOUR).create(TWO, Note("b")).run(state)
    assert await answer(state, "GET", ONE) == b'{"text":"a"}'
    assert await answer(state, "TTL", ONE) == 3600
    assert await answer(state, "TTL", TWO) == -1


async def test_creating_what_is_there_is_stale_and_changes_nothing(state: Connection) -> None:
    await Commit(TAG).create(ONE, Note("first")).run(state)
    with pytest.raises(StaleError):
        await Commit(TAG).create(TWO, Note("b")).create(ONE, Note("second")).run(state)
    assert list(await every_key(state)) == [ONE]
    assert await answer(state, "GET", ONE) == b'{"text":"first"}'


async def test_a_document_is_replaced_over_the_revision_that_was_read(state: Connection) -> None:
    await Commit(TAG).create(ONE, Note("a"), HOUR).run(state)
    commit = Commit(TAG)
    written = commit.replace(ONE, read_as("a"), Note("b"), 2 * HOUR)
    await commit.run(state)
    assert written == read_as("b")
    assert await answer(state, "GET", ONE) == b'{"text":"b"}'
    assert await answer(state, "TTL", ONE) == 7200


async def test_every_part_is_done(state: Connection) -> None:
    await Commit(TAG).create(ONE, Note("a")).create(TWO, Note("b")).run(state)
    job = msgspec.json.encode(JOB)
    async with state.subscribed("acmeproxy:outcomes") as messages:
        commit = Commit(TAG).require(TWO, read_as("b")).require_absent(f"{TAG}:three")
        commit.replace(ONE, read_as("a"), Note("c"))
        commit.put(f"{TAG}:raw", b"octets\x00\xff", HOUR).delete(TWO).rank(f"{TAG}:list", 7.5, "member")
        await commit.enqueue(JOB, START).tell("subject", Note("told")).run(state)
        assert await anext(messages) == b'subject {"text":"told"}'
    assert await answer(state, "GET", ONE) == b'{"text":"c"}'
    assert await answer(state, "GET", TWO) is None
    assert await answer(state, "GET", f"{TAG}:raw") == b"octets\x00\xff"
    assert await answer(state, "TTL", f"{TAG}:raw") == 3600
    assert await answer(state, "ZSCORE", f"{TAG}:list", "member") == b"7.5"
    assert await answer(state, "XLEN", f"{TAG}:jobs") == 1
    # A job that was enqueued is looked at again after half a minute, unless it is finished before.
    assert await answer(state, "ZSCORE", f"{TAG}:due", job) == b"1772366430"
    await Commit(TAG).finished(JOB).run(state)
    assert await answer(state, "ZSCORE", f"{TAG}:due", job) is None


@pytest.mark.parametrize("fault", ["other revision", "absent", "must be absent"])
async def test_a_stale_expectation_changes_nothing(fault: str, state: Connection) -> None:
    """STA-03, RED-09: documents, index entries, jobs and notifications stand or fall together."""
    await Commit(TAG).create(ONE, Note("a")).create(TWO, Note("b")).run(state)
    await answer(state, "ZADD", f"{TAG}:due", 1, msgspec.json.encode(JOB))
    before = await every_key(state)

    commit = Commit(TAG)
    commit.replace(ONE, read_as("a"), Note("new"))
    match fault:
        case "other revision":
            commit.require(TWO, read_as("not b"))
        case "absent":
            commit.require(f"{TAG}:three", read_as("c"))
        case _:
            commit.require_absent(TWO)
    commit.put(f"{TAG}:raw", b"x").delete(TWO).rank(f"{TAG}:list", 1, "m").finished(JOB)
    commit.enqueue(JOB, START).tell("subject", Note("told"))
    async with state.subscribed("acmeproxy:outcomes") as messages:
        with pytest.raises(StaleError):
            await commit.run(state)
        await answer(state, "PUBLISH", "acmeproxy:outcomes", "nothing before this")
        assert await anext(messages) == b"nothing before this"

    assert await every_key(state) == before


async def test_repeating_a_call_whose_answer_was_lost_is_no_second_transition(state: Connection) -> None:
    """K2, K4, K6: the very same call again is done, and enqueues nothing a second time."""
    await Commit(TAG).create(ONE, Note("a")).run(state)
    commit = Commit(TAG)
    commit.replace(ONE, read_as("a"), Note("b"))
    commit.create(TWO, Note("c")).enqueue(JOB, START)
    assert await state.write(commit.call()) == [1]
    after = await every_key(state)
    assert await state.write(commit.call()) == [2]
    await commit.run(state)
    assert await every_key(state) == after
    assert await answer(state, "XLEN", f"{TAG}:jobs") == 1


async def test_a_repeated_call_is_stale_once_somebody_else_went_on(state: Connection) -> None:
    await Commit(TAG).create(ONE, Note("a")).run(state)
    mine, theirs = Commit(TAG), Commit(TAG)
    mine.replace(ONE, read_as("a"), Note("mine"))
    await mine.run(state)
    theirs.replace(ONE, read_as("mine"), Note("theirs"))
    await theirs.run(state)
    with pytest.raises(StaleError):
        await mine.run(state)
    assert await answer(state, "GET", ONE) == b'{"text":"theirs"}'


async def test_half_of_what_is_to_be_written_being_there_is_not_done(state: Connection) -> None:
    await Commit(TAG).create(ONE, Note("a")).run(state)
    with pytest.raises(StaleError):
        await Commit(TAG).create(ONE, Note("a")).create(TWO, Note("b")).run(state)
    assert list(await every_key(state)) == [ONE]


async def test_a_transition_without_a_document_may_be_repeated(state: Connection) -> None:
    for _ in range(2):
        await Commit(TAG).finished(JOB).run(state)
        await Commit(TAG).look_at(JOB, START).run(state)
    assert await answer(state, "ZCARD", f"{TAG}:due") == 1


async def test_what_is_of_another_type_is_neither_absent_nor_written_over(state: Connection) -> None:
    """RED-08: an error is not an absence, and it comes before the first write."""
    await answer(state, "SADD", TWO, "member")
    with pytest.raises(StateAwayError, match="WRONGTYPE"):
        await Commit(TAG).create(ONE, Note("a")).require_absent(TWO).run(state)
    assert list(await every_key(state)) == [TWO]
