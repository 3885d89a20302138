"""Orders: each transition one script call."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Call, Connection, script
from acmeproxy.adapters.redis.documents import decode, stored
from acmeproxy.adapters.redis.limits import spending
from acmeproxy.adapters.redis.surplus import subject_of
from acmeproxy.core.account import Account
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import CertificateId, OrderId
from acmeproxy.core.job import Job, JobKind
from acmeproxy.core.limit import Spend
from acmeproxy.core.order import Order
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import OrderWithAuthorizations, Owner, Stored

#: What came to nothing is kept for the client to read why, and for the operator to be asked about it.
KEEP_OPEN: Final = timedelta(days=30)
#: What led to a certificate is kept as long as somebody may ask how it came about.
KEEP_ISSUED: Final = timedelta(days=800)


def order_read(owner: Owner, order_id: OrderId) -> Call:
    """Read an order and its authorizations in one step."""
    return script("load_order", (keys.order(owner, order_id),), keys.authorization(owner, ""))


def load_order(answer: Sequence[bytes]) -> OrderWithAuthorizations | None:
    """Take the answer of `order_read` apart; authorizations that outlived their time are left out."""
    if not answer:
        return None
    authorizations = tuple(stored(document, Authorization) for document in answer[1:] if document)
    return OrderWithAuthorizations(stored(answer[0], Order), authorizations)


class RedisOrders:
    """Implements `Orders`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def create(  # noqa: PLR0913, PLR0917 - what is written, what it rests on, what it costs
        self,
        owner: Owner,
        order: Order,
        authorizations: Sequence[Authorization],
        spends: Sequence[Spend] = (),
        reused: Sequence[Stored[Authorization]] = (),
        predecessor: Stored[Certificate] | None = None,
    ) -> None:
        """Store an order with all its authorizations and list it under its account."""
        keep = order.expires - self._clock() + KEEP_OPEN
        commit = Commit(keys.tag(owner)).create(keys.order(owner, order.id), order, keep)
        spending(commit, owner, spends)
        for authorization in authorizations:
            commit.create(keys.authorization(owner, authorization.id), authorization, keep)
        for held in reused:
            commit.require(keys.authorization(owner, held.value.id), held)
        if predecessor:
            replaced, name = predecessor.value.replace_by(order.id), predecessor.value.id
            commit.replace(keys.certificate(owner, name), predecessor, replaced, KEEP_ISSUED)
        commit.rank(keys.orders(owner), order.created_at.timestamp(), order.id)
        await commit.run(self._connection)

    async def load(
        self, owner: Owner, order_id: OrderId
    ) -> tuple[Stored[Account], OrderWithAuthorizations] | None:
        """Return an order for a worker, with its account."""
        account, answer = await self._connection.read(
            Call("GET", (keys.account(owner),)), order_read(owner, order_id)
        )
        order = load_order(answer)
        if account is None or order is None:
            return None
        return stored(account, Account), order

    async def page(self, owner: Owner, after: str, limit: int) -> tuple[list[OrderWithAuthorizations], str]:
        """Return orders, oldest first, after a cursor, and the next cursor."""
        start = int(after) if after else 0
        listed = await self._connection.read(Call("ZRANGE", (keys.orders(owner), start, start + limit)))
        found = [order_id.decode() for order_id in listed[0]]
        answers = await self._connection.read(*(order_read(owner, OrderId(i)) for i in found[:limit]))
        loaded = [order for answer in answers if (order := load_order(answer))]
        return loaded, str(start + limit) if len(found) > limit else ""

    async def finalize(self, owner: Owner, stored: OrderWithAuthorizations, order: Order) -> None:
        """Write the intent and the job to issue, if order and all authorizations are as they were."""
        commit = Commit(keys.tag(owner))
        commit.replace(keys.order(owner, order.id), stored.order, order, KEEP_ISSUED)
        for authorization in stored.authorizations:
            commit.require(keys.authorization(owner, authorization.value.id), authorization)
        await commit.enqueue(_job(owner, order), self._clock()).run(self._connection)

    async def mark(
        self, owner: Owner, account: Stored[Account], stored: Stored[Order], order: Order, look_at: datetime
    ) -> Stored[Order]:
        """Write a step of issuing, and when a worker shall look at the order again."""
        commit = Commit(keys.tag(owner)).require(keys.account(owner), account)
        written = commit.replace(keys.order(owner, order.id), stored, order, KEEP_ISSUED)
        await commit.look_at(_job(owner, order), look_at).run_once(self._connection)
        return written

    async def look_again(self, owner: Owner, order: Order, when: datetime) -> None:
        """Have a worker look at a processing order at some time."""
        await Commit(keys.tag(owner)).look_at(_job(owner, order), when).run(self._connection)

    async def delivered(self, owner: Owner, certificate_id: CertificateId) -> str | None:
        """Return the serial of the certificate that an order ended with."""
        document = (await self._connection.read(Call("GET", (keys.certificate(owner, certificate_id),))))[0]
        return decode(document, Certificate).serial if document else None

    async def drop(self, owner: Owner, order: Order) -> None:
        """Have workers look at it no more."""
        await Commit(keys.tag(owner)).finished(_job(owner, order)).run(self._connection)

    async def conclude(
        self,
        owner: Owner,
        stored: Stored[Order],
        order: Order,
        certificate: Certificate | None,
        account: Stored[Account] | None = None,
    ) -> None:
        """Write the end of an order and its certificate, and tell who waits."""
        commit = Commit(keys.tag(owner))
        if account:
            commit.require(keys.account(owner), account)
        commit.replace(keys.order(owner, order.id), stored, order, KEEP_ISSUED)
        if certificate:
            # What is revoked, or about to be, is not delivered (K24).
            commit.require_absent(keys.surplus(owner, subject_of(certificate.chain[0])))
            commit.create(keys.certificate(owner, certificate.id), certificate, KEEP_ISSUED)
            listed, expires = keys.certificates(keys.tag(owner)), certificate.not_after.timestamp()
            commit.rank(listed, expires, keys.listed(owner, certificate.id))
        await commit.finished(_job(owner, order)).tell(order.id, order).run(self._connection)


def _job(owner: Owner, order: Order) -> Job:
    return Job(JobKind.ISSUE, owner.tenant, owner.account, order.id)
