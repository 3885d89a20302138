"""What Vault's roles allow, as workers read it and everybody else knows it: a preview costs no round trip."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Protocol

import structlog

from acmeproxy.core import profile
from acmeproxy.core.ids import TenantName
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Tenant, VaultPlace
from acmeproxy.services.ports import RoleReader, SigningDeferredError
from acmeproxy.services.stores import StateAwayError

_LOG: Final = structlog.get_logger()
#: Together under a minute: so long until new orders see a role that was changed.
READ_EVERY: Final = timedelta(seconds=40)
LEARN_EVERY: Final = timedelta(seconds=15)
#: A process that was just started does not wait so long for what a worker is about to publish.
_FIRST_PAUSE: Final = timedelta(seconds=1)


class PublishedRoles(Protocol):
    """Roles as workers publish them. What was not published again for an hour is forgotten."""

    async def publish(self, tenant: TenantName, place: VaultPlace, role: Role | None) -> None:
        """Publish a role as it is now, or that nothing is known of it.

        Raises:
            StateAwayError: It may not be published.
        """
        ...

    async def read(self, tenant: TenantName, places: frozenset[VaultPlace]) -> Mapping[VaultPlace, Role]:
        """Return the roles of some places, as far as they are published.

        Raises:
            StateAwayError: Nothing is known.
        """
        ...


class KnownRoles:
    """The roles that this process knows of; without one, there is no preview, and Vault decides."""

    def __init__(
        self,
        published: PublishedRoles,
        tenants: Mapping[TenantName, Tenant],
        every: timedelta = LEARN_EVERY,
    ) -> None:
        self._published = published
        self._tenants = tenants
        self._every = every
        self._known: dict[TenantName, Mapping[VaultPlace, Role]] = {}

    def of(self, tenant: TenantName, place: VaultPlace) -> Role | None:
        """Return the role that signs at a place, if it is known."""
        return self._known.get(tenant, {}).get(place)

    async def keep_learning(self) -> None:
        """Read again and again what is published, until cancelled; what cannot be read stays known."""
        pause = min(_FIRST_PAUSE, self._every)
        while True:
            try:
                await self.learn()
            except StateAwayError as error:
                _LOG.warning("roles.waiting", reason=str(error))
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, self._every)

    async def learn(self) -> None:
        """Read what is published now.

        Raises:
            StateAwayError: Nothing new is known.
        """
        for name, tenant in self._tenants.items():
            self._known[name] = await self._published.read(name, profile.places(tenant))


class RoleReading:
    """Reads the roles of all tenants and profiles, and publishes them; needs a login to Vault.

    One that may not be read is asked for once.
    """

    def __init__(
        self,
        reader: RoleReader,
        published: PublishedRoles,
        tenants: Mapping[TenantName, Tenant],
        every: timedelta = READ_EVERY,
    ) -> None:
        self._reader = reader
        self._published = published
        self._tenants = tenants
        self._every = every
        self._told: dict[tuple[TenantName, VaultPlace], str] = {}
        self._closed: set[tuple[TenantName, VaultPlace]] = set()

    async def keep_reading(self) -> None:
        """Read all roles again and again, until cancelled."""
        while True:
            async with asyncio.TaskGroup() as tasks:
                for tenant in self._tenants.values():
                    tasks.create_task(self._read_tenant(tenant))
            await asyncio.sleep(self._every.total_seconds())

    async def _read_tenant(self, tenant: Tenant) -> None:
        for place in profile.places(tenant):
            if (tenant.name, place) in self._closed:
                continue
            try:
                role = await self._reader.read_role(tenant.at(place))
                await self._published.publish(tenant.name, place, role)
            except (SigningDeferredError, StateAwayError) as error:
                # What was published before stays, for an hour.
                self._tell(tenant, place, "roles.unread", str(error))
            else:
                if role is None:
                    # To be sure of a 403 we log in anew, which a secret id for one use would not survive.
                    self._closed.add((tenant.name, place))
                self._tell(tenant, place, *_remark(place, role))

    def _tell(self, tenant: Tenant, place: VaultPlace, event: str, reason: str) -> None:
        """Log what is remarkable about a role once, until it is something else."""
        if self._told.get((tenant.name, place), "") != event:
            self._told[tenant.name, place] = event
            if event:
                _LOG.warning(event, tenant=tenant.name, mount=place.mount, role=place.role, reason=reason)


def _remark(place: VaultPlace, role: Role | None) -> tuple[str, str]:
    if role is None:
        return "roles.no_preview", "let the policy of the login read roles/NAME, then start the worker anew"
    if role.no_store and place.store:
        return "roles.no_store", "Vault keeps none of its certificates: set store = false in the profile"
    return "", ""
