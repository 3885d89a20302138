"""When to renew, and which order replaces which certificate (RFC 9773 §4, §5)."""

from collections.abc import Collection

import msgspec

from acmeproxy.core import renewal
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.identifier import Identifier
from acmeproxy.core.order import OrderStatus
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.ledger import Campaigns, Ledger
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Orders, Owner, Stored


class Claim(msgspec.Struct, frozen=True):
    """The right to replace a certificate.

    `exempt` is whether the order may go beyond the limits: the first that replaces the certificate, and not
    before it is time to (RPL-11, ARI-05).
    """

    predecessor: Stored[Certificate]
    exempt: bool


class Renewal:
    """Answers whoever asks about a certificate, and hands out the right to replace one."""

    def __init__(self, ledger: Ledger, campaigns: Campaigns, orders: Orders, clock: Clock) -> None:
        self._ledger = ledger
        self._campaigns = campaigns
        self._orders = orders
        self._clock = clock

    async def advise(self, tenant: Tenant, text: str) -> renewal.Advice:
        """Say when to renew the certificate that is named so; asks for no account (RFC 9773 §4.1, ARI-19).

        Raises:
            AcmeError: `malformed`, with status 404 where this tenant has no such certificate.
        """
        try:
            name = renewal.parse(text)
        except ValueError as error:
            raise refuse(Reference.RENEWAL_NAME, f"{error}: see RFC 9773 section 4.1") from None
        found = await self._ledger.find(tenant.name, name)
        if found is None:
            raise refuse(Reference.RENEWAL_UNKNOWN, "no certificate of this directory has this identifier")
        campaigns = await self._campaigns.list(tenant.name)
        page = tenant.website if tenant.website and tenant.website.startswith("https://") else ""
        return renewal.advise(name, found.certificate.value, campaigns, page)

    async def claim(self, owner: Owner, text: str | None, names: Collection[Identifier]) -> Claim | None:
        """Return the right to replace the certificate that a new order of an account names (RPL-01..10).

        The claim is made when the order is stored together with it, and counts for as long as that order is
        not invalid. Every refusal has the word `replaces` in it: cert-manager goes by it (RPL-12).

        Raises:
            AcmeError: `malformed`, with status 404 where there is no such certificate; `unauthorized`;
                `alreadyReplaced`.
        """
        if text is None:
            return None
        try:
            name = renewal.parse(text)
        except ValueError as error:
            raise refuse(Reference.REPLACES, f"replaces is refused: {error}") from None
        found = await self._ledger.find(owner.tenant, name)
        if found is None:
            raise refuse(Reference.REPLACES_UNKNOWN, "replaces names no certificate of this directory")
        if found.owner != owner:
            raise refuse(Reference.REPLACES_FOREIGN, "replaces names a certificate of another account")
        predecessor = found.certificate
        if not set(predecessor.value.names) & set(names):
            raise refuse(Reference.REPLACES, "replaces names a certificate without any name of this order")
        if await self._claimed(owner, predecessor.value):
            raise refuse(
                Reference.ALREADY_REPLACED, "replaces names a certificate that another order replaces already"
            )
        advice = renewal.advise(name, predecessor.value, await self._campaigns.list(owner.tenant))
        timely = advice.window.start <= self._clock()
        return Claim(predecessor, exempt=timely and predecessor.value.replaced_by is None)

    async def _claimed(self, owner: Owner, certificate: Certificate) -> bool:
        if certificate.replaced_by is None:
            return False
        loaded = await self._orders.load(owner, certificate.replaced_by)
        if loaded is None:
            return False
        found = loaded[1]
        status = found.order.value.status([a.value for a in found.authorizations], self._clock())
        return status is not OrderStatus.INVALID
