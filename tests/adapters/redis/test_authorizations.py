"""Authorizations by themselves, and certificates that nobody was given."""

import asyncio
import hashlib
from datetime import timedelta

import msgspec
import pytest

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.authorizations import RedisAuthorizations
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.adapters.redis.surplus import RedisSurplus
from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.problem import problem
from acmeproxy.core.reference import Reference
from acmeproxy.services.stores import Owner, StaleError, Stored, Undelivered
from tests.support.stored import SECOND, START, SetClock, answer, every_key, new_order, stored_account

FAULT = problem(Reference.HTTP01_CONTENT, "something else answers")


async def placed(
    state: Connection, status: ChallengeStatus
) -> tuple[Owner, RedisAuthorizations, Stored[Authorization]]:
    owner, _ = await stored_account(state)
    order, authorizations = new_order(owner, status=status)
    await RedisOrders(state, SetClock()).create(owner, order, authorizations)
    store = RedisAuthorizations(state, SetClock())
    loaded = await store.load(owner, authorizations[0].id)
    assert loaded is not None
    return owner, store, loaded[1]


def job(owner: Owner, authorization: Authorization) -> bytes:
    return msgspec.json.encode(
        {"kind": "validate", "tenant": "alpha", "account": owner.account, "subject": authorization.id}
    )


async def due(state: Connection, owner: Owner) -> object:
    return await answer(state, "ZRANGE", f"{keys.tag(owner)}:due", 0, -1, "WITHSCORES")


async def test_an_answered_challenge_is_written_with_its_job(state: Connection) -> None:
    """K6: never one without the other."""
    owner, store, seen = await placed(state, ChallengeStatus.PENDING)
    challenge = seen.value.challenges[0].answer("token.thumbprint", START)
    answered = seen.value.replace_challenge(challenge)
    await store.answer(owner, seen, answered)
    loaded = await store.load(owner, answered.id)
    assert loaded is not None
    assert loaded[1].value == answered
    entries = await answer(state, "XRANGE", f"{keys.tag(owner)}:jobs", "-", "+")
    assert isinstance(entries, list)
    assert [fields for _, fields in entries] == [[b"job", job(owner, answered)]]
    assert await due(state, owner) == [job(owner, answered), b"1772366430"]
    # Kept for as long as a certificate that it may lead to: 24 hours and 800 days.
    assert await answer(state, "TTL", keys.authorization(owner, answered.id)) == 801 * 86400


async def test_of_twenty_answers_at_once_one_counts(state: Connection) -> None:
    """CHL-18."""
    owner, store, seen = await placed(state, ChallengeStatus.PENDING)
    wishes = [
        seen.value.replace_challenge(seen.value.challenges[0].answer(f"token.{n}", START)) for n in range(20)
    ]
    ends = await asyncio.gather(*(store.answer(owner, seen, wish) for wish in wishes), return_exceptions=True)
    assert [type(end) for end in ends].count(StaleError) == 19
    assert await answer(state, "XLEN", f"{keys.tag(owner)}:jobs") == 1


async def test_a_failed_attempt_is_written_with_the_next_look(state: Connection) -> None:
    """CHL-12: what failed is there to be read, and no second job is in the stream before its time."""
    owner, store, seen = await placed(state, ChallengeStatus.PROCESSING)
    failed = seen.value.replace_challenge(seen.value.challenges[0].failed_once(FAULT))
    await store.retry(owner, seen, failed, START + timedelta(seconds=4))
    loaded = await store.load(owner, failed.id)
    assert loaded is not None
    assert loaded[1].value.challenges[0].error == FAULT
    assert await due(state, owner) == [job(owner, failed), b"1772366404"]
    assert await answer(state, "EXISTS", f"{keys.tag(owner)}:jobs") == 0


async def test_a_verdict_after_the_authorization_was_given_up_is_stale(state: Connection) -> None:
    """STA-06, VAL-09, K8."""
    owner, store, seen = await placed(state, ChallengeStatus.PROCESSING)
    await store.conclude(owner, seen, seen.value.deactivate(START + SECOND))
    before = await every_key(state)
    passed = seen.value.replace_challenge(seen.value.challenges[0].conclude(None, START))
    failed = seen.value.replace_challenge(seen.value.challenges[0].failed_once(FAULT))
    with pytest.raises(StaleError):
        await store.conclude(owner, seen, passed)
    with pytest.raises(StaleError):
        await store.retry(owner, seen, failed, START)
    assert await every_key(state) == before
    loaded = await store.load(owner, seen.value.id)
    assert loaded is not None
    assert loaded[1].value.status(START) is AuthorizationStatus.DEACTIVATED


async def test_a_verdict_ends_the_looking(state: Connection) -> None:
    owner, store, seen = await placed(state, ChallengeStatus.PROCESSING)
    failed = seen.value.replace_challenge(seen.value.challenges[0].failed_once(FAULT))
    await store.retry(owner, seen, failed, START)
    loaded = await store.load(owner, failed.id)
    assert loaded is not None
    passed = failed.replace_challenge(failed.challenges[0].conclude(None, START))
    await store.conclude(owner, loaded[1], passed)
    assert await due(state, owner) == []


async def test_what_is_dropped_stays_as_it_is(state: Connection) -> None:
    owner, store, seen = await placed(state, ChallengeStatus.PROCESSING)
    await store.retry(
        owner, seen, seen.value.replace_challenge(seen.value.challenges[0].failed_once(FAULT)), START
    )
    loaded = await store.load(owner, seen.value.id)
    await store.drop(owner, seen.value)
    assert await due(state, owner) == []
    assert await store.load(owner, seen.value.id) == loaded


async def test_nothing_is_found_of_another_owner(state: Connection) -> None:
    """INV-3."""
    _, store, seen = await placed(state, ChallengeStatus.PENDING)
    stranger, _ = await stored_account(state)
    assert await store.load(stranger, seen.value.id) is None


async def test_a_surplus_certificate_is_kept_once_until_it_is_revoked(
    state: Connection, clock: SetClock
) -> None:
    """INV-5: added twice it is there once, with one job, and stays until it is removed."""
    owner, _ = await stored_account(state)
    surplus = RedisSurplus(state, clock)
    certificate = b"\x30\x00der"
    subject = hashlib.sha256(certificate).hexdigest()
    await surplus.add(owner, certificate, "pki-old")
    await surplus.add(owner, certificate, "pki-old")
    assert await surplus.get(owner, subject) == Undelivered(certificate, "pki-old")
    assert await answer(state, "XLEN", f"{keys.tag(owner)}:jobs") == 1
    assert await answer(state, "TTL", f"{keys.tag(owner)}:surplus:{owner.account}:{subject}") == -1
    expected = {"kind": "revoke-surplus", "tenant": "alpha", "account": owner.account, "subject": subject}
    assert await due(state, owner) == [msgspec.json.encode(expected), b"1772366430"]

    await surplus.remove(owner, subject)
    await surplus.remove(owner, subject)
    assert await surplus.get(owner, subject) is None
    assert await due(state, owner) == []
