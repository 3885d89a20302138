"""Answered challenges are looked at until there is a verdict, which is written once (RFC 8555 §8.2)."""

import asyncio
from datetime import timedelta

import pytest

from acmeproxy.adapters.redis import keys
from acmeproxy.core.authorization import AuthorizationStatus
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.job import JobKind
from acmeproxy.core.problem import Problem, problem
from acmeproxy.core.reference import Reference
from acmeproxy.services.ports import Target
from acmeproxy.services.reports import Report
from tests.support.stored import SECOND, START, answer
from tests.support.workshop import Workshop, looking

WRONG = problem(Reference.HTTP01_CONTENT, "something else answers")
AWAY = problem(Reference.CONNECTION_FAILED, "nobody listens")
SERVER_INTERNAL = "urn:ietf:params:acme:error:serverInternal"


async def test_an_answer_that_is_in_place_makes_the_authorization_valid(workshop: Workshop) -> None:
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    challenge = (await workshop.authorization(owner, order)).challenges[0]
    report = await workshop.look(owner, order)
    assert (report.outcome, report.fields["attempt"]) == ("valid", "1")
    [target] = workshop.validator.seen
    assert (target.identifier.value, target.token) == ("www.alpha.example", challenge.token)
    assert target.key_authorization == challenge.key_authorization
    authorization = await workshop.authorization(owner, order)
    assert authorization.status(workshop.clock()) is AuthorizationStatus.VALID
    assert authorization.challenges[0].validated_at == START
    assert await workshop.due(owner) == {}


async def test_a_failed_look_is_told_and_repeated(workshop: Workshop) -> None:
    """CHL-12 (erratum 5732): the last error beside processing, and then valid."""
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    workshop.validator.sees(AWAY)
    workshop.validator.sees(WRONG)
    for attempt, (fault, pause) in enumerate(((AWAY, 2), (WRONG, 4)), 1):
        report = await workshop.look(owner, order)
        assert (report.outcome, report.fields["attempt"]) == ("again", str(attempt))
        challenge = (await workshop.authorization(owner, order)).challenges[0]
        assert (challenge.status, challenge.error) == (ChallengeStatus.PROCESSING, fault)
        assert await workshop.due(owner) == {JobKind.VALIDATE: pause}
        workshop.clock.move(timedelta(seconds=pause))
    assert (await workshop.look(owner, order)).outcome == "valid"
    challenge = (await workshop.authorization(owner, order)).challenges[0]
    assert (challenge.status, challenge.error, challenge.attempts) == (ChallengeStatus.VALID, None, 3)
    assert challenge.validated_at == START + timedelta(seconds=6)


async def test_after_the_last_look_it_is_invalid_with_the_last_error(workshop: Workshop) -> None:
    """CHL-13."""
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    workshop.validator.sees(AWAY, times=2)
    workshop.validator.sees(WRONG)
    assert [(await workshop.look(owner, order)).outcome for _ in range(3)] == ["again", "again", "invalid"]
    authorization = await workshop.authorization(owner, order)
    assert authorization.status(workshop.clock()) is AuthorizationStatus.INVALID
    assert authorization.error is not None
    assert (authorization.error.type, authorization.error.detail) == (WRONG.type, WRONG.detail)
    assert authorization.challenges[0].attempts == 3
    assert JobKind.VALIDATE not in await workshop.due(owner)
    assert await workshop.look(owner, order) == Report("dropped")
    assert len(workshop.validator.seen) == 3


@pytest.mark.parametrize("fault", [None, WRONG])
async def test_a_verdict_after_the_authorization_was_given_up_is_dropped(
    fault: Problem | None, workshop: Workshop
) -> None:
    """STA-06, VAL-09: given up while somebody looked."""
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)

    async def meanwhile(_: Target) -> Problem | None:
        await workshop.give_up(owner, order)
        return fault

    workshop.validator.script.append(meanwhile)
    assert await workshop.look(owner, order) == Report("overtaken")
    authorization = await workshop.authorization(owner, order)
    assert authorization.status(workshop.clock()) is AuthorizationStatus.DEACTIVATED
    assert authorization.challenges[0].status is ChallengeStatus.PROCESSING


@pytest.mark.parametrize("what", ["given up", "expired", "account closed", "settled"])
async def test_what_is_pending_no_more_is_not_looked_at(what: str, workshop: Workshop) -> None:
    """VAL-09, STA-06, ACC-09: and nobody is asked to look again."""
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    match what:
        case "given up":
            await workshop.give_up(owner, order)
        case "expired":
            workshop.clock.move(timedelta(hours=24))
        case "account closed":
            await workshop.close(owner)
        case _:
            await workshop.look(owner, order)
            workshop.validator.seen.clear()
    assert await workshop.look(owner, order) == Report("dropped")
    assert workshop.validator.seen == []
    assert JobKind.VALIDATE not in await workshop.due(owner)


async def test_what_is_not_answered_is_not_looked_at(workshop: Workshop) -> None:
    """VAL-01."""
    owner, order = await workshop.ordered(ChallengeStatus.PENDING)
    assert await workshop.look(owner, order) == Report("dropped")
    assert workshop.validator.seen == []


async def test_what_is_not_there_is_gone(workshop: Workshop) -> None:
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    await answer(workshop.state, "DEL", keys.authorization(owner, order.authorizations[0]))
    assert await workshop.look(owner, order) == Report("gone")


async def test_of_two_workers_that_look_at_once_one_verdict_is_written(workshop: Workshop) -> None:
    """K8: exactly one result, whoever is slower."""
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    both = asyncio.Barrier(2)

    async def passed(_: Target) -> None:
        await both.wait()

    async def failed(_: Target) -> Problem:
        await both.wait()
        return WRONG

    workshop.validator.script.extend([passed, failed])
    reports = await asyncio.gather(workshop.look(owner, order), workshop.look(owner, order))
    outcomes = [report.outcome for report in reports]
    assert outcomes in (["valid", "overtaken"], ["overtaken", "again"])
    challenge = (await workshop.authorization(owner, order)).challenges[0]
    written = {"valid": (ChallengeStatus.VALID, None), "again": (ChallengeStatus.PROCESSING, WRONG)}
    [winner] = set(outcomes) & set(written)
    assert (challenge.status, challenge.error, challenge.attempts) == (*written[winner], 1)


async def test_a_worker_that_is_killed_while_it_looks_costs_no_attempt(workshop: Workshop) -> None:
    """K7: our crash is no failed attempt."""
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    entered = asyncio.Event()

    async def killed(_: Target) -> None:
        entered.set()
        await asyncio.Event().wait()

    workshop.validator.script.append(killed)
    victim = asyncio.create_task(workshop.look(owner, order))
    await entered.wait()
    victim.cancel()
    assert await asyncio.gather(victim, return_exceptions=True)
    report = await workshop.look(owner, order)
    assert (report.outcome, report.fields["attempt"]) == ("valid", "1")


async def test_a_validator_that_breaks_ends_as_our_fault(workshop: Workshop) -> None:
    """VAL-12: after as many attempts as anything else, and never processing for ever."""
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    workshop.validator.breaks(RuntimeError("a fault of ours"), times=3)
    for _ in range(3):
        await workshop.dispatch(looking(owner, order))
    authorization = await workshop.authorization(owner, order)
    assert authorization.status(workshop.clock()) is AuthorizationStatus.INVALID
    assert authorization.error is not None
    assert (authorization.error.type, authorization.error.status) == (SERVER_INTERNAL, 500)
    assert "a fault of ours" not in authorization.error.detail
    assert await workshop.due(owner) == {}


async def test_a_validator_that_breaks_once_does_no_harm(workshop: Workshop) -> None:
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    workshop.validator.breaks(RuntimeError("a fault of ours"))
    await workshop.dispatch(looking(owner, order))
    assert await workshop.due(owner) == {JobKind.VALIDATE: 2}
    workshop.clock.move(2 * SECOND)
    await workshop.dispatch(looking(owner, order))
    authorization = await workshop.authorization(owner, order)
    assert authorization.status(workshop.clock()) is AuthorizationStatus.VALID


async def test_a_method_that_is_offered_no_more_ends_as_our_fault(workshop: Workshop) -> None:
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    document = await answer(workshop.state, "GET", keys.authorization(owner, order.authorizations[0]))
    assert isinstance(document, bytes)
    other = document.replace(b'"http-01"', b'"dns-01"')
    assert other != document
    await answer(workshop.state, "SET", keys.authorization(owner, order.authorizations[0]), other)
    for _ in range(3):
        await workshop.look(owner, order)
    authorization = await workshop.authorization(owner, order)
    assert authorization.error is not None
    assert authorization.error.type == SERVER_INTERNAL
    assert workshop.validator.seen == []


async def test_a_verdict_wakes_whoever_waits_for_it(workshop: Workshop) -> None:
    owner, order = await workshop.ordered(ChallengeStatus.PROCESSING)
    async with workshop.state.subscribed("acmeproxy:outcomes") as messages:
        await workshop.look(owner, order)
        message = await anext(messages)
    assert message.startswith(order.authorizations[0].encode() + b" ")
