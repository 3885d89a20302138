"""What Vault signed is checked, and given to an account that is open at that moment, or to nobody."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from cryptography import x509

from acmeproxy.core import ids
from acmeproxy.core.account import Account
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import TenantName
from acmeproxy.core.inspection import MismatchError, inspect, sound_alternates
from acmeproxy.core.jwk import AccountKey
from acmeproxy.core.order import Intent, Issued, Order
from acmeproxy.core.problem import Problem, problem
from acmeproxy.core.reference import Reference
from acmeproxy.core.renewal import name_of
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.account_stores import CertifiedKeys
from acmeproxy.services.ledger import Ledger
from acmeproxy.services.ports import Clock, Signed
from acmeproxy.services.reports import Report
from acmeproxy.services.stores import Orders, Owner, StaleError, Stored, Surplus

#: An account's contact or key may change while a certificate is handed over; not often.
_TRIES: Final = 3


class Step(msgspec.Struct, frozen=True):
    """A processing order, with everything that must be unchanged when the step is written.

    `obstacle` is why it must not be signed any more, although an attempt may have signed it already.
    """

    owner: Owner
    tenant: Tenant
    account: Stored[Account]
    order: Stored[Order]
    intent: Intent
    obstacle: Problem | None = None


class Handover:
    """Gives certificates to those who ordered them, and has everything else revoked.

    Args:
        anchors: DER of the roots to which a tenant's certificates must lead.
    """

    def __init__(  # noqa: PLR0913 - what it needs, each named at its one place of use
        self,
        orders: Orders,
        surplus: Surplus,
        certified: CertifiedKeys,
        ledger: Ledger,
        clock: Clock,
        *,
        anchors: Mapping[TenantName, Sequence[bytes]],
    ) -> None:
        self._orders = orders
        self._surplus = surplus
        self._certified = certified
        self._ledger = ledger
        self._clock = clock
        self._anchors = anchors

    async def deliver(self, step: Step, signed: Signed, *, adopted: bool) -> Report:
        """Hold a certificate against its order, and deliver it or discard it.

        Raises:
            StaleError: The order went on without us, or the account was closed; the certificate is surplus.
        """
        now = self._clock()
        anchors = self._anchors.get(step.tenant.name, ())
        try:
            seen = inspect(signed.leaf, signed.issuers, step.intent, anchors, now)
        except MismatchError as error:
            return await self._mismatch(step, signed, str(error))
        certificate = Certificate(
            id=ids.CertificateId(ids.random_id()),
            account_id=step.owner.account,
            order_id=step.order.value.id,
            names=step.intent.names,
            serial=seen.serial,
            chain=seen.chain,
            not_before=seen.not_before,
            not_after=seen.not_after,
            issued_at=now,
            vault_request_id=signed.request_id,
            adopted=adopted,
            alternates=sound_alternates(signed.leaf, signed.alternates, step.intent, anchors, now),
            mount=step.intent.mount,
            provenance=step.intent.provenance,
        )
        await self._announce(step, signed.leaf)
        await self._hand_over(step, signed, certificate)
        return Report(
            "adopted" if adopted else "issued",
            {
                "order": certificate.order_id,
                "serial": certificate.serial,
                "names": ",".join(name.value for name in certificate.names),
                "not_after": certificate.not_after.isoformat(),
                "vault_request_id": certificate.vault_request_id,
            },
        )

    async def _hand_over(self, step: Step, signed: Signed, certificate: Certificate) -> None:
        """Deliver to an account that is open at this very moment, or to nobody (ACC-02).

        Raises:
            StaleError: The order went on without us, or the account was closed; the certificate is surplus.
        """
        issued = step.order.value.issue(certificate.id, certificate.issued_at)
        account = step.account
        for _ in range(_TRIES):
            try:
                await self._orders.conclude(step.owner, step.order, issued, certificate, account)
            except StaleError:
                loaded = await self._orders.load(step.owner, issued.id)
                if loaded is None or loaded[1].order.revision != step.order.revision:
                    break
                account = loaded[0]
                if account.value.closed_at is not None:
                    break
            else:
                return
        await self._discard(step, signed, certificate.serial)
        raise StaleError

    async def _announce(self, step: Step, leaf: bytes) -> None:
        """Write down whose key and whose certificate it is, before anybody can have it."""
        name, tenant = name_of(x509.load_der_x509_certificate(leaf)), step.tenant.name
        notes = [self._certified.add(tenant, _thumbprint(step.intent))]
        if name is not None:
            notes.append(self._ledger.record(tenant, name, step.owner, step.order.value.id))
        # Together, since each waits for the disk.
        await asyncio.gather(*notes)

    async def _mismatch(self, step: Step, signed: Signed, reason: str) -> Report:
        """Deliver nothing, have it revoked, end the order, raise the alarm (FIN-19)."""
        await self._surplus.add(step.owner, signed.leaf, step.intent.mount)
        text = "the CA signed something else than was ordered, which was not delivered: ask the PKI team"
        ended = step.order.value.abandon(problem(Reference.CERTIFICATE_MISMATCH, text), self._clock())
        await self._orders.conclude(step.owner, step.order, ended, None)
        return Report("mismatch", {"order": step.order.value.id, "reason": reason}, alarm=True)

    async def _discard(self, step: Step, signed: Signed, serial: str) -> None:
        """The order went on without us: what we hold is surplus, unless it is what was delivered."""
        loaded = await self._orders.load(step.owner, step.order.value.id)
        progress = loaded[1].order.value.progress if loaded else None
        delivered = isinstance(progress, Issued) and await self._orders.delivered(
            step.owner, progress.certificate_id
        )
        if delivered != serial:
            await self._surplus.add(step.owner, signed.leaf, step.intent.mount)


def _thumbprint(intent: Intent) -> str:
    return AccountKey.of(x509.load_der_x509_csr(intent.csr).public_key()).thumbprint
