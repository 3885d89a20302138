"""What happens between finalize and signing stops the signing, as late as can be (INV-1)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import pytest

from acmeproxy.adapters.redis import keys
from acmeproxy.core.job import JobKind
from acmeproxy.core.order import Abandoned, Intent, Order, Processing
from acmeproxy.core.tenant import Names
from acmeproxy.services.ports import Signed
from acmeproxy.services.stores import Owner
from tests.support.stored import TENANT, answer
from tests.support.workshop import SETTLING, Workshop

Happening = Callable[[Workshop, Owner, Order], Awaitable[object]]
ERROR = "urn:ietf:params:acme:error:"


async def policy_is_narrowed(workshop: Workshop, _: Owner, __: Order) -> None:
    narrow = Names(("alpha.example",), ("*.alpha.example",))
    workshop.tenants[TENANT] = msgspec.structs.replace(workshop.tenants[TENANT], names=narrow)


async def account_is_closed(workshop: Workshop, owner: Owner, _: Order) -> None:
    await workshop.close(owner)


async def authorization_is_given_up(workshop: Workshop, owner: Owner, order: Order) -> None:
    await workshop.give_up(owner, order, which=1)


async def authorization_is_lost(workshop: Workshop, owner: Owner, order: Order) -> None:
    await answer(workshop.state, "DEL", keys.authorization(owner, order.authorizations[1]))


async def order_expires(workshop: Workshop, _: Owner, __: Order) -> None:
    workshop.clock.move(timedelta(hours=24))


HAPPENINGS: dict[str, tuple[Happening, str]] = {
    "STA-08 the policy is narrowed": (policy_is_narrowed, "rejectedIdentifier"),
    "ACC-02 the account is closed": (account_is_closed, "unauthorized"),
    "STA-03 an authorization is given up": (authorization_is_given_up, "orderNotReady"),
    "INV-12 an authorization is lost": (authorization_is_lost, "orderNotReady"),
    "STA-09 the order expires": (order_expires, "serverInternal"),
}
NAMES = ("www.alpha.example", "mail.alpha.example")


@pytest.mark.parametrize("what", HAPPENINGS)
async def test_it_is_not_signed_any_more(what: str, workshop: Workshop) -> None:
    happening, error = HAPPENINGS[what]
    owner, order = await workshop.finalized(NAMES)
    await happening(workshop, owner, order)
    assert (await workshop.issue(owner, order)).outcome == "abandoned"
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Abandoned)
    assert progress.error.type == ERROR + error
    assert workshop.signer.calls == []
    assert await workshop.due(owner) == {}


@pytest.mark.parametrize("what", HAPPENINGS)
async def test_what_was_signed_already_is_revoked_and_not_delivered(what: str, workshop: Workshop) -> None:
    """INV-5: the answer was lost, and then came the obstacle."""
    happening, error = HAPPENINGS[what]
    owner, order = await workshop.finalized(NAMES)
    workshop.signer.script.append(workshop.signer.loses(signed=True))
    assert (await workshop.issue(owner, order)).outcome == "uncertain"
    leaf = workshop.signer.store[0][1].leaf
    await happening(workshop, owner, order)

    outcomes = [(await workshop.issue(owner, order)).outcome]
    assert await workshop.surplus(owner) == [leaf]
    workshop.clock.move(SETTLING)
    outcomes.append((await workshop.issue(owner, order)).outcome)
    assert "abandoned" in outcomes
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Abandoned)
    assert progress.error.type == ERROR + error
    await workshop.drained()
    assert workshop.signer.revoked == [leaf]
    assert workshop.signer.count("sign") == 1


async def test_an_obstacle_that_is_gone_again_brings_a_certificate_that_is_not_revoked(
    workshop: Workshop,
) -> None:
    """K24: what was put aside to be revoked is not delivered, although the policy was mended meanwhile."""
    owner, order = await workshop.finalized(NAMES)
    workshop.signer.script.append(workshop.signer.loses(signed=True))
    await workshop.issue(owner, order)
    before = workshop.tenants[TENANT]
    await policy_is_narrowed(workshop, owner, order)
    assert (await workshop.issue(owner, order)).outcome == "settling"
    workshop.tenants[TENANT] = before
    put_aside = workshop.signer.store[0][1].leaf
    for _ in range(4):
        workshop.clock.move(timedelta(seconds=31))
        await workshop.drained()
    assert workshop.signer.revoked == [put_aside]
    delivered = await workshop.certificate(owner, order)
    assert delivered.chain[0] not in workshop.signer.revoked


async def test_authorizations_that_expired_meanwhile_are_no_obstacle(workshop: Workshop) -> None:
    """Finalize saw them valid: that signing is late is our slowness, not the client's fault."""
    owner, order = await workshop.finalized(NAMES)
    for one in order.authorizations:
        document = await answer(workshop.state, "GET", keys.authorization(owner, one))
        assert isinstance(document, bytes)
        sooner = document.replace(b"2026-03-02T12:00:00Z", b"2026-03-01T12:00:01Z")
        assert sooner != document
        await answer(workshop.state, "SET", keys.authorization(owner, one), sooner)
    workshop.clock.move(timedelta(minutes=1))
    assert (await workshop.issue(owner, order)).outcome == "issued"


async def test_an_order_of_a_tenant_that_was_removed_is_not_signed(workshop: Workshop) -> None:
    """TEN-09: and goes on where it was if the tenant comes back, or another worker serves it."""
    owner, order = await workshop.finalized()
    removed = workshop.tenants.pop(TENANT)
    await workshop.drained()
    assert workshop.signer.calls == []
    assert isinstance((await workshop.order(owner, order)).progress, Processing)
    assert await workshop.due(owner) == {JobKind.ISSUE: 30}
    workshop.tenants[TENANT] = removed
    workshop.clock.move(timedelta(seconds=30))
    await workshop.drained()
    assert (await workshop.certificate(owner, order)).chain[0] == workshop.signer.store[0][1].leaf


async def test_an_account_that_is_closed_during_the_call_gets_nothing(workshop: Workshop) -> None:
    """ACC-02, INV-5: what was signed for it is revoked."""
    owner, order = await workshop.finalized(NAMES)

    async def closing(intent: Intent) -> Signed:
        await workshop.close(owner)
        return workshop.signer.keep(intent)

    workshop.signer.script.append(closing)
    assert (await workshop.issue(owner, order)).outcome == "overtaken"
    assert isinstance((await workshop.order(owner, order)).progress, Processing)
    assert await workshop.surplus(owner) == [workshop.signer.store[0][1].leaf]


async def test_another_contact_during_the_call_costs_no_certificate(workshop: Workshop) -> None:
    owner, order = await workshop.finalized(NAMES)

    async def changing(intent: Intent) -> Signed:
        await workshop.contact(owner, "mailto:new@alpha.example")
        return workshop.signer.keep(intent)

    workshop.signer.script.append(changing)
    assert (await workshop.issue(owner, order)).outcome == "issued"
    assert await workshop.surplus(owner) == []
    assert workshop.signer.count("sign") == 1
