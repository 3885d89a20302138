"""One step towards a certificate; a kill -9 anywhere leaves a way on (threat-model K10..K20)."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography import x509

from acmeproxy.core.order import Intent, Order, Processing
from acmeproxy.core.patience import patience
from acmeproxy.core.problem import problem
from acmeproxy.core.reference import Reference
from acmeproxy.core.renewal import CertId, name_of
from acmeproxy.services.handover import Handover, Step
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
from acmeproxy.services.stores import Orders, StaleError, Surplus

_FIRST_DELAY: Final = timedelta(seconds=1)
_LONGEST_DELAY: Final = timedelta(seconds=30)
_LONGEST_WISH: Final = timedelta(minutes=1)
#: What an order left behind that has ended: nobody waits for it, and it is to be found so soon (INV-5).
_LONGEST_HUNT: Final = timedelta(minutes=15)
#: A worker that marked an attempt is left alone with it for so long, then others look.
_ATTEMPT_LEASE: Final = timedelta(seconds=30)
#: A certificate is forgotten so long after its end, for clocks that differ.
_OVER: Final = timedelta(hours=1)


class Signing:
    """Has intents signed, at most one live certificate for each.

    Args:
        leaving: For how long after its mark the request of an attempt may leave; later, it does not.
        settling: For how long after its mark it may be on its way, or at work inside Vault.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it needs, each named at its one place of use
        self,
        orders: Orders,
        surplus: Surplus,
        ledger: Ledger,
        signer: Signer,
        handover: Handover,
        clock: Clock,
        *,
        leaving: timedelta,
        settling: timedelta,
    ) -> None:
        self._orders = orders
        self._surplus = surplus
        self._ledger = ledger
        self._signer = signer
        self._handover = handover
        self._clock = clock
        self._leaving = leaving
        self._settling = settling

    async def advance(self, step: Step) -> Report:
        """Adopt what an earlier attempt left behind, or sign; then check, and commit or discard."""
        try:
            if step.intent.attempted_at is not None:
                return await self._recover(step)
            return await self._sign_unless(step)
        except StaleError:
            return Report("overtaken")  # another worker is at it, or the account was closed (K20)

    async def clear(self, step: Step) -> Report:
        """Have revoked what an order that has ended may have left in Vault, until that has ended too."""
        fields: dict[str, str] = {"order": step.order.value.id, "intent": step.intent.id}
        if self._clock() >= _end(step.intent) + _OVER:
            await self._orders.drop(step.owner, step.order.value)
            return Report("forgotten", fields, alarm=True)
        try:
            found = await self._found(step)
        except SigningDeferredError as error:
            await self._look_again(step, self._next_look(error, step.intent, _LONGEST_HUNT))
            return Report("deferred", {**fields, "reason": str(error)}, alarm=True)
        for one in found:
            await self._surplus.add(step.owner, one.leaf, step.intent.mount)
        if self._since(step.intent) < self._settling:
            await self._look_again(step, self._settles(step.intent))
            return Report("settling", fields)
        await self._orders.drop(step.owner, step.order.value)
        return Report("cleared", fields)

    async def _sign(self, step: Step) -> Report:
        # Counted from before the mark, so that who reads the mark knows when nothing can leave any more.
        leave_by = time.monotonic() + self._leaving.total_seconds()
        place = step.tenant.vault
        attempted = step.order.value.attempt(self._clock(), place.mount, store=place.store)
        marked = await self._mark(step, attempted, _ATTEMPT_LEASE)
        try:
            signed = await self._signer.sign(step.tenant, marked.intent, leave_by=leave_by)
        except SigningDeferredError as error:
            delay = min(error.retry_after or _delay(marked.intent), _LONGEST_WISH)
            await self._mark(marked, marked.order.value.nothing_signed(self._clock() + delay), delay)
            return Report("deferred", {"order": step.order.value.id, "reason": str(error)}, alarm=True)
        except SigningUncertainError as error:
            if not place.store:
                return await self._lost(marked, str(error))
            await self._look_again(marked, _FIRST_DELAY)
            return Report("uncertain", {"order": step.order.value.id, "reason": str(error)}, alarm=True)
        except SigningRefusedError as error:
            text = "the CA refused to sign what it had promised: ask the PKI team"
            reason = error.problem or problem(Reference.SIGNING_REFUSED, text)
            ended = marked.order.value.abandon(reason, self._clock())
            await self._orders.conclude(marked.owner, marked.order, ended, None)
            return Report("refused", {"order": step.order.value.id, "reason": str(error)}, alarm=True)
        return await self._handover.deliver(marked, signed, adopted=False)

    async def _recover(self, step: Step) -> Report:
        """Look for what a lost answer may have held, before anything is signed again (K12..K16)."""
        fields: dict[str, str] = {"order": step.order.value.id}
        if not _kept_by_vault(step):
            if self._since(step.intent) < max(_ATTEMPT_LEASE, 2 * self._leaving):
                await self._look_again(step, self._settles(step.intent))
                return Report("settling", fields)
            return await self._lost(step, "a worker ended during the call")
        try:
            found = await self._found(step)
        except SigningDeferredError as error:
            return await self._unfound(step, error)
        for surplus in found if step.obstacle else found[1:]:
            await self._surplus.add(step.owner, surplus.leaf, step.intent.mount)
        if found and not step.obstacle:
            return await self._handover.deliver(step, found[0], adopted=True)
        if self._since(step.intent) < self._settling:
            await self._look_again(step, self._settles(step.intent))
            return Report("settling", fields)
        return await self._sign_unless(step)

    async def _unfound(self, step: Step, error: SigningDeferredError) -> Report:
        """Wait until Vault can be asked; an order that has expired ends, and leaves us to look on."""
        pause = self._next_look(error, step.intent, _LONGEST_DELAY)
        fields = {"order": step.order.value.id, "reason": str(error)}
        if step.obstacle is None or self._clock() < step.order.value.expires:
            await self._look_again(step, pause)
            return Report("deferred", fields, alarm=True)
        ended = step.order.value.abandon(step.obstacle, self._clock(), unseen=step.intent)
        await self._mark(step, ended, pause)
        return Report("abandoned", {**fields, "error": step.obstacle.detail}, alarm=True)

    async def _lost(self, step: Step, reason: str) -> Report:
        """Give up what Vault may have signed and keeps nowhere: nobody holds it, so nobody can revoke it."""
        delay = _delay(step.intent)
        await self._mark(step, step.order.value.nothing_signed(self._clock() + delay), delay)
        fields = {"order": step.order.value.id, "intent": step.intent.id, "reason": reason}
        return Report("lost", fields, alarm=True)

    async def _found(self, step: Step) -> Sequence[Signed]:
        """Return what Vault has for an intent, but for what another order was given.

        A client may order the same again with the same key.
        """
        found = await self._signer.find(step.tenant.at_mount(step.intent.mount), step.intent)
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

    async def _mark(self, step: Step, order: Order, look_in: timedelta) -> Step:
        when = self._clock() + look_in
        written = await self._orders.mark(step.owner, step.account, step.order, order, when)
        progress = written.value.progress
        intent = progress.intent if isinstance(progress, Processing) else step.intent
        return msgspec.structs.replace(step, order=written, intent=intent)

    async def _look_again(self, step: Step, look_in: timedelta) -> None:
        await self._orders.look_again(step.owner, step.order.value, self._clock() + look_in)

    def _next_look(self, error: SigningDeferredError, intent: Intent, longest: timedelta) -> timedelta:
        """Look rarer and rarer, or as Vault wishes: a store that cannot be searched is not hammered at."""
        if error.retry_after:
            return min(error.retry_after, _LONGEST_WISH)
        return patience(self._since(intent), _FIRST_DELAY * 2, longest)

    def _settles(self, intent: Intent) -> timedelta:
        """Look rarer and rarer for what may still come, and once more when nothing can."""
        since = self._since(intent)
        left = max(self._settling - since, _FIRST_DELAY)
        return min(patience(since, _FIRST_DELAY * 2, _LONGEST_DELAY), left)

    def _since(self, intent: Intent) -> timedelta:
        """Return how long ago the last attempt began."""
        return self._clock() - (intent.attempted_at or intent.created_at)


def _kept_by_vault(step: Step) -> bool:
    """Whether Vault keeps what the attempt had signed, whatever the settings say by now (K14)."""
    return step.tenant.vault.store if step.intent.store is None else step.intent.store


def _end(intent: Intent) -> datetime:
    """Return when the certificate of an attempt ends at the latest."""
    return intent.not_after or (
        (intent.attempted_at or intent.created_at) + timedelta(seconds=intent.lifetime)
    )


def _delay(intent: Intent) -> timedelta:
    """Wait longer with every attempt, up to half a minute."""
    return min(_FIRST_DELAY * (1 << min(intent.attempts, 6)), _LONGEST_DELAY)


def _name(leaf: bytes) -> CertId | None:
    return name_of(x509.load_der_x509_certificate(leaf))
