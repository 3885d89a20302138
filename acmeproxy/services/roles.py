"""What Vault's roles allow, as workers read it and everybody else knows it: a preview costs no round trip."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol, TypeVar

import msgspec
import structlog

from acmeproxy.core import profile
from acmeproxy.core.ids import TenantName
from acmeproxy.core.job import Job
from acmeproxy.core.problem import AcmeError, refers_to
from acmeproxy.core.reference import Reference
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Tenant, VaultPlace
from acmeproxy.services.ports import RoleReader, SigningDeferredError
from acmeproxy.services.reports import Report
from acmeproxy.services.stores import StateAwayError

_LOG: Final = structlog.get_logger()
#: Together under a minute: so long until new orders see a role that was changed.
READ_EVERY: Final = timedelta(seconds=40)
LEARN_EVERY: Final = timedelta(seconds=15)
#: A process that was just started does not wait so long for what a worker is about to publish.
_FIRST_PAUSE: Final = timedelta(seconds=1)
#: An older one may have been changed since: nobody is refused by it.
FRESH: Final = timedelta(seconds=5)
#: So long a client waits until the role was read that refuses it.
PATIENCE: Final = timedelta(seconds=3)
#: After a role could not be read, who comes at once is told the same.
_BREATH: Final = timedelta(seconds=1)
_BY_ROLE: Final = (Reference.ROLE_NAME, Reference.ROLE_KEY, Reference.ROLE_CSR, Reference.ROLE_LIFETIME)

T = TypeVar("T")


class RoleUnreadError(Exception):
    """A role cannot be read now. The text is for the log."""


class PublishedRole(msgspec.Struct, frozen=True):
    """A role, and for how long it has been published."""

    role: Role
    age: timedelta


class PublishedRoles(Protocol):
    """Roles as workers publish them. What was not published again for an hour is forgotten."""

    async def publish(self, tenant: TenantName, place: VaultPlace, role: Role | None) -> None:
        """Publish a role as it is now, or that nothing is known of it, and tell who waits for it.

        Raises:
            StateAwayError: It may not be published.
        """
        ...

    async def publish_failure(self, tenant: TenantName, place: VaultPlace, reason: str) -> None:
        """Tell who waits for a role that it cannot be read now; what is published stays.

        Raises:
            StateAwayError: They may not be told.
        """
        ...

    async def read(
        self, tenant: TenantName, places: frozenset[VaultPlace]
    ) -> Mapping[VaultPlace, PublishedRole]:
        """Return the roles of some places, as far as they are published.

        Raises:
            StateAwayError: Nothing is known.
        """
        ...

    def name(self, tenant: TenantName, place: VaultPlace) -> str:
        """Return the name of a role, as the subject of a job to read it."""
        ...


class FreshRoles(Protocol):
    """Reads a role at once, or has it read by who may."""

    async def reread(self, tenant: Tenant, place: VaultPlace) -> Role | None:
        """Return the role of one of a tenant's places as Vault has it now; none if nobody may read it.

        Raises:
            RoleUnreadError: Vault or who may ask it does not answer.
            StateAwayError: Nobody can be asked.
        """
        ...


class _Known(msgspec.Struct, frozen=True):
    role: Role | None
    read_at: float

    @property
    def fresh(self) -> bool:
        return time.monotonic() - self.read_at < FRESH.total_seconds()


class KnownRoles:
    """The roles that this process knows of; without one, there is no preview, and Vault decides."""

    def __init__(
        self,
        published: PublishedRoles,
        tenants: Mapping[TenantName, Tenant],
        reader: FreshRoles,
        every: timedelta = LEARN_EVERY,
    ) -> None:
        self._published = published
        self._tenants = tenants
        self._reader = reader
        self._every = every
        self._known: dict[TenantName, Mapping[VaultPlace, _Known]] = {}
        self._turns: defaultdict[tuple[TenantName, VaultPlace], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._failed: dict[tuple[TenantName, VaultPlace], tuple[float, str]] = {}

    def of(self, tenant: TenantName, place: VaultPlace) -> Role | None:
        """Return the role that signs at a place, if it is known."""
        known = self._known.get(tenant, {}).get(place)
        return known.role if known else None

    async def judged(self, tenant: Tenant, place: VaultPlace, judge: Callable[[Role | None], T]) -> T:
        """Judge by the role of a place; before it is the reason to refuse anything, it is read afresh.

        Raises:
            AcmeError: What `judge` raises, by a role that was read a moment ago if it was by the role.
            RoleUnreadError: By a role that may be another one now, which nobody can tell.
            StateAwayError: Likewise.
        """
        known = self._known.get(tenant.name, {}).get(place)
        try:
            return judge(known.role if known else None)
        except AcmeError as error:
            if known is None or known.fresh or not refers_to(error.problem, _BY_ROLE):
                raise
        return judge(await self._afresh(tenant, place))

    async def _afresh(self, tenant: Tenant, place: VaultPlace) -> Role | None:
        """Read a role that is too old, once however many ask at once."""
        key = (tenant.name, place)
        async with self._turns[key]:
            known = self._known.get(tenant.name, {}).get(place)
            if known is not None and known.fresh:
                return known.role
            failed_at, why = self._failed.get(key, (-_BREATH.total_seconds(), ""))
            if why and time.monotonic() - failed_at < _BREATH.total_seconds():
                raise RoleUnreadError(why)
            begun = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE.total_seconds()):
                    role = await self._reader.reread(tenant, place)
            except (RoleUnreadError, TimeoutError) as error:
                self._failed[key] = (time.monotonic(), str(error) or "no answer in time")
                raise RoleUnreadError(self._failed[key][1]) from None
            self._known[tenant.name] = {**self._known.get(tenant.name, {}), place: _Known(role, begun)}
            return role

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
            found = await self._published.read(name, profile.places(tenant))
            now = time.monotonic()
            self._known[name] = {
                place: _Known(one.role, now - one.age.total_seconds()) for place, one in found.items()
            }


class RoleReading:
    """Reads the roles of all tenants and profiles, and publishes them; needs a login to Vault.

    One that may not be read is asked for once. Implements `FreshRoles`.
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

    async def reread(self, tenant: Tenant, place: VaultPlace) -> Role | None:
        """Read a role at once, and publish it if that can be done."""
        try:
            role = await self._read(tenant, place)
        except SigningDeferredError as error:
            raise RoleUnreadError(str(error)) from None
        with suppress(StateAwayError):
            await self._published.publish(tenant.name, place, role)
        return role

    async def answer(self, job: Job) -> Report:
        """Read the role of a job for a process that may not, and tell it."""
        tenant = self._tenants[job.tenant]
        places = {self._published.name(tenant.name, place): place for place in profile.places(tenant)}
        place = places.get(job.subject)
        if place is None:
            return Report("dropped")
        try:
            role = await self._read(tenant, place)
        except SigningDeferredError as error:
            await self._published.publish_failure(tenant.name, place, str(error))
            return Report("unread", {"reason": str(error)})
        await self._published.publish(tenant.name, place, role)
        return Report("read")

    async def _read_tenant(self, tenant: Tenant) -> None:
        for place in profile.places(tenant):
            if (tenant.name, place) in self._closed:
                continue
            try:
                role = await self._read(tenant, place)
                await self._published.publish(tenant.name, place, role)
            except (SigningDeferredError, StateAwayError) as error:
                # What was published before stays, for an hour.
                self._tell(tenant, place, "roles.unread", str(error))
            else:
                self._tell(tenant, place, *_remark(place, role))

    async def _read(self, tenant: Tenant, place: VaultPlace) -> Role | None:
        role = await self._reader.read_role(tenant.at(place))
        if role is None:
            # To be sure of a 403 we log in anew, which a secret id for one use would not survive.
            self._closed.add((tenant.name, place))
        return role

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
