"""The examination of a whole installation, put together from the settings."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from acmeproxy import settings
from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.redis import examination as redis_examination
from acmeproxy.adapters.redis.connection import Durability
from acmeproxy.adapters.vault.doctor import examination
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Tenant
from acmeproxy.services import premises
from acmeproxy.services.findings import Diagnosis, failed
from acmeproxy.services.stores import StateAwayError
from acmeproxy.settings.address import is_loopback
from acmeproxy.wiring import cases, serving, vaults

_REDIS_PORT: Final = 6379
#: For the state store: more than a connection's own patience, for each of its few questions.
_REDIS_WITHIN: Final = timedelta(seconds=20)


async def diagnose(
    given: settings.Settings,
    names: Sequence[str],
    environment: Mapping[str, str],
    progress: Callable[[str], None],
) -> Diagnosis:
    """Examine the installation, all of its parts at once, so that one which hangs holds up none.

    Args:
        given: The settings.
        names: The tenants to look at; none means all.
        environment: The variables of the process.
        progress: Is told what is looked at.
    """
    tenants = {name: tenant for name, tenant in given.tenant_values().items() if not names or name in names}
    progress("redis")
    redis, vault = await asyncio.gather(_redis(given), _vault(given, tenants, progress))
    own = premises.examine(_premises(given, tenants, environment), tuple(tenants.values()), utc_now())
    return Diagnosis((*own, *redis.findings, *vault.findings), away=redis.away or vault.away)


async def _redis(given: settings.Settings) -> Diagnosis:
    durability = Durability(given.redis.durability)
    reach = _reach(given.redis.url.get_secret_value())
    try:
        async with asyncio.timeout(_REDIS_WITHIN.total_seconds()), serving.state(given) as connection:
            found = await redis_examination.examine(connection, reach, durability, utc_now)
    except (StateAwayError, TimeoutError) as error:
        text = f"it cannot be asked: {error}" if str(error) else "it gives no answer in time"
        return Diagnosis((failed("redis", text, reach.cli("valkey-cli", "PING")),), away=True)
    return Diagnosis(tuple(found))


def _reach(url: str) -> redis_examination.Reach:
    """Return how the store is reached, without what is secret in its URL."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return redis_examination.Reach("", path=parts.path)
    host = parts.hostname or "localhost"
    return redis_examination.Reach(
        host,
        parts.port or _REDIS_PORT,
        tls=parts.scheme == "rediss",
        loopback=is_loopback(host),
    )


async def _vault(
    given: settings.Settings, tenants: Mapping[TenantName, Tenant], progress: Callable[[str], None]
) -> Diagnosis:
    connections = vaults.vaults(given)
    async with AsyncExitStack() as stack:
        progress("vault")
        put = cases.Cases(given, stack)
        told, programs = await put.servers([connections[name] for name in tenants])
        # Of a server that is away, nothing more can be told.
        looked_at = [
            (put.case(tenant, connections[name], programs[address]), cases.neighbours(given, name))
            for name, tenant in tenants.items()
            if (address := connections[name].address) in programs
        ]
        examined = await asyncio.gather(
            *(examination.examine(case, neighbours, progress) for case, neighbours in looked_at)
        )
    away = any(connections[name].address not in programs for name in tenants)
    # What tenants share, such as the mount above them, is found for each of them.
    once = dict.fromkeys((*told, *(one for findings in examined for one in findings)))
    return Diagnosis(tuple(once), away=away)


def _premises(
    given: settings.Settings, tenants: Mapping[TenantName, Tenant], environment: Mapping[str, str]
) -> premises.Premises:
    tls, egress = given.server.tls, given.validation.egress
    resolvers = (given.tenants[name].resolver or given.validation.resolver for name in tenants)
    return premises.Premises(
        public_url=given.server.public_url,
        environment=environment,
        resolver=all(resolvers),
        egress=(tuple(map(str, egress.allow)), tuple(map(str, egress.deny))),
        rooted=given.vault.roots is not None,
        certificate=tls.certificate.read_bytes() if tls else b"",
        key=tls.key.read_bytes() if tls else b"",
    )
