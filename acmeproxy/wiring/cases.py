"""A tenant's case, as the settings tell it: for `doctor`, and for what `serve` looks at when it starts."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from acmeproxy import settings
from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.vault.connection import LoginMethod, Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.doctor import server
from acmeproxy.adapters.vault.doctor.bare import BareClient
from acmeproxy.adapters.vault.doctor.case import Case, Use
from acmeproxy.adapters.vault.doctor.commands import Commands
from acmeproxy.adapters.vault.gate import Address, Gate
from acmeproxy.adapters.vault.login import Abroad, Login
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Profile, Tenant, VaultPlace
from acmeproxy.services.findings import Finding
from acmeproxy.wiring import producing, vaults
from acmeproxy.wiring.logins import login_of

_IN_FLIGHT: Final = 4


class Cases:
    """Puts cases together; what it opens for them ends with `stack`."""

    def __init__(self, given: settings.Settings, stack: AsyncExitStack) -> None:
        self._given = given
        self._stack = stack

    def case(self, tenant: Tenant, connection: VaultConnection, program: str) -> Case:
        """Give a tenant logins of its own, and the reader's: nobody else's calls hold them up."""
        gate = self._gate(connection, tenant.name)
        own, reading = Login(connection, gate), _reading(self._given, tenant.name, connection)
        self._stack.callback(own.close)
        known = self.known(tenant, connection, program, own)
        if reading is None:
            return known
        above = msgspec.structs.replace(reading, namespace=known.signing.namespace)
        reader, overlooking = Login(reading, gate), Login(above, gate)
        self._stack.callback(reader.close)
        self._stack.callback(overlooking.close)
        return msgspec.structs.replace(known, reader=reader, above=overlooking, reader_entrance=reading.login)

    def known(self, tenant: Tenant, connection: VaultConnection, program: str, own: Login) -> Case:
        """Look at a tenant with nothing but a login that is there already, which stays open."""
        given, gate = self._given, self._gate(connection, tenant.name)
        bare = BareClient(connection, gate, utc_now)
        self._stack.callback(bare.close)

        def abroad(namespace: str) -> Abroad:
            opened = Abroad(own, msgspec.structs.replace(connection, namespace=namespace), gate)
            self._stack.callback(opened.close)
            return opened

        above, mount = given.vault.at("", given.vault.authority.mount)
        return Case(
            tenant=tenant,
            uses=uses(tenant),
            strangers=_strangers(given, tenant.name),
            own=own,
            elsewhere=abroad,
            reader=None,
            above=None,
            bare=bare,
            commands=Commands(program, tenant.vault.namespace),
            anchors=tuple(vaults.anchors(given).get(tenant.name, ())),
            address=connection.address,
            aia_url=given.vault.authority.aia_url or given.server.public_url,
            signing=VaultPlace(mount, tenant.vault.role, above),
            clock=utc_now,
            lasting=given.tenants[tenant.name].vault.authority.lifetime,
            signing_lasting=given.vault.authority.lifetime,
            policy=producing.policy_of(given, tenant.name),
            entrance=connection.login,
            reader_entrance=None,
            fellows=_fellows(given, tenant.name),
        )

    async def servers(
        self, connections: Sequence[VaultConnection]
    ) -> tuple[Sequence[Finding], Mapping[str, str]]:
        """Look at every address once; return what was found, and the program's name where it answers."""
        each = {connection.address: connection for connection in connections}
        told = await asyncio.gather(*(server.examine(one, self._bare(one)) for one in each.values()))
        programs = {
            address: product.program
            for address, (product, _) in zip(each, told, strict=True)
            if product is not None
        }
        return [one for _, findings in told for one in findings], programs

    def _bare(self, connection: VaultConnection) -> BareClient:
        bare = BareClient(connection, self._gate(connection), utc_now)
        self._stack.callback(bare.close)
        return bare

    def _gate(self, connection: VaultConnection, tenant: str = "") -> Gate:
        gate = Gate(Address(_IN_FLIGHT, connection.address), tenant)
        self._stack.callback(gate.close)
        return gate


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
    mine = {name, *neighbours(given, name)}
    return tuple(tenant.vault for other, tenant in values.items() if other not in mine)


def _fellows(given: settings.Settings, name: str) -> tuple[VaultPlace, ...]:
    """Return where the tenants sign that log in with the very same."""
    values = given.tenant_values()
    return tuple(use.place for other in neighbours(given, name) for use in uses(values[TenantName(other)]))


def neighbours(given: settings.Settings, name: str) -> tuple[str, ...]:
    """Return the other tenants that log in with the very same."""
    login = given.login(name)
    return tuple(other for other in given.tenants if other != name and given.login(other) == login)
