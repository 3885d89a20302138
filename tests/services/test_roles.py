"""Roles are read by those who may, published, and known to everybody else without a round trip."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import msgspec
import pytest
from structlog.testing import LogCapture

from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.adapters.redis.roles import RedisRoles
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Names, Profile, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError
from acmeproxy.services.roles import KnownRoles, RoleReading
from tests.support.eventually import eventually
from tests.support.scripted_roles import ScriptedRoles
from tests.support.stored import TENANT, answer

WEB: Final = VaultPlace("pki", "web", "admin/alpha")
SHORT: Final = VaultPlace("pki", "short", "admin/alpha", "issuing-1", store=False)
TENANTS: Final = {
    TENANT: Tenant(
        TENANT,
        WEB,
        Names(),
        profiles=(Profile("usual", ""), Profile("short", "", "short", "issuing-1", store=False)),
    )
}
OFTEN: Final = timedelta(milliseconds=10)


class Shelf:
    """A reader, and what became known of what it read."""

    def __init__(self, state: Connection) -> None:
        self.reader = ScriptedRoles()
        self.reader.answers = {"web": Role("web", key_type="ec"), "short": Role("short", no_store=True)}
        self.published = RedisRoles(state)
        self.reading = RoleReading(self.reader, self.published, TENANTS, OFTEN)
        self.known = KnownRoles(self.published, TENANTS, self.reading, OFTEN)

    def rounds(self) -> int:
        """Return how often all roles were read."""
        return self.reader.asked.count(WEB)

    async def until(self, seen: Callable[[], bool]) -> None:
        async def looked() -> bool:
            return seen()

        await eventually(looked)

    async def some_rounds(self) -> None:
        begun = self.rounds()
        await self.until(lambda: self.rounds() >= begun + 3)


@asynccontextmanager
async def running(shelf: Shelf) -> AsyncIterator[None]:
    """Do the chores of a worker and of a web process, meanwhile."""
    async with asyncio.TaskGroup() as tasks:
        chores = [
            tasks.create_task(chore()) for chore in (shelf.reading.keep_reading, shelf.known.keep_learning)
        ]
        yield
        for chore in chores:
            chore.cancel()


@pytest.fixture
def shelf(state: Connection) -> Shelf:
    return Shelf(state)


async def test_every_place_of_a_tenant_has_its_role(shelf: Shelf) -> None:
    assert shelf.known.of(TENANT, WEB) is None
    async with running(shelf):
        await shelf.until(lambda: shelf.known.of(TENANT, SHORT) is not None)
        await shelf.until(lambda: shelf.known.of(TENANT, WEB) is not None)
    assert shelf.known.of(TENANT, WEB) == Role("web", key_type="ec")
    assert shelf.known.of(TENANT, SHORT) == Role("short", no_store=True)
    assert shelf.known.of(TENANT, VaultPlace("pki", "web")) is None


async def test_a_role_that_was_changed_is_known_soon(shelf: Shelf) -> None:
    async with running(shelf):
        await shelf.until(lambda: shelf.known.of(TENANT, WEB) == Role("web", key_type="ec"))
        shelf.reader.answers["web"] = Role("web", key_type="rsa")
        await shelf.until(lambda: shelf.known.of(TENANT, WEB) == Role("web", key_type="rsa"))


async def test_a_vault_that_is_away_takes_no_role_away(shelf: Shelf, events: LogCapture) -> None:
    """It is told once."""
    async with running(shelf):
        await shelf.until(lambda: shelf.known.of(TENANT, WEB) is not None)
        shelf.reader.answers["web"] = SigningDeferredError("sealed")
        await shelf.some_rounds()
        assert shelf.known.of(TENANT, WEB) == Role("web", key_type="ec")
    told = [entry for entry in events.entries if entry["event"] == "roles.unread"]
    assert [(entry["role"], entry["reason"]) for entry in told] == [("web", "sealed")]


async def test_without_permission_there_is_no_preview_and_one_line_in_the_log(
    shelf: Shelf, events: LogCapture
) -> None:
    """It is asked for once, since every refusal costs a login."""
    await shelf.published.publish(TENANT, SHORT, Role("short"))
    shelf.reader.answers["short"] = None
    async with running(shelf):
        await shelf.until(lambda: shelf.rounds() >= 5)
        assert shelf.known.of(TENANT, SHORT) is None
    assert shelf.reader.asked.count(SHORT) == 1
    told = [entry["role"] for entry in events.entries if entry["event"] == "roles.no_preview"]
    assert told == ["short"]


async def test_a_role_that_keeps_nothing_where_it_should_is_told(shelf: Shelf, events: LogCapture) -> None:
    """A lost answer could not be looked for: the profile has to say so."""
    shelf.reader.answers["web"] = Role("web", no_store=True)
    async with running(shelf):
        await shelf.some_rounds()
    told = [entry["role"] for entry in events.entries if entry["event"] == "roles.no_store"]
    assert told == ["web"]


async def test_what_was_published_is_forgotten_after_an_hour(shelf: Shelf, state: Connection) -> None:
    await shelf.published.publish(TENANT, WEB, Role("web"))
    key = "{alpha/roles}:admin/alpha:pki:web"
    assert await answer(state, "TTL", key) == 3600
    await shelf.known.learn()
    assert shelf.known.of(TENANT, WEB) == Role("web")
    await answer(state, "DEL", key)
    await shelf.known.learn()
    assert shelf.known.of(TENANT, WEB) is None


@pytest.mark.parametrize("document", [b"{}", b"junk", b'{"name":"web","key_bits":"many"}', b"[]"])
async def test_what_another_version_published_stops_nothing(
    document: bytes, shelf: Shelf, state: Connection
) -> None:
    await answer(state, "SET", "{alpha/roles}:admin/alpha:pki:web", document)
    await shelf.published.publish(TENANT, SHORT, Role("short"))
    await shelf.known.learn()
    assert shelf.known.of(TENANT, WEB) is None
    assert shelf.known.of(TENANT, SHORT) == Role("short")


async def test_what_a_later_version_knows_more_is_passed_over(shelf: Shelf, state: Connection) -> None:
    document = msgspec.json.encode({"name": "web", "key_type": "ec", "later": True})
    await answer(state, "SET", "{alpha/roles}:admin/alpha:pki:web", document)
    await shelf.known.learn()
    assert shelf.known.of(TENANT, WEB) == Role("web", key_type="ec")
