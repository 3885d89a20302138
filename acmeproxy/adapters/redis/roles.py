"""What Vault's roles allow, published by workers for those who have no login to Vault."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.connection import Call, Connection
from acmeproxy.adapters.redis.documents import decode, encode
from acmeproxy.core.ids import TenantName
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import VaultPlace

#: A role that nobody could read for so long may be another one by now.
_KEPT: Final = timedelta(hours=1)


class RedisRoles:
    """Implements `PublishedRoles`. Nothing is waited for to be durable: it is published again in a moment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def publish(self, tenant: TenantName, place: VaultPlace, role: Role | None) -> None:
        """Publish a role as it is now, or that nothing is known of it."""
        key = keys.role(tenant, place)
        if role is None:
            await self._connection.read(Call("DEL", (key,)))
        else:
            await self._connection.read(Call("SET", (key, encode(role), "EX", int(_KEPT.total_seconds()))))

    async def read(self, tenant: TenantName, places: frozenset[VaultPlace]) -> Mapping[VaultPlace, Role]:
        """Return the roles of some places, as far as they are published."""
        listed = list(places)
        answers = await self._connection.read(*(Call("GET", (keys.role(tenant, p),)) for p in listed))
        roles = {place: _role(found) for place, found in zip(listed, answers, strict=True)}
        return {place: role for place, role in roles.items() if role}


def _role(document: bytes | None) -> Role | None:
    """Read a role; one that another version wrote in its own way is one that is not known."""
    try:
        return decode(document, Role) if document else None
    except msgspec.DecodeError:
        return None
