"""Orders: a request for one certificate and how far it has come (RFC 8555 §7.1.3)."""

import enum
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.identifier import Identifier
from acmeproxy.core.ids import AccountId, AuthorizationId, CertificateId, OrderId
from acmeproxy.core.patience import patience
from acmeproxy.core.problem import Problem, plain
from acmeproxy.core.provenance import Provenance

_SHORTEST_WAIT: Final = timedelta(seconds=1)
_LONGEST_WAIT: Final = timedelta(seconds=30)
_LONGEST_WISH: Final = timedelta(minutes=1)


class OrderStatus(enum.StrEnum):
    """The states of an order (RFC 8555 §7.1.6)."""

    PENDING = "pending"
    READY = "ready"
    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What we are about to have signed, written down before Vault hears of it (threat-model K10..K17).

    `csr` is DER; `key` is the SHA-256 of its SubjectPublicKeyInfo in hex; `names` are the order's own;
    `lifetime` is in seconds, `not_after` the end that the client asked for. `attempted_at` is the start of a
    call to Vault whose end is not known: while it is set, a certificate may exist that we have not seen.
    `first_attempt_at` bounds the search for it, and `mount` is where: that of the last attempt, or before the
    first the tenant's (empty in those of older versions). `store` tells whether Vault keeps what the last
    attempt had signed; `None` is before the first, and in those of older versions. `retry_at` is when to ask
    Vault again, which it may have wished so.
    """

    id: str
    csr: bytes
    key: str
    names: tuple[Identifier, ...]
    lifetime: int
    created_at: datetime
    not_after: datetime | None = None
    attempts: int = 0
    attempted_at: datetime | None = None
    first_attempt_at: datetime | None = None
    mount: str = ""
    provenance: Provenance | None = None
    store: bool | None = None
    retry_at: datetime | None = None


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Nothing was finalized yet: the authorizations decide."""


class Processing(msgspec.Struct, frozen=True, tag="processing"):
    """Finalized; the certificate is being made."""

    intent: Intent


class Issued(msgspec.Struct, frozen=True, tag="issued"):
    """The certificate is there. `csr` is the SHA-256 of the CSR in hex, to know a repeated finalize (K18)."""

    certificate_id: CertificateId
    csr: str
    at: datetime


class Abandoned(msgspec.Struct, frozen=True, tag="abandoned", omit_defaults=True):
    """There will be no certificate, and why.

    `unseen` may have been signed although: nobody could look until the order had to end. What is found of
    it is revoked.
    """

    error: Problem
    at: datetime
    unseen: Intent | None = None


Progress = Open | Processing | Issued | Abandoned


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """One order of one account; identifiers and authorizations never change (NOR-08)."""

    id: OrderId
    account_id: AccountId
    identifiers: tuple[Identifier, ...]
    authorizations: tuple[AuthorizationId, ...]
    created_at: datetime
    expires: datetime
    profile: str | None = None
    not_after: datetime | None = None
    replaces: str | None = None
    progress: Progress = Open()

    def status(self, authorizations: Sequence[Authorization], now: datetime) -> OrderStatus:
        """Derive the status from the progress and, while open, from the order's authorizations (ORD-09).

        A finalized order is no longer ended by its own expiry: our slowness is not the client's fault.
        """
        match self.progress:
            case Issued():
                return OrderStatus.VALID
            case Processing():
                return OrderStatus.PROCESSING
            case Abandoned():
                return OrderStatus.INVALID
            case Open():
                return self._open_status(authorizations, now)

    def _open_status(self, authorizations: Sequence[Authorization], now: datetime) -> OrderStatus:
        states = {authorization.status(now) for authorization in authorizations}
        if now >= self.expires or not states <= {AuthorizationStatus.VALID, AuthorizationStatus.PENDING}:
            return OrderStatus.INVALID
        # One that is lost proves nothing, however valid the others are (INV-1).
        if {authorization.id for authorization in authorizations} != set(self.authorizations):
            return OrderStatus.INVALID
        return OrderStatus.READY if states == {AuthorizationStatus.VALID} else OrderStatus.PENDING

    def error(self, authorizations: Sequence[Authorization]) -> Problem | None:
        """Return why the order is invalid, if processing or a validation failed (ORD-03)."""
        if isinstance(self.progress, Abandoned):
            return self.progress.error
        failed = tuple(
            msgspec.structs.replace(
                authorization.error, identifier=authorization.identifier.subject, subproblems=()
            )
            for authorization in authorizations
            if authorization.error is not None
        )
        return _summary(failed) if isinstance(self.progress, Open) and failed else None

    def wait(self, now: datetime) -> timedelta:
        """Return for how long asking again is of no use: a quarter of what a finalized order has waited.

        So nobody polls for a day as in the first second, and nobody comes late by more than that. Vault's own
        wish goes before (RFC 8555 §7.4: `Retry-After`).
        """
        if not isinstance(self.progress, Processing):
            return _SHORTEST_WAIT
        intent = self.progress.intent
        wished = min((intent.retry_at or now) - now, _LONGEST_WISH)
        return max(patience(now - intent.created_at, _SHORTEST_WAIT, _LONGEST_WAIT, 4), wished)

    def finalize(self, intent: Intent) -> "Order":
        """Go from ready to processing; the caller has seen that the order is ready (OS-6)."""
        if not isinstance(self.progress, Open):
            return self
        return msgspec.structs.replace(self, progress=Processing(intent))

    def attempt(self, now: datetime, mount: str = "", *, store: bool | None = None) -> "Order":
        """Mark that a call to Vault begins now, to which mount, and whether it keeps what it signs (K12)."""
        if not isinstance(self.progress, Processing):
            return self
        intent = self.progress.intent
        marked = msgspec.structs.replace(
            intent,
            attempts=intent.attempts + 1,
            attempted_at=now,
            first_attempt_at=intent.first_attempt_at or now,
            mount=mount or intent.mount,
            store=intent.store if store is None else store,
            retry_at=None,
        )
        return msgspec.structs.replace(self, progress=Processing(marked))

    def repeats(self, csr: bytes) -> bool:
        """Tell whether the order was finalized with this very CSR, so that asking again is no new request."""
        match self.progress:
            case Processing(intent=intent):
                return intent.csr == csr
            case Issued(csr=known):
                return known == digest(csr)
            case _:
                return False

    def nothing_signed(self, retry_at: datetime | None = None) -> "Order":
        """Take the mark of the last attempt away: Vault said that it signed nothing."""
        if not isinstance(self.progress, Processing):
            return self
        settled = msgspec.structs.replace(self.progress.intent, attempted_at=None, retry_at=retry_at)
        return msgspec.structs.replace(self, progress=Processing(settled))

    def issue(self, certificate_id: CertificateId, now: datetime) -> "Order":
        """Go from processing to valid (OS-10)."""
        if not isinstance(self.progress, Processing):
            return self
        issued = Issued(certificate_id, digest(self.progress.intent.csr), now)
        return msgspec.structs.replace(self, progress=issued)

    def abandon(self, error: Problem, now: datetime, unseen: Intent | None = None) -> "Order":
        """End an order that is not issued (OS-11); issued and abandoned ones stay as they are."""
        if isinstance(self.progress, Issued | Abandoned):
            return self
        return msgspec.structs.replace(self, progress=Abandoned(error, now, unseen))


def _summary(failed: tuple[Problem, ...]) -> Problem:
    """Join what went wrong, one subproblem a name; the first reason stands for all (RFC 8555 §6.7.1)."""
    first = failed[0]
    detail = first.detail
    if len(failed) > 1:
        reason, mark, code = detail.partition(" [ref ")
        names = ", ".join(f.identifier.value for f in failed if f.identifier)
        detail = plain(f"{reason}; {len(failed)} names failed: {names}") + mark + code
    return Problem(type=first.type, detail=detail, status=first.status, subproblems=failed)


def digest(csr: bytes) -> str:
    """Return the SHA-256 of a CSR's DER in hex."""
    return hashlib.sha256(csr).hexdigest()
