"""Which orders that replace a certificate go beyond the limits (RPL-11)."""

from datetime import timedelta

import pytest
from cryptography import x509

from acmeproxy.adapters.redis.ledger import RedisCampaigns, RedisLedger
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.renewal import Campaign, name_of
from acmeproxy.services.renewal import Claim, Renewal
from acmeproxy.services.stores import Owner
from tests.support.stored import START, TENANT, new_order
from tests.support.workshop import Workshop

HOUR = timedelta(hours=1)


class Holder:
    """Somebody who has a certificate of a day."""

    def __init__(self, workshop: Workshop, owner: Owner, identifier: str) -> None:
        self.workshop = workshop
        self.owner = owner
        self.identifier = identifier
        ledger = RedisLedger(workshop.state, workshop.clock)
        self.campaigns = RedisCampaigns(workshop.state)
        self.renewal = Renewal(ledger, self.campaigns, workshop.orders, workshop.clock)

    async def claim(self) -> Claim:
        """Claim the certificate for an order of the same name."""
        order, _ = new_order(self.owner)
        claim = await self.renewal.claim(self.owner, self.identifier, order.identifiers)
        assert claim is not None
        return claim


@pytest.fixture
async def holder(workshop: Workshop) -> Holder:
    owner, order = await workshop.finalized()
    await workshop.issue(owner, order)
    leaf = x509.load_der_x509_certificate((await workshop.certificate(owner, order)).chain[0])
    name = name_of(leaf)
    assert name is not None
    return Holder(workshop, owner, name.text)


@pytest.mark.parametrize(("hours", "exempt"), [(0, False), (11, False), (13, True), (30, True)])
async def test_only_who_renews_in_time_is_exempt(holder: Holder, hours: int, exempt: bool) -> None:  # noqa: FBT001 - a parameter
    """RPL-11, ARI-05 (abuse): renewing again and again what was just issued is no renewal."""
    holder.workshop.clock.move(hours * HOUR)
    assert (await holder.claim()).exempt is exempt


async def test_whom_the_operator_told_to_renew_is_exempt(holder: Holder) -> None:
    """RPL-11."""
    await holder.campaigns.add(TENANT, Campaign(START + HOUR, HOUR))
    holder.workshop.clock.move(3 * HOUR)
    assert (await holder.claim()).exempt


async def test_a_certificate_exempts_one_order_only(holder: Holder) -> None:
    """ARI-05 (abuse): the order after one that failed is counted."""
    workshop = holder.workshop
    workshop.clock.move(13 * HOUR)
    claim = await holder.claim()
    order, authorizations = new_order(holder.owner, status=ChallengeStatus.PENDING, now=workshop.clock())
    await workshop.orders.create(holder.owner, order, authorizations, predecessor=claim.predecessor)
    await workshop.give_up(holder.owner, order)
    second = await holder.claim()
    assert (second.exempt, second.predecessor.value.replaced_by) == (False, order.id)
