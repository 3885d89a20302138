"""The examination of a whole installation, put together from the settings."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec

from acmeproxy import settings
from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.redis import examination as redis_examination
from acmeproxy.adapters.redis.connection import Durability
from acmeproxy.adapters.vault.connection import LoginMethod, Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.doctor import examination, server
from acmeproxy.adapters.vault.doctor.bare import BareClient
from acmeproxy.adapters.vault.doctor.case import Case, Use
from acmeproxy.adapters.vault.doctor.commands import Commands
from acmeproxy.adapters.vault.gate import Address, Gate
from acmeproxy.adapters.vault.login import Login
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Profile, Tenant, VaultPlace
from acmeproxy.services import premises
from acmeproxy.services.findings import Diagnosis, failed
from acmeproxy.services.stores import StateAwayError
from acmeproxy.settings.address import is_loopback
from acmeproxy.wiring import producing, serving
from acmeproxy.wiring.logins import login_of

_REDIS_PORT: Final = 6379
_IN_FLIGHT: Final = 4
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
    connections = serving.vaults(given)
    async with AsyncExitStack() as stack:
        progress("vault")
        servers = {connections[name].address: connections[name] for name in tenants}
        told = await asyncio.gather(*(server.examine(one, _bare(stack, one)) for one in servers.values()))
        programs = {
            address: product.program
            for address, (product, _) in zip(servers, told, strict=True)
            if product is not None
        }
        # Of a server that is away, nothing more can be told.
        cases = [
            (_case(stack, given, tenant, connections[name], programs), _neighbours(given, name))
            for name, tenant in tenants.items()
            if connections[name].address in programs
        ]
        examined = await asyncio.gather(
            *(examination.examine(case, neighbours, progress) for case, neighbours in cases)
        )
    found = [*(findings for _, findings in told), *examined]
    # What tenants share, such as the mount above them, is found for each of them.
    once = dict.fromkeys(one for findings in found for one in findings)
    return Diagnosis(tuple(once), away=len(programs) < len(servers))


def _case(
    stack: AsyncExitStack,
    given: settings.Settings,
    tenant: Tenant,
    connection: VaultConnection,
    programs: Mapping[str, str],
) -> Case:
    """Give a tenant clients of its own: their threads are held up by nobody else's calls."""
    gate = Gate(Address(_IN_FLIGHT, connection.address), tenant.name)
    stack.callback(gate.close)

    def logged_in(reached: VaultConnection) -> Login:
        login = Login(reached, gate)
        stack.callback(login.close)
        return login

    bare = BareClient(connection, gate, utc_now)
    stack.callback(bare.close)
    reading = _reading(given, tenant.name, connection)
    above, signing_mount = given.vault.at("", given.vault.authority.mount)
    return Case(
        tenant=tenant,
        uses=uses(tenant),
        strangers=_strangers(given, tenant.name),
        own=logged_in(connection),
        elsewhere=lambda namespace: logged_in(msgspec.structs.replace(connection, namespace=namespace)),
        reader=logged_in(reading) if reading else None,
        above=logged_in(msgspec.structs.replace(reading, namespace=above)) if reading else None,
        bare=bare,
        commands=Commands(programs[connection.address], tenant.vault.namespace),
        anchors=tuple(serving.anchors(given).get(tenant.name, ())),
        address=connection.address,
        aia_url=given.vault.authority.aia_url or given.server.public_url,
        signing=VaultPlace(signing_mount, tenant.vault.role, above),
        clock=utc_now,
        lasting=given.tenants[tenant.name].vault.authority.lifetime,
        signing_lasting=given.vault.authority.lifetime,
        policy=producing.policy_of(given, tenant.name),
        entrance=connection.login,
        reader_entrance=reading.login if reading else None,
        fellows=_fellows(given, tenant.name),
    )


def _bare(stack: AsyncExitStack, connection: VaultConnection) -> BareClient:
    gate = Gate(Address(1, connection.address))
    stack.callback(gate.close)
    bare = BareClient(connection, gate, utc_now)
    stack.callback(bare.close)
    return bare


def _reading(given: settings.Settings, name: str, connection: VaultConnection) -> VaultConnection | None:
    """Return the connection of who reads the mounts' configuration: `vault.login`, its token before all else.

    A tenant that has no login of its own reads as itself anyway.
    """
    shared = given.vault.login
    if shared.token is not None:
        login: LoginMethod = TokenLogin(Secret(shared.token.get_secret_value()))
    elif shared.missing or shared.wrapped or given.tenants[name].vault.login is None:
        # A wrapped secret id is for one opening, which is not ours.
        return None
    else:
        login = login_of(given.reader_login())
    return msgspec.structs.replace(connection, address=shared.address or given.vault.address, login=login)


def uses(tenant: Tenant) -> tuple[Use, ...]:
    """Return the roles that a tenant's certificates are signed with, each once, with the most asked of it."""
    found: dict[VaultPlace, Use] = {}
    wanted = [_use(tenant, profile) for profile in tenant.profiles]
    if all(one.place.role != tenant.vault.role for one in wanted):
        # What was ordered before there were profiles is signed with it, and its policy lets it sign.
        wanted.append(Use(tenant.vault, tenant.lifetime))
    for one in wanted:
        known = found.get(one.place, one)
        keys = tuple(dict.fromkeys((*known.keys, *one.keys))) if known.keys and one.keys else ()
        found[one.place] = Use(one.place, max(known.lifetime, one.lifetime), keys, known.store or one.store)
    return tuple(found.values())


def _use(tenant: Tenant, profile: Profile) -> Use:
    place = msgspec.structs.replace(
        tenant.vault, role=profile.role or tenant.vault.role, issuer=profile.issuer or tenant.vault.issuer
    )
    return Use(place, profile.lifetime or tenant.lifetime, profile.keys, profile.store)


def _strangers(given: settings.Settings, name: str) -> tuple[VaultPlace, ...]:
    """Return the places of the tenants that log in as somebody else."""
    values = given.tenant_values()
    mine = {name, *_neighbours(given, name)}
    return tuple(tenant.vault for other, tenant in values.items() if other not in mine)


def _fellows(given: settings.Settings, name: str) -> tuple[VaultPlace, ...]:
    """Return where the tenants sign that log in with the very same."""
    values = given.tenant_values()
    return tuple(use.place for other in _neighbours(given, name) for use in uses(values[TenantName(other)]))


def _neighbours(given: settings.Settings, name: str) -> tuple[str, ...]:
    """Return the other tenants that log in with the very same."""
    login = given.login(name)
    return tuple(other for other in given.tenants if other != name and given.login(other) == login)


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
