"""What is to be revoked, repeated until Vault says yes (threat-model K22..K24)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from cryptography import x509

from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import CertificateId, TenantName
from acmeproxy.core.job import Job
from acmeproxy.core.patience import patience
from acmeproxy.core.renewal import name_of
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.ledger import Ledger
from acmeproxy.services.ports import Clock, Signer, SigningDeferredError
from acmeproxy.services.reports import Report
from acmeproxy.services.stores import Owner, StaleError, Surplus

_SHORTEST: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(seconds=30)
#: A certificate is given up so long after its end, for clocks that differ.
_OVER: Final = timedelta(hours=1)


class Revoking:
    """Carries revocations out."""

    def __init__(
        self,
        ledger: Ledger,
        surplus: Surplus,
        signer: Signer,
        tenants: Mapping[TenantName, Tenant],
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._surplus = surplus
        self._signer = signer
        self._tenants = tenants
        self._clock = clock

    async def revoke(self, job: Job) -> Report:
        """Revoke a certificate and write that down. Safe to run twice: to Vault twice is once."""
        owner = Owner(job.tenant, job.account)
        stored = await self._ledger.load(owner, CertificateId(job.subject))
        tenant = self._tenants[job.tenant]
        if stored is None or not _wanted(stored.value):
            await self._ledger.drop(owner, CertificateId(job.subject))
            return Report("dropped")
        certificate = stored.value
        fields = {"serial": certificate.serial, "code": str(certificate.reason or 0)}
        try:
            # Where it was signed, wherever the tenant has its certificates signed by now.
            await self._signer.revoke(tenant.at_mount(certificate.mount), certificate.chain[0])
        except SigningDeferredError as error:
            if self._clock() >= certificate.not_after + _OVER:
                # Nobody trusts it any more, and its mount may be gone for good.
                await self._ledger.drop(owner, certificate.id)
                return Report("expired", {**fields, "reason": str(error)}, alarm=True)
            await self._ledger.look_again(owner, certificate, self._clock() + self._delay(certificate))
            return Report("deferred", {**fields, "reason": str(error)}, alarm=True)
        try:
            await self._ledger.conclude(owner, stored, certificate.confirm_revoked(self._clock()))
        except StaleError:
            await self._ledger.look_again(owner, certificate, self._clock() + _SHORTEST)
            return Report("overtaken", fields)
        return Report("revoked", fields)

    async def revoke_surplus(self, job: Job) -> Report:
        """Revoke a certificate that nobody was given."""
        owner, tenant = Owner(job.tenant, job.account), self._tenants[job.tenant]
        surplus = await self._surplus.get(owner, job.subject)
        if surplus is None:
            return Report("gone")
        leaf = x509.load_der_x509_certificate(surplus.leaf)
        if await self._was_delivered(tenant, leaf, surplus.leaf):
            await self._surplus.remove(owner, job.subject)
            return Report("kept")
        outcome = Report("revoked")
        try:
            await self._signer.revoke(tenant.at_mount(surplus.mount), surplus.leaf)
        except SigningDeferredError as error:
            if self._clock() < leaf.not_valid_after_utc + _OVER:
                return Report("deferred", {"reason": str(error)})
            # Nobody trusts it any more, and its mount may be gone for good.
            outcome = Report("expired", {"reason": str(error)}, alarm=True)
        await self._surplus.remove(owner, job.subject)
        return outcome

    async def _was_delivered(self, tenant: Tenant, leaf: x509.Certificate, der: bytes) -> bool:
        """Look once more: it may have been delivered while it was put aside; now it cannot be (K24)."""
        name = name_of(leaf)
        found = await self._ledger.find(tenant.name, name) if name else None
        return found is not None and found.certificate.value.chain[0] == der

    def _delay(self, certificate: Certificate) -> timedelta:
        """Wait half as long again as it was waited for so far, from a second to half a minute."""
        waited = self._clock() - (certificate.revoking_at or self._clock())
        return patience(waited, _SHORTEST, _LONGEST)


def _wanted(certificate: Certificate) -> bool:
    return certificate.revoking_at is not None and certificate.revoked_at is None
