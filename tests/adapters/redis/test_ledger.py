"""Issued certificates found by their own names, revoked, replaced and listed."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.accounts import RedisCertifiedKeys
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.adapters.redis.gate import RedisGate
from acmeproxy.adapters.redis.ledger import RedisCampaigns, RedisLedger
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.adapters.redis.surplus import RedisSurplus
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.ids import CertificateId, OrderId, random_id
from acmeproxy.core.order import Order
from acmeproxy.core.renewal import Campaign, CertId
from acmeproxy.services.ledger import Delivered
from acmeproxy.services.stores import Owner, StaleError, Undelivered, Wanted
from tests.support.stored import (
    DAY,
    OTHER_TENANT,
    START,
    TENANT,
    SetClock,
    answer,
    intent_for,
    load,
    new_order,
    stored_account,
)

NAME = CertId(b"issuer", 0x1234)


class Shelf:
    """A ledger, and orders that end with certificates."""

    def __init__(self, state: Connection, clock: SetClock) -> None:
        self.state = state
        self.clock = clock
        self.orders = RedisOrders(state, clock)
        self.ledger = RedisLedger(state, clock)
        self.surplus = RedisSurplus(state, clock)

    async def processing(self) -> tuple[Owner, Order]:
        """Store an order that is being carried out."""
        owner, _ = await stored_account(self.state)
        order, authorizations = new_order(owner, status=ChallengeStatus.VALID)
        await self.orders.create(owner, order, authorizations)
        finalized = order.finalize(intent_for(order, b"csr", "key"))
        await self.orders.finalize(owner, await load(self.state, owner, order.id), finalized)
        return owner, finalized

    async def deliver(self, owner: Owner, order: Order, certificate: Certificate) -> None:
        """End an order with a certificate."""
        seen = (await load(self.state, owner, order.id)).order
        await self.orders.conclude(owner, seen, seen.value.issue(certificate.id, self.clock()), certificate)

    async def delivered(self, leaf: bytes = b"leaf", name: CertId = NAME) -> Delivered:
        """Deliver a certificate as workers do: the note first."""
        owner, order = await self.processing()
        await self.ledger.record(TENANT, name, owner, order.id)
        await self.deliver(owner, order, certificate_of(owner, order, leaf))
        found = await self.ledger.find(TENANT, name)
        assert found is not None
        return found


@pytest.fixture
def shelf(state: Connection, clock: SetClock) -> Shelf:
    return Shelf(state, clock)


def certificate_of(owner: Owner, order: Order, leaf: bytes = b"leaf", serial: str = "12:34") -> Certificate:
    return Certificate(
        id=CertificateId(random_id()),
        account_id=owner.account,
        order_id=order.id,
        names=order.identifiers,
        serial=serial,
        chain=(leaf, b"issuer"),
        not_before=START,
        not_after=START + 30 * DAY,
        issued_at=START,
    )


async def test_a_certificate_is_found_by_its_name_once_it_is_delivered(shelf: Shelf) -> None:
    """ARI-18, K22: a note without a certificate behind it leads nowhere."""
    owner, order = await shelf.processing()
    await shelf.ledger.record(TENANT, NAME, owner, order.id)
    assert await shelf.ledger.find(TENANT, NAME) is None
    certificate = certificate_of(owner, order)
    await shelf.deliver(owner, order, certificate)
    found = await shelf.ledger.find(TENANT, NAME)
    assert found is not None
    assert (found.owner, found.certificate.value) == (owner, certificate)


async def test_names_lead_nowhere_at_another_tenant_or_issuer(shelf: Shelf) -> None:
    """ARI-07, TEN-04."""
    await shelf.delivered()
    assert await shelf.ledger.find(OTHER_TENANT, NAME) is None
    assert await shelf.ledger.find(TENANT, CertId(b"another", 0x1234)) is None
    assert await shelf.ledger.find(TENANT, CertId(b"issuer", 0x1235)) is None


async def test_two_workers_with_one_certificate_note_the_same(shelf: Shelf) -> None:
    """K20: whichever of them delivers it, it is found."""
    owner, order = await shelf.processing()
    first, second = certificate_of(owner, order), certificate_of(owner, order)
    await shelf.ledger.record(TENANT, NAME, owner, order.id)
    await shelf.deliver(owner, order, first)
    await shelf.ledger.record(TENANT, NAME, owner, order.id)
    found = await shelf.ledger.find(TENANT, NAME)
    assert found is not None
    assert found.certificate.value.id == first.id != second.id


@pytest.mark.parametrize("ending", ["gone", "abandoned"])
async def test_a_note_whose_order_came_to_nothing_is_harmless(shelf: Shelf, ending: str) -> None:
    owner, order = await shelf.processing()
    await shelf.ledger.record(TENANT, NAME, owner, order.id)
    if ending == "gone":
        await answer(shelf.state, "DEL", keys.order(owner, order.id))
    assert await shelf.ledger.find(TENANT, NAME) is None
    await shelf.ledger.record(TENANT, NAME, owner, OrderId("never stored"))
    assert await shelf.ledger.find(TENANT, NAME) is None


async def test_every_certificate_has_a_slot_of_its_own_in_a_cluster(shelf: Shelf) -> None:
    names = [keys.ledger(TENANT, CertId(b"issuer", serial).digest) for serial in range(50)]
    slots = {await answer(shelf.state, "CLUSTER", "KEYSLOT", name) for name in names}
    assert len(slots) > 40


async def test_of_twenty_wishes_to_revoke_one_is_written(shelf: Shelf) -> None:
    """REV-08 (abuse)."""
    found = await shelf.delivered()
    wishes = [
        found.certificate.value.revoke(reason, START + timedelta(seconds=number))
        for number, reason in enumerate([0, 1, 3, 4, 5] * 4)
    ]
    outcomes = await asyncio.gather(
        *(shelf.ledger.begin(found.owner, found.certificate, wish) for wish in wishes), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType"] + ["StaleError"] * 19
    stored = await shelf.ledger.load(found.owner, found.certificate.value.id)
    assert stored is not None
    assert stored.value == wishes[outcomes.index(None)]


async def test_a_wish_to_revoke_is_told_to_every_process_that_says_statuses(shelf: Shelf) -> None:
    """And not to who waits for the end of it."""
    found = await shelf.delivered()
    asked = found.certificate.value.revoke(4, START)
    async with asyncio.timeout(60), shelf.state.subscribed(keys.OUTCOMES) as messages:
        await shelf.ledger.begin(found.owner, found.certificate, asked)
        subject, _, document = (await anext(messages)).partition(b" ")
    assert subject == b"revoking"
    assert msgspec.json.decode(document, type=Certificate) == asked


async def test_a_revoked_certificate_is_due_no_more(shelf: Shelf) -> None:
    """K22."""
    found = await shelf.delivered()
    owner, asked = found.owner, found.certificate.value.revoke(4, START)
    due = keys.due(keys.tag(owner))
    await shelf.ledger.begin(owner, found.certificate, asked)
    assert await answer(shelf.state, "ZCARD", due) == 1
    stored = await shelf.ledger.load(owner, asked.id)
    assert stored is not None
    await shelf.ledger.conclude(owner, stored, asked.confirm_revoked(START + DAY))
    assert await answer(shelf.state, "ZCARD", due) == 0
    with pytest.raises(StaleError):
        await shelf.ledger.conclude(owner, stored, asked.confirm_revoked(START + 2 * DAY))


async def test_what_is_put_aside_to_be_revoked_is_not_delivered(shelf: Shelf) -> None:
    """K24: neither while it waits for that, nor after it was done."""
    owner, order = await shelf.processing()
    certificate = certificate_of(owner, order, b"surplus")
    await shelf.surplus.add(owner, b"surplus")
    with pytest.raises(StaleError):
        await shelf.deliver(owner, order, certificate)
    (subject,) = await _subjects(shelf, owner)
    assert await shelf.surplus.get(owner, subject) == Undelivered(b"surplus")
    await shelf.surplus.remove(owner, subject)
    assert await shelf.surplus.get(owner, subject) is None
    with pytest.raises(StaleError):
        await shelf.deliver(owner, order, certificate)
    await shelf.deliver(owner, order, certificate_of(owner, order, b"another"))


async def test_an_order_claims_what_it_replaces_together_with_its_creation(shelf: Shelf) -> None:
    """RPL-06."""
    found = await shelf.delivered()
    owner = found.owner

    async def claim() -> str:
        order, authorizations = new_order(owner)
        await shelf.orders.create(owner, order, authorizations, predecessor=found.certificate)
        return order.id

    outcomes = await asyncio.gather(*(claim() for _ in range(10)), return_exceptions=True)
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert [outcome for outcome in outcomes if not isinstance(outcome, str | StaleError)] == []
    stored = await shelf.ledger.load(owner, found.certificate.value.id)
    assert stored is not None
    assert stored.value.replaced_by == winner
    # Of the others nothing was written: two orders are listed, the certificate's own and the winner.
    assert await answer(shelf.state, "ZCARD", keys.orders(owner)) == 2


async def test_certificates_are_listed_by_page_and_forgotten_with_their_documents(shelf: Shelf) -> None:
    names = [CertId(b"issuer", serial) for serial in range(7)]
    delivered = [await shelf.delivered(bytes([name.serial]), name) for name in names]
    assert await _listed(shelf, 2) == {found.certificate.value.id for found in delivered}
    gone = delivered[3]
    await answer(shelf.state, "DEL", keys.certificate(gone.owner, gone.certificate.value.id))
    assert len(await _listed(shelf, 3)) == 6
    shelf.clock.move(timedelta(days=830, seconds=1))
    assert await _listed(shelf, 100) == set()
    listed = [keys.certificates(keys.shard_tag(TENANT, shard)) for shard in "0123"]
    assert [await answer(shelf.state, "ZCARD", name) for name in listed] == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="none of ours"):
        await shelf.ledger.page(TENANT, "nonsense", 1)


async def test_campaigns_are_kept_by_tenant_and_the_oldest_forgotten(state: Connection) -> None:
    campaigns = RedisCampaigns(state)
    assert await campaigns.list(TENANT) == ()
    made = [Campaign(START + timedelta(seconds=n), timedelta(hours=1), serial=f"{n:02x}") for n in range(102)]
    for campaign in made:
        await campaigns.add(TENANT, campaign)
    assert await campaigns.list(TENANT) == tuple(made[2:])
    assert await campaigns.list(OTHER_TENANT) == ()


async def test_a_blocked_key_is_seen_in_the_first_round_trip(state: Connection) -> None:
    """REV-14: and blocked for its own tenant only."""
    owner, _ = await stored_account(state)
    gate = RedisGate(state)
    wanted = Wanted(account=owner.account, held_key="thumbprint")
    before = await gate.admit(TENANT, "", wanted)
    assert (before.key_held, before.key_blocked) == (False, False)
    await RedisCertifiedKeys(state).block(OTHER_TENANT, "thumbprint")
    assert await gate.admit(TENANT, "", wanted) == before
    await RedisCertifiedKeys(state).block(TENANT, "thumbprint")
    after = await gate.admit(TENANT, "", wanted)
    assert after == msgspec.structs.replace(before, key_blocked=True)


async def _listed(shelf: Shelf, limit: int) -> set[str]:
    found, cursor = await shelf.ledger.page(TENANT, "", limit)
    ids = [stored.value.id for stored in found]
    while cursor:
        found, cursor = await shelf.ledger.page(TENANT, cursor, limit)
        ids += [stored.value.id for stored in found]
    assert len(ids) == len(set(ids))
    return set(ids)


async def _subjects(shelf: Shelf, owner: Owner) -> list[str]:
    names = await answer(shelf.state, "KEYS", f"*:surplus:{owner.account}:*")
    assert isinstance(names, list)
    return [name.decode().rpartition(":")[2] for name in names]
