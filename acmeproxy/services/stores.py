"""What the use cases need of state. Each docstring is the contract that the store keeps.

Every method is one atomic step and may be repeated after a lost answer. Nothing is read without its owner.
"""

import enum
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

import msgspec

from acmeproxy.core.account import Account
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.identifier import Identifier
from acmeproxy.core.ids import AccountId, AuthorizationId, CertificateId, OrderId, TenantName
from acmeproxy.core.limit import Spend
from acmeproxy.core.order import Order

T = TypeVar("T")
Outcome_co = TypeVar("Outcome_co", covariant=True)


class Stored(msgspec.Struct, Generic[T], frozen=True):
    """A document as read, with the revision that a later write of it must find unchanged."""

    value: T
    revision: str


class OrderWithAuthorizations(msgspec.Struct, frozen=True):
    """An order and its authorizations, in the order's order, read in one step (ORD-09)."""

    order: Stored[Order]
    authorizations: tuple[Stored[Authorization], ...]


class StaleError(Exception):
    """Somebody else changed the document since it was read: read again and decide again."""


class StateAwayError(Exception):
    """The state store did not answer, or not durably. Never the same as an absent document (RED-08)."""


class Owner(msgspec.Struct, frozen=True):
    """Whose objects are meant: nothing of another owner can even be asked for (INV-3)."""

    tenant: TenantName
    account: AccountId


class NonceFault(enum.StrEnum):
    """Why a nonce is no good (RFC 8555 §6.5)."""

    MISSING = "missing"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"


class Wanted(msgspec.Struct, frozen=True):
    """What a request needs to be judged: its signer by account or by key, and the object it is about.

    `held_key` is the thumbprint of a key that must be no account's and not blocked (KEY-10).
    """

    account: AccountId | None = None
    thumbprint: str | None = None
    order: OrderId | None = None
    authorization: AuthorizationId | None = None
    certificate: CertificateId | None = None
    held_key: str | None = None


class Admitted(msgspec.Struct, frozen=True):
    """What was found in one step; the nonce is used up by now, whatever else follows (NON-07)."""

    nonce_fault: NonceFault | None
    account: Stored[Account] | None = None
    order: OrderWithAuthorizations | None = None
    authorization: Stored[Authorization] | None = None
    certificate: Certificate | None = None
    key_held: bool = False
    key_blocked: bool = False


class Gate(Protocol):
    """Nonces and the first read of a request."""

    def mint(self) -> str:
        """Return a fresh nonce, valid for at least an hour; costs no round trip (RFC 8555 §6.5)."""
        ...

    async def admit(self, tenant: TenantName, nonce: str, wanted: Wanted) -> Admitted:
        """Use the nonce up and read what is wanted, in one round trip for everything but a key's account.

        Raises:
            StateAwayError: Nothing is known.
        """
        ...


class Orders(Protocol):
    """Orders, their authorizations and what comes of them; each method is one atomic step."""

    async def create(  # noqa: PLR0913, PLR0917 - what is written, what it rests on, what it costs
        self,
        owner: Owner,
        order: Order,
        authorizations: Sequence[Authorization],
        spends: Sequence[Spend] = (),
        reused: Sequence[Stored[Authorization]] = (),
        predecessor: Stored[Certificate] | None = None,
    ) -> None:
        """Store an order with all its new authorizations, list it, and let it claim what it replaces.

        Raises:
            StaleError: One of the reused authorizations or the predecessor changed meanwhile.
            LimitReachedError: By one of the account's own `spends`; nothing was spent or written.
        """
        ...

    async def load(
        self, owner: Owner, order_id: OrderId
    ) -> tuple[Stored[Account], OrderWithAuthorizations] | None:
        """Return an order for a worker, with the account that must still be good."""
        ...

    async def page(self, owner: Owner, after: str, limit: int) -> tuple[list[OrderWithAuthorizations], str]:
        """Return orders, oldest first, after a cursor, and the next cursor (empty at the end).

        Raises:
            ValueError: The cursor is none of ours.
        """
        ...

    async def finalize(self, owner: Owner, stored: OrderWithAuthorizations, order: Order) -> None:
        """Write the intent and the job to issue, if order and all authorizations are as they were (STA-03).

        Raises:
            StaleError: One of them changed meanwhile.
        """
        ...

    async def mark(
        self, owner: Owner, account: Stored[Account], stored: Stored[Order], order: Order, look_at: datetime
    ) -> Stored[Order]:
        """Write a step of issuing, and when a worker shall look at the order again.

        Raises:
            StaleError: The order or the account changed meanwhile.
        """
        ...

    async def look_again(self, owner: Owner, order: Order, when: datetime) -> None:
        """Have a worker look at a processing order at some time."""
        ...

    async def delivered(self, owner: Owner, certificate_id: CertificateId) -> str | None:
        """Return the serial of the certificate that an order ended with."""
        ...

    async def drop(self, owner: Owner, order: Order) -> None:
        """Have workers look at it no more; the document stays as it is."""
        ...

    async def conclude(
        self,
        owner: Owner,
        stored: Stored[Order],
        order: Order,
        certificate: Certificate | None,
        account: Stored[Account] | None = None,
    ) -> None:
        """Write the end of an order and its certificate, and tell who waits.

        Raises:
            StaleError: The order changed meanwhile, or the account where one is given; or the certificate is
                to be revoked.
        """
        ...


class Authorizations(Protocol):
    """Authorizations by themselves."""

    async def load(
        self, owner: Owner, authorization_id: AuthorizationId
    ) -> tuple[Stored[Account], Stored[Authorization]] | None:
        """Return an authorization for a worker, with its account."""
        ...

    async def answer(
        self,
        owner: Owner,
        stored: Stored[Authorization],
        authorization: Authorization,
        spends: Sequence[Spend] = (),
    ) -> None:
        """Write an answered challenge and the job to look at it.

        Raises:
            StaleError: Changed meanwhile.
            LimitReachedError: By one of the account's own `spends`; nothing was spent or written.
        """
        ...

    async def retry(
        self, owner: Owner, stored: Stored[Authorization], authorization: Authorization, look_at: datetime
    ) -> None:
        """Write a failed attempt and when to look again.

        Raises:
            StaleError: Changed meanwhile.
        """
        ...

    async def conclude(
        self,
        owner: Owner,
        stored: Stored[Authorization],
        authorization: Authorization,
        spends: Sequence[Spend] = (),
    ) -> None:
        """Write a settled or deactivated authorization, and what it cost, and tell who waits.

        Raises:
            StaleError: Changed meanwhile.
        """
        ...

    async def valid(
        self, owner: Owner, identifiers: Sequence[Identifier]
    ) -> Mapping[Identifier, Stored[Authorization]]:
        """Return the valid authorizations that an account holds for some identifiers, wildcards apart."""
        ...

    async def create(self, owner: Owner, authorization: Authorization, spends: Sequence[Spend] = ()) -> None:
        """Store an authorization that belongs to no order (RFC 8555 §7.4.1).

        Raises:
            LimitReachedError: By one of the account's own `spends`; nothing was spent or written.
        """
        ...

    async def drop(self, owner: Owner, authorization: Authorization) -> None:
        """Have workers look at it no more; the document stays as it is."""
        ...


class Undelivered(msgspec.Struct, frozen=True):
    """A certificate (DER) that nobody was given, and the mount that signed it (empty: the tenant's own)."""

    leaf: bytes
    mount: str = ""


class Surplus(Protocol):
    """Certificates that were signed and not delivered: to be revoked, for as long as it takes (INV-5)."""

    async def add(self, owner: Owner, certificate: bytes, mount: str = "") -> None:
        """Remember one (DER) and where it was signed, with a job to revoke it."""
        ...

    async def get(self, owner: Owner, subject: str) -> Undelivered | None:
        """Return one by its job's subject."""
        ...

    async def remove(self, owner: Owner, subject: str) -> None:
        """Forget one that is revoked."""
        ...


class Watch(Protocol[Outcome_co]):
    """Somebody waiting for one object's outcome."""

    async def outcome(self, patience: timedelta) -> Outcome_co | None:
        """Return the object as it became, or `None` when patience ended first."""
        ...


class Outcomes(Protocol):
    """Notifications of what workers concluded; losing one only means waiting in vain."""

    def authorization(
        self, authorization_id: AuthorizationId
    ) -> AbstractContextManager[Watch[Authorization]]:
        """Watch an authorization from now on."""
        ...

    def order(self, order_id: OrderId) -> AbstractContextManager[Watch[Order]]:
        """Watch an order from now on."""
        ...
