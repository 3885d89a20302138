"""One step towards a certificate; a kill -9 anywhere leaves a way on (threat-model K10..K20)."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec
from cryptography import x509

from acmeproxy.core import ids
from acmeproxy.core.account import Account
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import TenantName
from acmeproxy.core.inspection import MismatchError, inspect, sound_alternates
from acmeproxy.core.jwk import AccountKey
from acmeproxy.core.order import Intent, Issued, Order, Processing
from acmeproxy.core.problem import Problem, problem
from acmeproxy.core.reference import Reference
from acmeproxy.core.renewal import CertId, name_of
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.account_stores import CertifiedKeys
from acmeproxy.services.ledger import Ledger
from acmeproxy.services.ports import (
    Clock,
    Signed,
    Signer,
    SigningDeferredError,
    SigningRefusedError,
    SigningUncertainError,
)
from acmeproxy.services.reports import Report
from acmeproxy.services.stores import Orders, Owner, StaleError, Stored, Surplus

_FIRST_DELAY: Final = timedelta(seconds=1)
_LONGEST_DELAY: Final = timedelta(seconds=30)
_LONGEST_WISH: Final = timedelta(minutes=1)
#: An account's contact or key may change while a certificate is handed over; not often.
_TRIES: Final = 3
#: A worker that marked an attempt is left alone with it for so long, then others look.
_ATTEMPT_LEASE: Final = timedelta(seconds=30)


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


class Signing:
    """Has intents signed, at most one live certificate for each.

    Args:
        anchors: DER of the roots to which a tenant's certificates must lead.
        settling: For how long a call whose answer was lost may still be at work inside Vault.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it needs, each named at its one place of use
        self,
        orders: Orders,
        surplus: Surplus,
        certified: CertifiedKeys,
        ledger: Ledger,
        signer: Signer,
        clock: Clock,
        *,
        anchors: Mapping[TenantName, Sequence[bytes]],
        settling: timedelta,
    ) -> None:
        self._orders = orders
        self._surplus = surplus
        self._certified = certified
        self._ledger = ledger
        self._signer = signer
        self._clock = clock
        self._anchors = anchors
        self._settling = settling

    async def advance(self, step: Step) -> Report:
        """Adopt what an earlier attempt left behind, or sign; then check, and commit or discard."""
        try:
            if step.intent.attempted_at is not None:
                return await self._recover(step)
            return await self._sign_unless(step)
        except StaleError:
            return Report("overtaken")  # another worker is at it, or the account was closed (K20)

    async def _sign(self, step: Step) -> Report:
        attempted = step.order.value.attempt(self._clock(), step.tenant.vault.mount)
        marked = await self._mark(step, attempted, _ATTEMPT_LEASE)
        try:
            signed = await self._signer.sign(step.tenant, marked.intent)
        except SigningDeferredError as error:
            delay = _pause(error, marked.intent)
            await self._mark(marked, marked.order.value.nothing_signed(), delay)
            return Report("deferred", {"order": step.order.value.id, "reason": str(error)}, alarm=True)
        except SigningUncertainError as error:
            if not step.tenant.vault.store:
                return await self._lost(marked, str(error))
            await self._look_again(marked, _FIRST_DELAY)
            return Report("uncertain", {"order": step.order.value.id, "reason": str(error)}, alarm=True)
        except SigningRefusedError as error:
            text = "the CA refused to sign what it had promised: ask the PKI team"
            reason = error.problem or problem(Reference.SIGNING_REFUSED, text)
            ended = marked.order.value.abandon(reason, self._clock())
            await self._orders.conclude(marked.owner, marked.order, ended, None)
            return Report("refused", {"order": step.order.value.id, "reason": str(error)}, alarm=True)
        return await self._deliver(marked, signed, adopted=False)

    async def _recover(self, step: Step) -> Report:
        """Look for what a lost answer may have held, before anything is signed again (K12..K16)."""
        began = step.intent.attempted_at
        if not step.tenant.vault.store:
            if began is not None and self._clock() < began + _ATTEMPT_LEASE:
                await self._look_again(step, _FIRST_DELAY * 2)
                return Report("settling", {"order": step.order.value.id})
            return await self._lost(step, "a worker ended during the call")
        try:
            found = await self._signer.find(step.tenant.at_mount(step.intent.mount), step.intent)
        except SigningDeferredError as error:
            await self._look_again(step, _pause(error, step.intent))
            return Report("deferred", {"order": step.order.value.id, "reason": str(error)}, alarm=True)
        found = await self._nobodys(step, found)
        for surplus in found if step.obstacle else found[1:]:
            await self._surplus.add(step.owner, surplus.leaf, step.intent.mount)
        if found and not step.obstacle:
            return await self._deliver(step, found[0], adopted=True)
        if began is not None and self._clock() < began + self._settling:
            await self._look_again(step, _FIRST_DELAY * 2)
            return Report("settling", {"order": step.order.value.id})
        return await self._sign_unless(step)

    async def _lost(self, step: Step, reason: str) -> Report:
        """Give up what Vault may have signed and keeps nowhere: nobody holds it, so nobody can revoke it."""
        await self._mark(step, step.order.value.nothing_signed(), _delay(step.intent))
        fields = {"order": step.order.value.id, "intent": step.intent.id, "reason": reason}
        return Report("lost", fields, alarm=True)

    async def _nobodys(self, step: Step, found: Sequence[Signed]) -> Sequence[Signed]:
        """Leave out what another order was given: a client may order the same again with the same key."""
        free: dict[bytes, Signed] = {}
        for signed in found:
            name = _name(signed.leaf)
            known = await self._ledger.find(step.tenant.name, name) if name else None
            if known is None or known.certificate.value.order_id == step.order.value.id:
                free.setdefault(signed.leaf, signed)
        return tuple(free.values())

    async def _sign_unless(self, step: Step) -> Report:
        if step.obstacle is None:
            return await self._sign(step)
        ended = step.order.value.abandon(step.obstacle, self._clock())
        await self._orders.conclude(step.owner, step.order, ended, None)
        return Report("abandoned", {"order": ended.id, "error": step.obstacle.detail})

    async def _deliver(self, step: Step, signed: Signed, *, adopted: bool) -> Report:
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
        name, tenant = _name(leaf), step.tenant.name
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

    async def _mark(self, step: Step, order: Order, look_in: timedelta) -> Step:
        when = self._clock() + look_in
        written = await self._orders.mark(step.owner, step.account, step.order, order, when)
        progress = written.value.progress
        intent = progress.intent if isinstance(progress, Processing) else step.intent
        return msgspec.structs.replace(step, order=written, intent=intent)

    async def _look_again(self, step: Step, look_in: timedelta) -> None:
        await self._orders.look_again(step.owner, step.order.value, self._clock() + look_in)


def _pause(error: SigningDeferredError, intent: Intent) -> timedelta:
    """Wait as long as Vault wishes; a gateway that wishes for an hour is not heeded so long."""
    return min(error.retry_after or _delay(intent), _LONGEST_WISH)


def _delay(intent: Intent) -> timedelta:
    """Wait longer with every attempt, up to half a minute."""
    return min(_FIRST_DELAY * (1 << min(intent.attempts, 6)), _LONGEST_DELAY)


def _thumbprint(intent: Intent) -> str:
    return AccountKey.of(x509.load_der_x509_csr(intent.csr).public_key()).thumbprint


def _name(leaf: bytes) -> CertId | None:
    return name_of(x509.load_der_x509_certificate(leaf))
