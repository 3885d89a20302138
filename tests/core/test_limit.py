"""Limits and what clients are told of them (RFC 8555 §6.6; RAT-07, PRB-10)."""

from datetime import UTC, datetime, timedelta

import pytest

from acmeproxy.core.limit import Allowance, Limit, LimitName, LimitReachedError, Spend, refusal

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
NOW = datetime(2026, 11, 23, 21, 6, 35, tzinfo=UTC)


def reached(
    wait: timedelta,
    name: LimitName = LimitName.NEW_ORDERS_PER_ACCOUNT,
    subject: str = "0123",
    limit: Limit = Limit(300, 3 * HOUR),  # noqa: B008 - a frozen value
    now: datetime = NOW,
) -> LimitReachedError:
    return LimitReachedError(Spend(name, subject, limit, now), wait)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (Limit(300, 3 * HOUR), "300/3h"),
        (Limit(1, 24 * HOUR), "1/1d"),
        (Limit(5, timedelta(seconds=90)), "5/90s"),
        (Limit(5, timedelta(minutes=90)), "5/90m"),
    ],
)
def test_a_limit_has_the_text_of_its_setting(limit: Limit, text: str) -> None:
    assert str(limit) == text


def test_what_one_costs_is_rounded_up_so_that_no_more_fit_than_are_promised() -> None:
    assert (Limit(300, 3 * HOUR).interval, Limit(300, 3 * HOUR).tolerance) == (36_000_000, 10_800_000_000)
    assert (Limit(7, SECOND).interval, Limit(7, SECOND).tolerance) == (142_858, 1_000_006)


def test_the_text_tells_which_limit_it_was_and_when_to_come_back() -> None:
    """RAT-07, PRB-10, NOR-15."""
    error = refusal(reached(37 * SECOND), None)

    assert error.problem.type == "urn:ietf:params:acme:error:rateLimited"
    assert error.problem.status == 429
    assert error.problem.detail == (
        "300 new orders in 3h reached for this account, next one at 2026-11-23 21:07:12 UTC "
        "[ref RATE-LIMITED]"
    )
    assert error.retry_after == 37
    assert error.link == ()


def test_a_website_is_where_help_is() -> None:
    """RFC 8555 §6.6."""
    error = refusal(reached(SECOND), "https://wiki.example/acme")
    assert error.link == (("https://wiki.example/acme", "help"),)


@pytest.mark.parametrize(
    ("wait", "seconds", "at"),
    [
        (MICROSECOND, 1, "21:06:36"),
        (SECOND - MICROSECOND, 1, "21:06:36"),
        (SECOND, 1, "21:06:36"),
        (SECOND + MICROSECOND, 2, "21:06:37"),
        (25 * SECOND, 25, "21:07:00"),
    ],
)
def test_times_are_rounded_up(wait: timedelta, seconds: int, at: str) -> None:
    """RAT-07: whole seconds, at least one, and whoever comes back then is served."""
    error = refusal(reached(wait), None)
    assert error.retry_after == seconds
    assert f"next one at 2026-11-23 {at} UTC " in error.problem.detail


def test_the_moment_is_rounded_up_as_a_whole() -> None:
    error = refusal(reached(timedelta(seconds=1.6), now=NOW + timedelta(seconds=0.5)), None)
    assert error.retry_after == 2
    assert "next one at 2026-11-23 21:06:38 UTC " in error.problem.detail


@pytest.mark.parametrize(
    ("name", "subject", "text"),
    [
        (
            LimitName.NEW_ACCOUNTS_PER_TENANT,
            "payments",
            "300 new accounts in 3h reached for tenant payments,",
        ),
        (LimitName.NEW_ACCOUNTS_PER_EAB_KEY, "eab_1", "300 new accounts in 3h reached for EAB key eab_1,"),
        (LimitName.NEW_ORDERS_PER_TENANT, "payments", "300 new orders in 3h reached for tenant payments,"),
        (LimitName.NEW_ORDERS_PER_EAB_KEY, "eab_1", "300 new orders in 3h reached for EAB key eab_1,"),
        (LimitName.NEW_ORDERS_PER_NAME, "a.example", "300 new orders in 3h reached for a.example,"),
        (
            LimitName.CHALLENGE_ANSWERS_PER_ACCOUNT,
            "0",
            "300 challenge answers in 3h reached for this account,",
        ),
    ],
)
def test_every_limit_has_its_words(name: LimitName, subject: str, text: str) -> None:
    assert refusal(reached(SECOND, name, subject), None).problem.detail.startswith(text)


def test_a_paused_name_says_what_ends_the_pause() -> None:
    """RAT-08: what to do stands first."""
    failures = reached(60 * SECOND, LimitName.FAILED_VALIDATIONS_PER_NAME, "old.example", Limit(30, 6 * HOUR))
    assert refusal(failures, None).problem.detail == (
        "repair old.example first, next try at 2026-11-23 21:07:35 UTC: it is paused for this account after "
        "30 failed validations without a successful one [ref PAUSED]"
    )


def test_an_override_is_for_its_subject_only() -> None:
    name, usual, more = LimitName.NEW_ORDERS_PER_ACCOUNT, Limit(1, HOUR), Limit(9, HOUR)
    allowance = Allowance({name: usual}, {name: {"big": more, "free": None}})

    assert allowance.limit(name, "small") == usual
    assert allowance.limit(name, "big") == more
    assert allowance.limit(name, "free") is None
    assert allowance.limit(LimitName.NEW_ORDERS_PER_NAME, "big") is None


def test_what_costs_no_round_trip_is_limited_by_itself() -> None:
    """The path of an order that nobody configured has two round trips; accounts are limited all the same."""
    assert {name: str(limit) for name, limit in Allowance().limits.items()} == {
        "new_accounts_per_tenant": "1000/1h",
        "new_orders_per_account": "1000/1h",
        "challenge_answers_per_account": "10000/1h",
        "failed_validations_per_name": "30/6h",
    }
