"""Every transition of an authorization, and no way out of its ends (A13: AS-1..AS-11, AUZ-03..06, CHL-18)."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.challenge import Challenge, ChallengeStatus, ChallengeType
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.ids import AccountId, AuthorizationId, OrderId
from acmeproxy.core.problem import problem
from acmeproxy.core.reference import Reference

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPIRES = NOW + timedelta(days=1)
JUST_BEFORE = EXPIRES - timedelta(microseconds=1)
FAULT = problem(Reference.HTTP01_CONTENT, "the response is not the key authorization")
HTTP, DNS = ChallengeType.HTTP01, ChallengeType.DNS01
Status = AuthorizationStatus


def answered(kind: ChallengeType) -> Challenge:
    return Challenge(kind, "token").answer("token.thumbprint", NOW)


PENDING = Authorization(
    id=AuthorizationId("authz"),
    account_id=AccountId("account"),
    order_id=OrderId("order"),
    identifier=Identifier(IdentifierType.DNS, "a.example"),
    expires=EXPIRES,
    challenges=(answered(HTTP), answered(DNS)),
)
VALID = PENDING.replace_challenge(answered(HTTP).conclude(None, NOW))
INVALID = PENDING.replace_challenge(answered(HTTP).conclude(FAULT, NOW))
REVOKED = msgspec.structs.replace(PENDING, revoked_at=NOW)


@pytest.mark.parametrize(
    ("authorization", "when", "expected"),
    [
        pytest.param(PENDING, NOW, Status.PENDING, id="AS-1"),
        pytest.param(VALID, NOW, Status.VALID, id="AS-3"),
        pytest.param(INVALID, NOW, Status.INVALID, id="AS-4, AUZ-06"),
        pytest.param(PENDING.deactivate(NOW), NOW, Status.DEACTIVATED, id="AS-5"),
        pytest.param(PENDING, JUST_BEFORE, Status.PENDING, id="AS-6 before"),
        pytest.param(PENDING, EXPIRES, Status.EXPIRED, id="AS-6"),
        pytest.param(REVOKED, NOW, Status.REVOKED, id="AS-7"),
        pytest.param(VALID.deactivate(NOW), NOW, Status.DEACTIVATED, id="AS-8"),
        pytest.param(VALID, JUST_BEFORE, Status.VALID, id="AS-9 before"),
        pytest.param(VALID, EXPIRES, Status.EXPIRED, id="AS-9"),
        pytest.param(msgspec.structs.replace(VALID, revoked_at=NOW), NOW, Status.REVOKED, id="AS-10"),
        # AS-11: ends are ends, whatever comes after.
        pytest.param(INVALID, EXPIRES, Status.INVALID, id="AS-11 invalid"),
        pytest.param(VALID.deactivate(NOW), EXPIRES, Status.DEACTIVATED, id="AS-11 deactivated"),
        pytest.param(REVOKED, EXPIRES, Status.REVOKED, id="AS-11 revoked"),
    ],
)
def test_the_status_is_what_happened(authorization: Authorization, when: datetime, expected: Status) -> None:
    assert authorization.status(when) is expected


@pytest.mark.parametrize("verdict", [None, FAULT], ids=["success", "failure"])
@pytest.mark.parametrize("late", [EXPIRES, EXPIRES + timedelta(days=9)])
def test_a_verdict_after_the_end_changes_nothing(verdict: object, late: datetime) -> None:
    """AS-11: expired stays expired, at that moment and later."""
    fault = FAULT if verdict else None
    settled = PENDING.replace_challenge(answered(HTTP).conclude(fault, late))

    assert settled.status(late) is Status.EXPIRED
    assert settled.status(late + timedelta(days=1)) is Status.EXPIRED


def test_a_verdict_after_deactivation_changes_nothing() -> None:
    """AS-11, ACC-09."""
    given_up = PENDING.deactivate(NOW)

    for fault in (None, FAULT):
        late = given_up.replace_challenge(answered(HTTP).conclude(fault, NOW))
        assert late.status(NOW) is Status.DEACTIVATED


def test_a_failure_without_its_moment_counts_as_one_in_time() -> None:
    """Documents of the first version have no `failed_at`."""
    old = msgspec.structs.replace(answered(HTTP).conclude(FAULT, NOW), failed_at=None)

    assert PENDING.replace_challenge(old).status(EXPIRES) is Status.INVALID


def test_the_first_success_wins() -> None:
    """CHL-18: a late failure of another challenge must not flip it."""
    late = VALID.replace_challenge(answered(DNS).conclude(FAULT, NOW))

    assert late is VALID
    assert late.error is None


def test_the_first_failure_wins() -> None:
    """AS-11, AUZ-06: a late success of another challenge opens nothing."""
    late = INVALID.replace_challenge(answered(DNS).conclude(None, NOW))

    assert late is INVALID
    assert late.status(NOW) is Status.INVALID


def test_an_attempt_that_will_be_repeated_leaves_it_pending() -> None:
    """AUZ-03: processing is a state of challenges only."""
    trying = PENDING.replace_challenge(answered(HTTP).failed_once(FAULT))

    assert trying.status(NOW) is Status.PENDING
    assert trying.error is None
    assert "processing" not in {status.value for status in Status}


@pytest.mark.parametrize(
    ("authorization", "when", "expected"),
    [
        pytest.param(PENDING, NOW, [HTTP, DNS], id="pending"),
        pytest.param(VALID, NOW, [HTTP], id="valid"),
        pytest.param(INVALID, NOW, [HTTP], id="invalid"),
        pytest.param(VALID, EXPIRES, [HTTP, DNS], id="expired"),
        pytest.param(PENDING.deactivate(NOW), NOW, [HTTP, DNS], id="deactivated"),
    ],
)
def test_the_challenge_that_decided_is_shown(
    authorization: Authorization, when: datetime, expected: list[ChallengeType]
) -> None:
    """AUZ-04, AUZ-05."""
    assert [challenge.type for challenge in authorization.shown(when)] == expected


def test_the_reason_is_the_failed_challenges() -> None:
    assert INVALID.error == FAULT
    assert PENDING.error is None
    assert VALID.error is None


@pytest.mark.parametrize(
    ("authorization", "when"),
    [
        pytest.param(PENDING, EXPIRES, id="expired"),
        pytest.param(INVALID, NOW, id="invalid"),
        pytest.param(REVOKED, NOW, id="revoked"),
        pytest.param(PENDING.deactivate(NOW), EXPIRES, id="deactivated"),
    ],
)
def test_what_has_ended_is_not_given_up(authorization: Authorization, when: datetime) -> None:
    """AUZ-10."""
    assert authorization.deactivate(when) is authorization


def test_a_challenge_in_the_same_state_changes_nothing() -> None:
    assert PENDING.replace_challenge(answered(HTTP)) is PENDING


def test_challenges_are_found_by_type_and_keep_their_places() -> None:
    assert PENDING.challenge(DNS) == answered(DNS)
    assert PENDING.challenge(ChallengeType.TLSALPN01) is None
    assert [challenge.type for challenge in VALID.challenges] == [HTTP, DNS]
    assert VALID.challenges[1].status is ChallengeStatus.PROCESSING
