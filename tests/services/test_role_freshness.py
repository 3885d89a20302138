"""Nobody is refused by what a role allowed a while ago (NOR-03, INV-12)."""

import asyncio
from typing import Final

import pytest

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.adapters.redis.roles import RedisRoles
from acmeproxy.core.problem import AcmeError, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError
from acmeproxy.services.roles import KnownRoles, RoleReading, RoleUnreadError
from tests.support.scripted_roles import ScriptedRoles
from tests.support.stored import TENANT, answer

PLACE: Final = VaultPlace("pki", "web", "admin/alpha")
ALPHA: Final = Tenant(TENANT, PLACE, Names())
STRICT: Final = Role("web", key_type="rsa")
GENEROUS: Final = Role("web", key_type="ec")


def judge(role: Role | None) -> Role | None:
    """Refuse by the strict role."""
    if role == STRICT:
        raise refuse(Reference.ROLE_KEY, "the role takes keys of type rsa only")
    return role


class Desk:
    """A process that knows a role since a while, and may read it."""

    def __init__(self, state: Connection) -> None:
        self.state = state
        self.reader = ScriptedRoles()
        self.published = RedisRoles(state)
        reading = RoleReading(self.reader, self.published, {TENANT: ALPHA})
        self.known = KnownRoles(self.published, {TENANT: ALPHA}, reading)

    async def learn(self, role: Role, age: int) -> None:
        """Learn a role that was published so many seconds ago."""
        await self.published.publish(TENANT, PLACE, role)
        assert await answer(self.state, "EXPIRE", keys.role(TENANT, PLACE), 3600 - age) == 1
        await self.known.learn()

    async def judged_at_once(self, times: int) -> list[Role | BaseException | None]:
        """Judge so often at the same time."""
        return await asyncio.gather(
            *(self.known.judged(ALPHA, PLACE, judge) for _ in range(times)), return_exceptions=True
        )


@pytest.fixture
def desk(state: Connection) -> Desk:
    return Desk(state)


async def test_an_old_role_refuses_nobody_before_it_was_read_again(desk: Desk) -> None:
    """Once, however many ask, and whoever comes next knows it; others learn it too."""
    await desk.learn(STRICT, age=10)
    desk.reader.answers["web"] = GENEROUS
    assert await desk.judged_at_once(20) == [GENEROUS] * 20
    assert await desk.known.judged(ALPHA, PLACE, judge) == GENEROUS
    assert desk.reader.asked == [PLACE]
    other = Desk(desk.state)
    await other.known.learn()
    assert other.known.of(TENANT, PLACE) == GENEROUS


@pytest.mark.parametrize("age", [0, 10])
async def test_a_role_of_now_refuses(age: int, desk: Desk) -> None:
    """It is not read for every refusal: a flood of them is one question in a few seconds."""
    await desk.learn(STRICT, age)
    desk.reader.answers["web"] = STRICT
    for error in [*await desk.judged_at_once(20), *await desk.judged_at_once(1)]:
        assert isinstance(error, AcmeError)
    assert len(desk.reader.asked) == (1 if age else 0)


async def test_what_allows_is_not_read_again(desk: Desk) -> None:
    await desk.learn(GENEROUS, age=1800)
    assert await desk.known.judged(ALPHA, PLACE, judge) == GENEROUS
    assert desk.reader.asked == []


async def test_what_the_tenant_itself_refuses_needs_no_role(desk: Desk) -> None:
    await desk.learn(STRICT, age=10)

    def by_policy(_: Role | None) -> None:
        raise refuse(Reference.NAME_NOT_ALLOWED, "not among the names of the tenant")

    with pytest.raises(AcmeError):
        await desk.known.judged(ALPHA, PLACE, by_policy)
    assert desk.reader.asked == []


async def test_without_vault_there_is_no_refusal(desk: Desk) -> None:
    """INV-12: and no waiting in line for a Vault that does not answer."""
    await desk.learn(STRICT, age=10)
    desk.reader.answers["web"] = SigningDeferredError("sealed")
    for error in await desk.judged_at_once(20):
        assert isinstance(error, RoleUnreadError)
        assert str(error) == "sealed"
    assert desk.reader.asked == [PLACE]


async def test_a_role_that_may_not_be_read_any_more_refuses_nobody(desk: Desk) -> None:
    await desk.learn(STRICT, age=10)
    desk.reader.answers["web"] = None
    assert await desk.known.judged(ALPHA, PLACE, judge) is None
