"""What the use cases need of the budgets behind rate limits, where no other transition spends from them."""

from collections.abc import Sequence
from typing import Protocol

from acmeproxy.core.ids import TenantName
from acmeproxy.core.limit import Spend
from acmeproxy.services.stores import Owner


class Limits(Protocol):
    """Budgets by themselves. What is lost of them, as in a failover, is given back (RAT-05)."""

    async def spend(self, owner: Owner, spends: Sequence[Spend]) -> None:
        """Spend from an account's own budgets, from all or from none.

        Raises:
            LimitReachedError: Of those that refuse, the one with the longest wait; nothing was spent.
            StateAwayError: It is not known whether it was spent: refuse the request (RAT-05).
        """
        ...

    async def spend_shared(self, tenant: TenantName, spends: Sequence[Spend]) -> None:
        """Spend from budgets that a tenant's accounts have together, likewise."""
        ...
