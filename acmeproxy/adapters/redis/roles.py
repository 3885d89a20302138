"""What Vault's roles allow, published by workers for those who have no login to Vault."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.connection import Call, Connection
from acmeproxy.adapters.redis.documents import decode, encode
from acmeproxy.adapters.redis.outcomes import RedisOutcomes, RoleOutcome
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.core.job import Job, JobKind
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Tenant, VaultPlace
from acmeproxy.services.roles import PATIENCE, PublishedRole, RoleUnreadError
from acmeproxy.services.stores import Owner

#: A role that nobody could read for so long may be another one by now.
_KEPT: Final = timedelta(hours=1)
#: No account's: it only says in which shard the job is.
_NOBODY: Final = AccountId("0")


class RedisRoles:
    """Implements `PublishedRoles`. Nothing is waited for to be durable: it is published again in a moment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def publish(self, tenant: TenantName, place: VaultPlace, role: Role | None) -> None:
        """Publish a role as it is now, or that nothing is known of it."""
        key = keys.role(tenant, place)
        if role is None:
            written = Call("DEL", (key,))
        else:
            written = Call("SET", (key, encode(role), "EX", int(_KEPT.total_seconds())))
        await self._tell(tenant, place, RoleOutcome(role), written)

    async def publish_failure(self, tenant: TenantName, place: VaultPlace, reason: str) -> None:
        """Tell who waits for a role that it cannot be read now."""
        await self._tell(tenant, place, RoleOutcome(failure=reason))

    async def read(
        self, tenant: TenantName, places: frozenset[VaultPlace]
    ) -> Mapping[VaultPlace, PublishedRole]:
        """Return the roles of some places, as far as they are published."""
        listed = list(places)
        names = [keys.role(tenant, place) for place in listed]
        answers = await self._connection.read(
            *(Call("GET", (name,)) for name in names), *(Call("PTTL", (name,)) for name in names)
        )
        found = zip(listed, answers[: len(listed)], answers[len(listed) :], strict=True)
        return {
            # The server's clock alone tells how old it is.
            place: PublishedRole(role, _KEPT - timedelta(milliseconds=left))
            for place, document, left in found
            if (role := _role(document)) is not None
        }

    def name(self, tenant: TenantName, place: VaultPlace) -> str:
        """Return the name of a role."""
        return keys.role(tenant, place)

    async def _tell(self, tenant: TenantName, place: VaultPlace, outcome: RoleOutcome, *before: Call) -> None:
        """Tell who waits. The wish is taken away first: who wishes after that is not told any more."""
        message = keys.role(tenant, place).encode() + b" " + encode(outcome)
        await self._connection.read(
            *before,
            Call("DEL", (keys.role_wish(tenant, place),)),
            Call("PUBLISH", (keys.OUTCOMES, message)),
        )


class RedisRoleWishes:
    """Implements `FreshRoles` for a process that has no login to Vault: a worker reads the role for it."""

    def __init__(
        self, connection: Connection, outcomes: RedisOutcomes, patience: timedelta = PATIENCE
    ) -> None:
        self._connection = connection
        self._outcomes = outcomes
        self._patience = patience

    async def reread(self, tenant: Tenant, place: VaultPlace) -> Role | None:
        """Have a worker read a role, one however many processes wish for it, and wait for it."""
        name = keys.role(tenant.name, place)
        with self._outcomes.role(name) as watch:
            lasts = int(self._patience.total_seconds() * 1000)
            wish = (keys.role_wish(tenant.name, place), "1", "NX", "PX", lasts)
            if (await self._connection.read(Call("SET", wish)))[0]:
                job = Job(JobKind.READ_ROLE, tenant.name, _NOBODY, name)
                stream = keys.jobs(keys.tag(Owner(tenant.name, _NOBODY)))
                await self._connection.read(Call("XADD", (stream, "*", "job", encode(job))))
            outcome = await watch.outcome(self._patience)
        if outcome is None or outcome.failure:
            raise RoleUnreadError(outcome.failure if outcome else "no worker answered")
        return outcome.role


def _role(document: bytes | None) -> Role | None:
    """Read a role; one that another version wrote in its own way is one that is not known."""
    try:
        return decode(document, Role) if document else None
    except msgspec.DecodeError:
        return None
