"""A challenge goes one way: pending, processing, then valid or invalid for good (A14: CHL-08..15)."""

from datetime import UTC, datetime, timedelta

import pytest

from acmeproxy.core.challenge import Challenge, ChallengeStatus, ChallengeType, fitting, key_authorization
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.problem import problem
from acmeproxy.core.reference import Reference

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
FAULT = problem(Reference.DNS_FAILED, "no such name")
OTHER_FAULT = problem(Reference.CONNECTION_FAILED, "connection refused")

PENDING = Challenge(ChallengeType.HTTP01, "token")
PROCESSING = PENDING.answer("token.thumbprint", NOW)
VALID = PROCESSING.conclude(None, LATER)
INVALID = PROCESSING.conclude(FAULT, LATER)


def test_the_key_authorization_of_the_rfc() -> None:
    """CHL-15: RFC 8555 §8.3."""
    assert (
        key_authorization(
            "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0", "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
        )
        == "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
    )


def test_a_new_challenge_is_pending() -> None:
    assert (PENDING.status, PENDING.attempts, PENDING.error) == (ChallengeStatus.PENDING, 0, None)


def test_an_answer_makes_it_processing() -> None:
    """CHL-08; CHL-15: the key of that moment is what counts."""
    assert (PROCESSING.status, PROCESSING.key_authorization, PROCESSING.answered_at) == (
        ChallengeStatus.PROCESSING,
        "token.thumbprint",
        NOW,
    )
    assert PROCESSING.token == "token"


def test_a_success_makes_it_valid() -> None:
    assert (VALID.status, VALID.validated_at, VALID.error) == (ChallengeStatus.VALID, LATER, None)
    assert VALID.attempts == 1


def test_a_failure_makes_it_invalid() -> None:
    """CHL-13."""
    assert (INVALID.status, INVALID.error, INVALID.failed_at) == (ChallengeStatus.INVALID, FAULT, LATER)
    assert INVALID.validated_at is None


def test_an_attempt_that_failed_is_told_and_repeated() -> None:
    """CHL-12: an error beside processing, never back to pending."""
    once = PROCESSING.failed_once(FAULT)
    twice = once.failed_once(OTHER_FAULT)

    assert (once.status, once.error, once.attempts) == (ChallengeStatus.PROCESSING, FAULT, 1)
    assert (twice.status, twice.error, twice.attempts) == (ChallengeStatus.PROCESSING, OTHER_FAULT, 2)
    assert twice.key_authorization == "token.thumbprint"


def test_a_success_forgets_the_failures_before_it() -> None:
    """PRB-12: an error in a valid challenge would be taken for one."""
    valid = PROCESSING.failed_once(FAULT).conclude(None, LATER)

    assert (valid.status, valid.error, valid.failures) == (ChallengeStatus.VALID, None, ())


def test_the_last_failure_keeps_those_before_it() -> None:
    invalid = PROCESSING.failed_once(OTHER_FAULT).failed_once(FAULT).conclude(OTHER_FAULT, LATER)

    assert invalid.error is not None
    assert invalid.error.detail == OTHER_FAULT.detail
    assert invalid.error.subproblems == (OTHER_FAULT, FAULT)
    assert invalid.attempts == 3


def test_no_more_than_ten_failures_are_kept() -> None:
    challenge = PROCESSING
    for _ in range(25):
        challenge = challenge.failed_once(FAULT)

    assert len(challenge.failures) == 10
    assert challenge.attempts == 25


def test_an_attempt_without_a_verdict_counts_for_nothing() -> None:
    undecided = PROCESSING.undecided(FAULT)

    assert (undecided.status, undecided.error, undecided.attempts) == (ChallengeStatus.PROCESSING, FAULT, 0)


@pytest.mark.parametrize("challenge", [PROCESSING, VALID, INVALID], ids=lambda challenge: challenge.status)
def test_an_answer_is_taken_once(challenge: Challenge) -> None:
    """CHL-09, CHL-10: another key's answer, or the same again, changes nothing."""
    assert challenge.answer("token.other", LATER) is challenge


@pytest.mark.parametrize("challenge", [PENDING, VALID, INVALID], ids=lambda challenge: challenge.status)
def test_only_a_processing_challenge_is_settled(challenge: Challenge) -> None:
    assert challenge.conclude(None, LATER) is challenge
    assert challenge.conclude(OTHER_FAULT, LATER) is challenge
    assert challenge.failed_once(OTHER_FAULT) is challenge
    assert challenge.undecided(OTHER_FAULT) is challenge


ALL = tuple(ChallengeType)
HTTP, ALPN = ChallengeType.HTTP01, ChallengeType.TLSALPN01
BY_DNS = (ChallengeType.DNS01, ChallengeType.DNSACCOUNT01, ChallengeType.DNSPERSIST01)


@pytest.mark.parametrize(
    ("identifier", "offered", "expected"),
    [
        (Identifier(IdentifierType.DNS, "a.example"), ALL, ALL),
        (Identifier(IdentifierType.DNS, "a.example"), (ALPN, HTTP), (ALPN, HTTP)),
        (Identifier(IdentifierType.DNS, "*.a.example"), ALL, BY_DNS),
        (Identifier(IdentifierType.DNS, "*.a.example"), (HTTP, ALPN), ()),
        (Identifier(IdentifierType.IP, "192.0.2.1"), ALL, (HTTP, ALPN)),
        (Identifier(IdentifierType.IP, "2001:db8::1"), BY_DNS, ()),
        # The owner name of a record must fit into 253 characters too.
        (Identifier(IdentifierType.DNS, "a." * 118 + "a"), ALL, (HTTP, ChallengeType.DNS01, ALPN)),
        (Identifier(IdentifierType.DNS, "a." * 118 + "ab"), ALL, (HTTP, ALPN)),
        (Identifier(IdentifierType.DNS, "*." + "a." * 118 + "a"), ALL, (ChallengeType.DNS01,)),
        (Identifier(IdentifierType.DNS, "a.example"), (), ()),
    ],
    ids=lambda value: value.value[:14] if isinstance(value, Identifier) else None,
)
def test_a_name_is_offered_what_can_prove_it(
    identifier: Identifier, offered: tuple[ChallengeType, ...], expected: tuple[ChallengeType, ...]
) -> None:
    """IDN-12, IDN-14: wildcards by DNS only, addresses never."""
    assert fitting(identifier, offered) == expected
