"""Rate limits: which budgets a request spends from, and when (RFC 8555 §6.6).

What an account has of its own is spent inside the very transition that it pays for: all of it happens or
none, and it costs no round trip. What accounts share lies elsewhere and is spent before, but only once the
account's own budget has paid, so that nobody empties everybody's budget with requests that were to be refused
anyway. Nothing is ever paid back: who is refused by the tenant's budget has spent one of its own.

Only what an account may have at all is asked for: requests that the policy refuses are refused before they
spend, since the policy is no secret that could be probed for. What only reads is not limited.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from acmeproxy.core.identifier import Identifier
from acmeproxy.core.ids import TenantName
from acmeproxy.core.limit import Allowance, LimitName, LimitReachedError, Spend, Use, refusal
from acmeproxy.core.problem import ERROR_NAMESPACE, Problem
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.authentication import Principal
from acmeproxy.services.limit_store import Limits
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Owner

_NONE = Allowance({})


class Limiting:
    """Spends from the budgets of a tenant, its EAB keys, its names and its accounts."""

    def __init__(self, limits: Limits, tenants: Mapping[TenantName, Tenant], clock: Clock) -> None:
        self._limits = limits
        self._tenants = tenants
        self._clock = clock

    async def spend_new_account(self, tenant: Tenant, eab_kid: str | None = None) -> None:
        """Pay for a new account; the binding, if there is one, has been verified (NAC-16).

        Raises:
            AcmeError: `rateLimited`.
        """
        wanted = [(LimitName.NEW_ACCOUNTS_PER_TENANT, str(tenant.name))]
        if eab_kid is not None:
            wanted.append((LimitName.NEW_ACCOUNTS_PER_EAB_KEY, eab_kid))
        await self._spend_shared(tenant, self._spends(tenant.limits, wanted))

    async def spend_new_order(
        self, tenant: Tenant, principal: Principal, names: Sequence[Identifier], *, exempt: bool = False
    ) -> tuple[Spend, ...]:
        """Pay for a new order, and return what the transition that stores it has yet to pay (NOR-15).

        Args:
            tenant: Whose limits hold.
            principal: Who orders.
            names: What is ordered; one that failed too often is paused, whoever is exempt (RAT-08).
            exempt: It renews a certificate, which the caller grants once for each certificate (RFC 9773).

        Raises:
            AcmeError: `rateLimited`.
        """
        paused = [(LimitName.FAILED_VALIDATIONS_PER_NAME, name.value) for name in names]
        looks = self._spends(tenant.limits, paused, Use.LOOK)
        if exempt:
            return looks
        own = self._spends(tenant.limits, [(LimitName.NEW_ORDERS_PER_ACCOUNT, principal.owner.account)])
        wanted = [(LimitName.NEW_ORDERS_PER_TENANT, str(tenant.name))]
        if kid := principal.account.value.eab_kid:
            wanted.append((LimitName.NEW_ORDERS_PER_EAB_KEY, kid))
        wanted += [(LimitName.NEW_ORDERS_PER_NAME, name.value) for name in names]
        shared = self._spends(tenant.limits, wanted)
        if not shared:
            return own + looks
        with self.refusing(tenant.name):
            await self._limits.spend(principal.owner, own + looks)
        await self._spend_shared(tenant, shared)
        return ()

    def spend_answer(self, owner: Owner) -> tuple[Spend, ...]:
        """Return what the transition that takes an answer to a challenge has to pay (CHL-14)."""
        wanted = [(LimitName.CHALLENGE_ANSWERS_PER_ACCOUNT, owner.account)]
        return self._spends(self._allowance(owner), wanted)

    def failed_validation(self, owner: Owner, name: Identifier, fault: Problem | None) -> tuple[Spend, ...]:
        """Return what a verdict costs: a failure counts, a success makes up for all before it (RAT-08).

        A fault of ours counts neither way.
        """
        if fault is not None and fault.type == f"{ERROR_NAMESPACE}serverInternal":
            return ()
        use = Use.CLEAR if fault is None else Use.CHARGE
        return self._spends(
            self._allowance(owner), [(LimitName.FAILED_VALIDATIONS_PER_NAME, name.value)], use
        )

    @contextmanager
    def refusing(self, name: TenantName) -> Iterator[None]:
        """Run what spends.

        Raises:
            AcmeError: `rateLimited`, where a budget refuses.
        """
        try:
            yield
        except LimitReachedError as error:
            tenant = self._tenants.get(name)
            raise refusal(error, tenant.website if tenant else None) from None

    async def _spend_shared(self, tenant: Tenant, spends: Sequence[Spend]) -> None:
        if spends:
            with self.refusing(tenant.name):
                await self._limits.spend_shared(tenant.name, spends)

    def _allowance(self, owner: Owner) -> Allowance:
        """Return the limits of a tenant, none of one that is no longer served."""
        tenant = self._tenants.get(owner.tenant)
        return tenant.limits if tenant else _NONE

    def _spends(
        self, allowance: Allowance, wanted: Sequence[tuple[LimitName, str]], use: Use = Use.TAKE
    ) -> tuple[Spend, ...]:
        now: datetime = self._clock()
        limits = ((name, subject, allowance.limit(name, subject)) for name, subject in wanted)
        return tuple(Spend(name, subject, limit, now, use) for name, subject, limit in limits if limit)
