"""What operators do with issued certificates: look at them, and have them renewed (RFC 9773 §4.2)."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography import x509

from acmeproxy.core.certificate import Certificate
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.ids import AccountId, OrderId, TenantName
from acmeproxy.core.renewal import Campaign, name_of
from acmeproxy.services.ledger import Campaigns, Ledger
from acmeproxy.services.ports import Clock

_PAGE: Final = 500


class Listed(msgspec.Struct, frozen=True):
    """A certificate as operators look at it.

    `issuer` is the key identifier of its issuer in hex, `identifier` its name in RFC 9773; both are empty for
    one without an authority key identifier. `state` is valid, revoking, revoked or expired. `mount` is where
    it was signed, `vault_request_id` finds that in Vault's audit log, and the rest is its provenance.
    """

    serial: str
    names: tuple[str, ...]
    account: AccountId
    state: str
    not_before: datetime
    not_after: datetime
    issuer: str
    identifier: str
    reason: int | None = None
    order: OrderId | None = None
    mount: str = ""
    vault_request_id: str = ""
    eab_kid: str | None = None
    methods: tuple[ChallengeType, ...] = ()
    tags: dict[str, str] = {}


class Renewals(msgspec.Struct, frozen=True):
    """Which certificates to renew, and within what time; what is empty does not narrow the choice."""

    spread: timedelta
    explanation: str = ""
    issuer: str = ""
    serial: str = ""
    account: AccountId | None = None


class Certificates:
    """Acts on certificates for an operator."""

    def __init__(self, ledger: Ledger, campaigns: Campaigns, clock: Clock) -> None:
        self._ledger = ledger
        self._campaigns = campaigns
        self._clock = clock

    async def list(self, tenant: TenantName) -> list[Listed]:
        """List a tenant's certificates, those first that expire first."""
        now = self._clock()
        found = [certificate async for certificate in self._all(tenant)]
        found.sort(key=lambda one: (one.not_after, one.issued_at))
        return [_listed(certificate, now) for certificate in found]

    async def renew(self, tenant: TenantName, wanted: Renewals) -> int:
        """Have certificates renewed when their clients next ask, and return how many; of none, do nothing.

        Those that are issued from now on are not meant.
        """
        now = self._clock()
        campaign = Campaign(
            at=now,
            spread=wanted.spread,
            explanation=wanted.explanation,
            issuer=wanted.issuer,
            serial=wanted.serial,
            account=wanted.account,
        )
        count = 0
        async for certificate in self._all(tenant):
            name = name_of(x509.load_der_x509_certificate(certificate.chain[0]))
            living = certificate.revoking_at is None and now < certificate.not_after
            count += name is not None and living and campaign.covers(name, certificate)
        if count:
            await self._campaigns.add(tenant, campaign)
        return count

    async def _all(self, tenant: TenantName) -> AsyncIterator[Certificate]:
        found, cursor = await self._ledger.page(tenant, "", _PAGE)
        while True:
            for stored in found:
                yield stored.value
            if not cursor:
                return
            found, cursor = await self._ledger.page(tenant, cursor, _PAGE)


def _listed(certificate: Certificate, now: datetime) -> Listed:
    name = name_of(x509.load_der_x509_certificate(certificate.chain[0]))
    provenance = certificate.provenance
    return Listed(
        serial=certificate.serial,
        names=tuple(identifier.value for identifier in certificate.names),
        account=certificate.account_id,
        state=_state(certificate, now),
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        issuer=name.key_identifier.hex() if name else "",
        identifier=name.text if name else "",
        reason=certificate.reason,
        order=certificate.order_id,
        mount=certificate.mount,
        vault_request_id=certificate.vault_request_id,
        eab_kid=provenance.eab_kid if provenance else None,
        methods=provenance.methods if provenance else (),
        tags=provenance.tags if provenance else {},
    )


def _state(certificate: Certificate, now: datetime) -> str:
    if certificate.revoked_at:
        return "revoked"
    if certificate.revoking_at:
        return "revoking"
    return "valid" if now < certificate.not_after else "expired"
