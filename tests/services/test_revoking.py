"""Revocations are repeated until Vault says yes, and nothing else is revoked (K22..K24, REV-10)."""

from datetime import timedelta

import pytest
import structlog
from cryptography import x509

from acmeproxy.adapters.redis.ledger import RedisLedger
from acmeproxy.adapters.redis.surplus import RedisSurplus, subject_of
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.job import Job, JobKind
from acmeproxy.core.order import Order
from acmeproxy.services.revoking import Revoking
from acmeproxy.services.stores import Owner
from tests.support.stored import START, TENANT
from tests.support.workshop import Workshop

SECOND = timedelta(seconds=1)


class Wish:
    """A certificate that was delivered, and that somebody wants revoked."""

    def __init__(self, workshop: Workshop, owner: Owner, order: Order, asked: Certificate) -> None:
        self.workshop = workshop
        self.owner = owner
        self.order = order
        self.asked = asked
        self.ledger = RedisLedger(workshop.state, workshop.clock)
        self.revoking = workshop.revoking
        self.job = Job(JobKind.REVOKE, TENANT, owner.account, asked.id)

    async def now(self) -> Certificate:
        """Return the certificate as it is stored."""
        stored = await self.ledger.load(self.owner, self.asked.id)
        assert stored is not None
        return stored.value


@pytest.fixture
async def wish(workshop: Workshop) -> Wish:
    owner, order = await workshop.finalized()
    assert (await workshop.issue(owner, order)).outcome == "issued"
    certificate = await workshop.certificate(owner, order)
    made = Wish(workshop, owner, order, certificate.revoke(4, START))
    stored = await made.ledger.load(owner, certificate.id)
    assert stored is not None
    await made.ledger.begin(owner, stored, made.asked)
    return made


async def test_what_was_asked_for_is_revoked_by_whoever_takes_the_job(wish: Wish) -> None:
    """K22: the process that was asked has nothing to do with it any more."""
    wish.workshop.clock.move(5 * SECOND)
    assert JobKind.REVOKE in await wish.workshop.drained()
    assert wish.workshop.signer.revoked == [wish.asked.chain[0]]
    assert (await wish.now()).revoked_at == START + 5 * SECOND
    assert await wish.workshop.due(wish.owner) == {}


async def test_it_is_tried_again_for_as_long_as_vault_is_away(
    wish: Wish, events: structlog.testing.LogCapture
) -> None:
    """K22: an hour later as soon as half a minute after it is back."""
    wish.workshop.signer.away = "sealed"
    delays = []
    for _ in range(40):
        report = await wish.revoking.revoke(wish.job)
        assert (report.outcome, report.alarm) == ("deferred", True)
        delays.append((await wish.workshop.due(wish.owner))[JobKind.REVOKE])
        wish.workshop.clock.move(timedelta(seconds=delays[-1]))
    assert delays[0] == pytest.approx(1, abs=0.01)
    assert delays == sorted(delays)
    assert delays[-1] == pytest.approx(30, abs=0.01)
    assert (await wish.now()).revoked_at is None
    wish.workshop.signer.away = ""
    assert JobKind.REVOKE in await wish.workshop.drained()
    assert (await wish.now()).revoked_at is not None
    assert [entry["event"] for entry in events.entries].count("job.revoked") == 1


async def test_when_it_has_expired_nobody_is_asked_any_more(wish: Wish) -> None:
    """A mount that is gone would be asked for ever, and alarm each half minute, about what nobody trusts."""
    wish.workshop.signer.away = "no handler for route"
    wish.workshop.clock.move(wish.asked.not_after + timedelta(hours=1) - START - SECOND)
    assert (await wish.revoking.revoke(wish.job)).outcome == "deferred"
    wish.workshop.clock.move(SECOND)
    report = await wish.revoking.revoke(wish.job)
    assert (report.outcome, report.alarm) == ("expired", True)
    assert report.fields["serial"] == wish.asked.serial
    assert JobKind.REVOKE not in await wish.workshop.due(wish.owner)
    assert (await wish.now()).revoked_at is None


async def test_what_vault_did_and_nobody_wrote_down_is_done_again_without_harm(wish: Wish) -> None:
    """K23."""
    await wish.workshop.signer.revoke(wish.workshop.tenants[TENANT], wish.asked.chain[0])
    assert (await wish.revoking.revoke(wish.job)).outcome == "revoked"
    assert wish.workshop.signer.count("revoke") == 2
    assert (await wish.revoking.revoke(wish.job)).outcome == "dropped"
    assert wish.workshop.signer.count("revoke") == 2


async def test_a_claim_that_comes_between_only_delays_it(wish: Wish) -> None:
    """K23, RPL-10: who replaces a certificate writes into the same document."""
    signer, ledger = wish.workshop.signer, wish.ledger

    class Overtaking:
        sign, find = signer.sign, signer.find

        async def revoke(self, tenant: object, certificate: bytes) -> None:
            assert tenant == wish.workshop.tenants[TENANT]
            await signer.revoke(wish.workshop.tenants[TENANT], certificate)
            stored = await ledger.load(wish.owner, wish.asked.id)
            assert stored is not None
            await ledger.begin(wish.owner, stored, stored.value.replace_by(wish.order.id))

    surplus = RedisSurplus(wish.workshop.state, wish.workshop.clock)
    overtaken = Revoking(ledger, surplus, Overtaking(), wish.workshop.tenants, wish.workshop.clock)
    assert (await overtaken.revoke(wish.job)).outcome == "overtaken"
    assert (await wish.now()).revoked_at is None
    wish.workshop.clock.move(SECOND)
    assert JobKind.REVOKE in await wish.workshop.drained()
    after = await wish.now()
    assert (after.revoked_at, after.replaced_by) == (START + SECOND, wish.order.id)


async def test_nothing_is_revoked_that_nobody_asked_for(workshop: Workshop) -> None:
    owner, order = await workshop.finalized()
    await workshop.issue(owner, order)
    certificate = await workshop.certificate(owner, order)
    for subject in (certificate.id, "never stored"):
        report = await workshop.revoking.revoke(Job(JobKind.REVOKE, TENANT, owner.account, subject))
        assert report.outcome == "dropped"
    assert workshop.signer.count("revoke") == 0


async def test_a_certificate_that_was_delivered_after_all_is_not_taken_for_surplus(
    workshop: Workshop,
) -> None:
    """K24: a worker that was overtaken put it aside while the other one delivered it."""
    owner, order = await workshop.finalized()
    await workshop.issue(owner, order)
    leaf = (await workshop.certificate(owner, order)).chain[0]
    await RedisSurplus(workshop.state, workshop.clock).add(owner, leaf)
    assert JobKind.REVOKE_SURPLUS in await workshop.drained()
    assert workshop.signer.revoked == []
    assert await RedisSurplus(workshop.state, workshop.clock).get(owner, subject_of(leaf)) is None


async def test_surplus_that_has_expired_is_forgotten(workshop: Workshop) -> None:
    """Nobody was given it, and nobody would trust it any more."""
    owner, _ = await workshop.finalized()
    workshop.signer.away = "no such mount"
    leaf = workshop.authority.root_der  # any will do
    await RedisSurplus(workshop.state, workshop.clock).add(owner, leaf)
    job = Job(JobKind.REVOKE_SURPLUS, TENANT, owner.account, subject_of(leaf))
    workshop.clock.move(
        x509.load_der_x509_certificate(leaf).not_valid_after_utc + timedelta(hours=1) - START - SECOND
    )
    assert (await workshop.revoking.revoke_surplus(job)).outcome == "deferred"
    workshop.clock.move(SECOND)
    assert (await workshop.revoking.revoke_surplus(job)).outcome == "expired"
    assert (await workshop.revoking.revoke_surplus(job)).outcome == "gone"
    assert workshop.signer.revoked == []
