"""Budgets of rate limits: an account's own lie beside it, shared ones in one slot of the tenant's."""

from collections.abc import Sequence

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.core.ids import TenantName
from acmeproxy.core.limit import Spend
from acmeproxy.services.stores import Owner


def spending(commit: Commit, owner: Owner, spends: Sequence[Spend]) -> Commit:
    """Let a transition spend from an account's own budgets, so that it costs no round trip of its own."""
    for spend in spends:
        commit.spend(keys.limit(owner, spend.name, spend.subject), spend)
    return commit


class RedisLimits:
    """Implements `Limits`.

    Nothing is waited for to be durable: a lost budget is given back, and that is all (RAT-05). The time is
    the caller's, as everywhere; a clock that is wrong by a second moves a budget by a second.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def spend(self, owner: Owner, spends: Sequence[Spend]) -> None:
        """Spend from an account's own budgets, from all or from none."""
        await self._run(spending(Commit(keys.tag(owner)), owner, spends))

    async def spend_shared(self, tenant: TenantName, spends: Sequence[Spend]) -> None:
        """Spend from budgets that a tenant's accounts have together, from all or from none."""
        commit = Commit(keys.limits_tag(tenant))
        for spend in spends:
            commit.spend(keys.shared_limit(tenant, spend.name, spend.subject), spend)
        await self._run(commit)

    async def _run(self, commit: Commit) -> None:
        commit.judge((await self._connection.read(commit.call()))[0])
