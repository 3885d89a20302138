"""Rate limits: how much of what, for whom, and since when it was spent (RFC 8555 §6.6).

A limit is a bucket that holds `burst` and is filled evenly in `period` (GCRA): nobody has to wait for a
window to end, and how long there is to wait can be told to the microsecond.
"""

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from acmeproxy.core.problem import AcmeError, problem
from acmeproxy.core.reference import Reference

_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_UNITS: Final = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


class LimitName(enum.StrEnum):
    """What is limited, and for whom; also the name of the setting."""

    NEW_ACCOUNTS_PER_TENANT = "new_accounts_per_tenant"
    NEW_ACCOUNTS_PER_EAB_KEY = "new_accounts_per_eab_key"
    NEW_ORDERS_PER_ACCOUNT = "new_orders_per_account"
    NEW_ORDERS_PER_TENANT = "new_orders_per_tenant"
    NEW_ORDERS_PER_EAB_KEY = "new_orders_per_eab_key"
    NEW_ORDERS_PER_NAME = "new_orders_per_name"
    CHALLENGE_ANSWERS_PER_ACCOUNT = "challenge_answers_per_account"
    FAILED_VALIDATIONS_PER_NAME = "failed_validations_per_name"


class Limit(msgspec.Struct, frozen=True):
    """`burst` at once, and as many again in every `period`; its text is `300/3h`."""

    burst: int
    period: timedelta

    def __str__(self) -> str:
        return f"{self.burst}/{self.period_text}"

    @property
    def period_text(self) -> str:
        """The period in its largest whole unit: `3h`, `90s`."""
        unit = next((name for name, length in _UNITS.items() if not self.period % length), "s")
        return f"{self.period / _UNITS.get(unit, _SECOND):g}{unit}"

    @property
    def interval(self) -> int:
        """Microseconds until one that was spent is there again, rounded up."""
        return -(-(self.period // _MICROSECOND) // self.burst)

    @property
    def tolerance(self) -> int:
        """Microseconds until all that was spent is there again."""
        return self.interval * self.burst


class Allowance(msgspec.Struct, frozen=True):
    """A tenant's limits. What is not in `limits`, or is `None` in `overrides`, is not limited.

    `overrides` hold other limits for some subjects: account ids, kids of EAB keys, or names.
    """

    limits: Mapping[LimitName, Limit] = msgspec.field(default_factory=lambda: DEFAULTS)
    overrides: Mapping[LimitName, Mapping[str, Limit | None]] = {}

    def limit(self, name: LimitName, subject: str) -> Limit | None:
        """Return the limit of one subject."""
        own = self.overrides.get(name, {})
        return own[subject] if subject in own else self.limits.get(name)


class Use(enum.StrEnum):
    """What is done with a budget."""

    TAKE = "take"
    """Spend one, or refuse."""
    LOOK = "look"
    """Refuse if one could not be spent; spend nothing."""
    CHARGE = "charge"
    """Spend one, whatever is left: it has happened already."""
    CLEAR = "clear"
    """Forget what was spent."""


class Spend(msgspec.Struct, frozen=True):
    """What one request does with one budget: that of `subject`, of which `limit` is the size."""

    name: LimitName
    subject: str
    limit: Limit
    at: datetime
    use: Use = Use.TAKE


class LimitReachedError(Exception):
    """A budget does not hold what was asked of it, and nothing was spent; after `wait` it will."""

    def __init__(self, spend: Spend, wait: timedelta) -> None:
        super().__init__(f"{spend.name} of {spend.subject} is spent for {wait}")
        self.spend = spend
        self.wait = wait


def refusal(reached: LimitReachedError, website: str | None) -> AcmeError:
    """Return what the client is told: which limit it was, and when to come back (RFC 8555 §6.6).

    Args:
        reached: What was refused.
        website: Where people find help.
    """
    spend, wait = reached.spend, reached.wait
    # Both are rounded up: who comes at the time that was told is served.
    seconds = max(1, -(-wait // _SECOND))
    moment = spend.at + wait
    moment += -timedelta(microseconds=moment.microsecond) % _SECOND
    when = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    if spend.name is LimitName.FAILED_VALIDATIONS_PER_NAME:
        reference, text = Reference.PAUSED, _paused(spend, when)
    else:
        reference, text = Reference.RATE_LIMITED, _reached(spend, when)
    links = ((website, "help"),) if website else ()
    return AcmeError(problem(reference, text), retry_after=seconds, link=links)


def _reached(spend: Spend, when: str) -> str:
    limit = spend.limit
    what, whose = _TEXTS[spend.name]
    return (
        f"{limit.burst} {what} in {limit.period_text} reached for {whose.format(spend.subject)}, "
        f"next one at {when}"
    )


def _paused(spend: Spend, when: str) -> str:
    return (
        f"repair {spend.subject} first, next try at {when}: it is paused for this account after "
        f"{spend.limit.burst} failed validations without a successful one"
    )


_TEXTS: Final = {
    LimitName.NEW_ACCOUNTS_PER_TENANT: ("new accounts", "tenant {}"),
    LimitName.NEW_ACCOUNTS_PER_EAB_KEY: ("new accounts", "EAB key {}"),
    LimitName.NEW_ORDERS_PER_ACCOUNT: ("new orders", "this account"),
    LimitName.NEW_ORDERS_PER_TENANT: ("new orders", "tenant {}"),
    LimitName.NEW_ORDERS_PER_EAB_KEY: ("new orders", "EAB key {}"),
    LimitName.NEW_ORDERS_PER_NAME: ("new orders", "{}"),
    LimitName.CHALLENGE_ANSWERS_PER_ACCOUNT: ("challenge answers", "this account"),
}

#: Those of an account cost no round trip of their own; the others do, so they are off but for new accounts,
#: without which all that is limited by account would not be limited at all.
DEFAULTS: Final[Mapping[LimitName, Limit]] = {
    LimitName.NEW_ACCOUNTS_PER_TENANT: Limit(1000, timedelta(hours=1)),
    LimitName.NEW_ORDERS_PER_ACCOUNT: Limit(1000, timedelta(hours=1)),
    LimitName.CHALLENGE_ANSWERS_PER_ACCOUNT: Limit(10_000, timedelta(hours=1)),
    LimitName.FAILED_VALIDATIONS_PER_NAME: Limit(30, timedelta(hours=6)),
}
