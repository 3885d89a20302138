"""Who waits for a worker's verdict is woken by it, and polls nothing (design §3)."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, Generic

import msgspec

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.adapters.redis.documents import D, decode
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import AuthorizationId, CertificateId, OrderId
from acmeproxy.core.order import Order
from acmeproxy.core.role import Role
from acmeproxy.services.authority import Revocations
from acmeproxy.services.stores import StateAwayError

_AGAIN: Final = timedelta(seconds=1)


class Waiter(Generic[D]):
    """Implements `Watch`."""

    def __init__(self, shape: type[D]) -> None:
        self._shape = shape
        self._document: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def told(self, document: bytes) -> None:
        """Wake whoever waits."""
        if not self._document.done():
            self._document.set_result(document)

    async def outcome(self, patience: timedelta) -> D | None:
        """Return the object as it became, or `None` when patience ended first."""
        try:
            async with asyncio.timeout(patience.total_seconds()):
                return decode(await self._document, self._shape)
        except TimeoutError:
            return None


class RoleOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of reading a role: the role, or none if it may not be read, or why it could not be."""

    role: Role | None = None
    failure: str = ""


class _Glimpse(msgspec.Struct):
    """What certificates have: an order has nothing of it, an authorization no serial number."""

    revoking_at: datetime | None = None
    revoked_at: datetime | None = None
    serial: str = ""


_AnyWaiter = Waiter[Order] | Waiter[Authorization] | Waiter[Certificate] | Waiter[RoleOutcome]


class RedisOutcomes:
    """Implements `Outcomes` and `CertificateOutcomes` with one subscription for the whole process.

    `revocations` is told of every certificate that will be and that was revoked, before who waits for it is.
    """

    def __init__(self, connection: Connection, revocations: Revocations | None = None) -> None:
        self._connection = connection
        self._revocations = revocations
        self._waiters: defaultdict[str, set[_AnyWaiter]] = defaultdict(set)

    @contextmanager
    def authorization(self, authorization_id: AuthorizationId) -> Iterator[Waiter[Authorization]]:
        """Watch an authorization from now on."""
        waiter = Waiter(Authorization)
        with self._waiting(authorization_id, waiter):
            yield waiter

    @contextmanager
    def order(self, order_id: OrderId) -> Iterator[Waiter[Order]]:
        """Watch an order from now on."""
        waiter = Waiter(Order)
        with self._waiting(order_id, waiter):
            yield waiter

    @contextmanager
    def certificate(self, certificate_id: CertificateId) -> Iterator[Waiter[Certificate]]:
        """Watch a certificate from now on."""
        waiter = Waiter(Certificate)
        with self._waiting(certificate_id, waiter):
            yield waiter

    @contextmanager
    def role(self, name: str) -> Iterator[Waiter[RoleOutcome]]:
        """Watch a role from now on."""
        waiter = Waiter(RoleOutcome)
        with self._waiting(name, waiter):
            yield waiter

    async def listen(self) -> None:
        """Pass notifications on until cancelled, subscribing again after every failure."""
        while True:
            try:
                await self._listen_once()
            except StateAwayError:
                self._listening(heard=False)
                await asyncio.sleep(_AGAIN.total_seconds())

    async def _listen_once(self) -> None:
        async with self._connection.subscribed(keys.OUTCOMES) as messages:
            self._listening(heard=True)
            async for message in messages:
                subject, _, document = message.partition(b" ")
                self._tell_of_revocation(document)
                for waiter in self._waiters.get(subject.decode(), ()):
                    waiter.told(document)

    def _listening(self, *, heard: bool) -> None:
        if self._revocations is not None:
            self._revocations.listening(heard=heard)

    def _tell_of_revocation(self, document: bytes) -> None:
        if self._revocations is None:
            return
        glimpse = decode(document, _Glimpse)
        if not glimpse.serial:
            return
        if glimpse.revoked_at is not None:
            self._revocations.concluded(decode(document, Certificate))
        elif glimpse.revoking_at is not None:
            self._revocations.begun(decode(document, Certificate))

    @contextmanager
    def _waiting(self, subject: str, waiter: _AnyWaiter) -> Iterator[None]:
        self._waiters[subject].add(waiter)
        try:
            yield
        finally:
            self._waiters[subject].discard(waiter)
            if not self._waiters[subject]:
                del self._waiters[subject]
