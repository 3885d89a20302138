"""Who pays what, when, and who is exempt (RFC 8555 §6.6; RAT-05, RAT-08)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.limits import RedisLimits
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.limit import Allowance, Limit, LimitName, Use
from acmeproxy.core.problem import AcmeError, problem
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.authentication import Principal
from acmeproxy.services.limiting import Limiting
from acmeproxy.services.stores import Admitted, Owner, StateAwayError, Stored
from tests.support.refusals import refused
from tests.support.stored import OTHER_TENANT, TENANT, SetClock, new_account

HOUR = timedelta(hours=1)
ONE = Limit(1, HOUR)
NAME = Identifier(IdentifierType.DNS, "www.alpha.example")
OTHER = Identifier(IdentifierType.DNS, "*.alpha.example")


def tenant(allowance: Allowance) -> Tenant:
    return Tenant(TENANT, VaultPlace("pki", "web"), Names(("*",)), limits=allowance)


def principal() -> Principal:
    owner, account = new_account()
    return Principal(owner, Stored(account, ""), b"", Admitted(None))


def limiting(state: Connection, one: Tenant, clock: SetClock) -> Limiting:
    return Limiting(RedisLimits(state), {TENANT: one}, clock)


@pytest_asyncio.fixture
async def nobody() -> AsyncIterator[Connection]:
    """Connect to a store that is away."""
    async with connect("redis://127.0.0.1:1/0", None, timedelta(seconds=1), Durability.NONE) as connection:
        yield connection


async def test_an_accounts_own_budgets_cost_no_round_trip(nobody: Connection, clock: SetClock) -> None:
    """What the transition has yet to pay is handed to it: nothing was asked of the store."""
    who, usual = principal(), tenant(Allowance())
    limits = limiting(nobody, usual, clock)

    order = await limits.spend_new_order(usual, who, (NAME, OTHER))

    assert [(one.name, one.subject, one.use) for one in order] == [
        (LimitName.NEW_ORDERS_PER_ACCOUNT, who.owner.account, Use.TAKE),
        (LimitName.FAILED_VALIDATIONS_PER_NAME, "www.alpha.example", Use.LOOK),
        (LimitName.FAILED_VALIDATIONS_PER_NAME, "*.alpha.example", Use.LOOK),
    ]
    assert {one.at for one in order} == {clock.now}
    answer = limits.spend_answer(who.owner)
    assert [one.name for one in answer] == [LimitName.CHALLENGE_ANSWERS_PER_ACCOUNT]


async def test_without_the_store_nothing_new_is_made(nobody: Connection, clock: SetClock) -> None:
    """RAT-05: fail closed; the web answers 503."""
    strict = tenant(Allowance({LimitName.NEW_ACCOUNTS_PER_TENANT: ONE, LimitName.NEW_ORDERS_PER_TENANT: ONE}))
    limits = limiting(nobody, strict, clock)
    with pytest.raises(StateAwayError):
        await limits.spend_new_account(strict)
    with pytest.raises(StateAwayError):
        await limits.spend_new_order(strict, principal(), (NAME,))


async def test_a_renewal_is_exempt_but_from_the_pause(state: Connection, clock: SetClock) -> None:
    """RFC 9773 §5: it passes every limit of orders; a name that only fails stays paused (RAT-08)."""
    strict = tenant(
        Allowance(
            {
                LimitName.NEW_ORDERS_PER_ACCOUNT: ONE,
                LimitName.NEW_ORDERS_PER_TENANT: ONE,
                LimitName.NEW_ORDERS_PER_NAME: ONE,
                LimitName.FAILED_VALIDATIONS_PER_NAME: ONE,
            }
        )
    )
    limits, who = limiting(state, strict, clock), principal()
    assert await limits.spend_new_order(strict, who, (NAME,)) == ()
    with pytest.raises(AcmeError):
        await limits.spend_new_order(strict, who, (NAME,))

    for _ in range(3):
        left = await limits.spend_new_order(strict, who, (NAME,), exempt=True)
        assert [(one.name, one.use) for one in left] == [(LimitName.FAILED_VALIDATIONS_PER_NAME, Use.LOOK)]


async def test_who_paid_already_does_not_pay_again(state: Connection, clock: SetClock) -> None:
    """With a shared limit the account pays before it, and the transition nothing any more."""
    both = tenant(
        Allowance({LimitName.NEW_ORDERS_PER_ACCOUNT: ONE, LimitName.NEW_ORDERS_PER_TENANT: Limit(9, HOUR)})
    )
    limits, who = limiting(state, both, clock), principal()
    assert await limits.spend_new_order(both, who, (NAME,)) == ()
    with refused("rateLimited", "RATE-LIMITED", 429) as refusal:
        await limits.spend_new_order(both, who, (NAME,))
    assert (
        "1 new orders in 1h reached for this account, next one at 2026-03-01 13:00:00 UTC" in refusal.detail
    )
    assert refusal.error.retry_after == 3600
    # The refused one took nothing of what all share: eight are left.
    for _ in range(8):
        await limits.spend_new_order(both, principal(), (NAME,))
    with refused("rateLimited", "RATE-LIMITED", 429) as refusal:
        await limits.spend_new_order(both, principal(), (NAME,))
    assert "9 new orders in 1h reached for tenant alpha" in refusal.detail
    assert refusal.error.retry_after == 400


async def test_verdicts_cost_or_give_back(state: Connection, clock: SetClock) -> None:
    """RAT-08: a failure counts, a success clears, and a fault of ours is nobody's failure."""
    limits, owner = limiting(state, tenant(Allowance()), clock), principal().owner

    def use(reference: Reference | None) -> list[Use]:
        fault = problem(reference, "a fault") if reference else None
        return [one.use for one in limits.failed_validation(owner, NAME, fault)]

    assert use(Reference.HTTP01_STATUS) == [Use.CHARGE]
    assert use(None) == [Use.CLEAR]
    assert use(Reference.VALIDATION_ABANDONED) == []


async def test_a_tenant_that_is_no_longer_served_limits_nothing(state: Connection, clock: SetClock) -> None:
    """A job may outlive its tenant."""
    limits = limiting(state, tenant(Allowance()), clock)
    stranger = Owner(OTHER_TENANT, principal().owner.account)
    assert limits.failed_validation(stranger, NAME, None) == ()
    assert limits.spend_answer(stranger) == ()


async def test_what_is_off_is_not_asked_for(nobody: Connection, clock: SetClock) -> None:
    free = tenant(Allowance({}))
    limits, who = limiting(nobody, free, clock), principal()
    await limits.spend_new_account(free, "eab_1")
    assert await limits.spend_new_order(free, who, (NAME,)) == ()
    assert limits.spend_answer(who.owner) == ()
