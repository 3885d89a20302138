"""Orders are placed, read and listed; authorizations are given up (RFC 8555 §7.4, §7.1.2.1, §7.5.2)."""

import re
from datetime import timedelta
from typing import Final

import msgspec

from acmeproxy.core import ids, payload, policy
from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.challenge import Challenge, fitting
from acmeproxy.core.identifier import Identifier
from acmeproxy.core.order import Order, OrderStatus
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.authentication import Principal
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Authorizations, Orders, StaleError, Stored

#: How long a client has to prove its names and finalize; also for how long Vault may be away after that.
ORDER_LIFETIME: Final = timedelta(hours=24)
PAGE: Final = 100

_CURSOR: Final = re.compile(r"[0-9]{1,9}")


class OrderView(msgspec.Struct, frozen=True):
    """An order as somebody may look at it: with the authorizations that its status comes from."""

    order: Order
    authorizations: tuple[Authorization, ...]


class Page(msgspec.Struct, frozen=True):
    """Some of an account's orders, and where the next ones begin (empty at the end)."""

    orders: tuple[Order, ...]
    next_cursor: str


class Ordering:
    """Places orders and gives authorizations up."""

    def __init__(self, orders: Orders, authorizations: Authorizations, clock: Clock) -> None:
        self._orders = orders
        self._authorizations = authorizations
        self._clock = clock

    async def place(self, tenant: Tenant, principal: Principal) -> OrderView:
        """Place an order for all the names asked for, or refuse it whole (RFC 8555 §7.4, NOR-04).

        Raises:
            AcmeError: `malformed`, `rejectedIdentifier`, `unsupportedIdentifier`.
        """
        wish = payload.parse(principal.payload, payload.NewOrder)
        if wish.not_before or wish.not_after:
            raise refuse(
                Reference.ORDER_DATES, "this CA sets the validity itself: leave notBefore and notAfter away"
            )
        names = policy.identifiers(tenant, wish.identifiers)
        now = self._clock()
        expires = (now + ORDER_LIFETIME).replace(microsecond=0)
        order_id = ids.OrderId(ids.random_id())
        authorizations = tuple(
            Authorization(
                id=ids.AuthorizationId(ids.random_id()),
                account_id=principal.owner.account,
                order_id=order_id,
                identifier=name,
                expires=expires,
                challenges=_challenges(tenant, name),
            )
            for name in names
        )
        order = Order(
            id=order_id,
            account_id=principal.owner.account,
            identifiers=names,
            authorizations=tuple(authorization.id for authorization in authorizations),
            created_at=now,
            expires=expires,
        )
        await self._orders.create(principal.owner, order, authorizations)
        return OrderView(order, authorizations)

    async def page(self, principal: Principal, cursor: str) -> Page:
        """List the account's orders that are not invalid (RFC 8555 §7.1.2.1).

        Raises:
            AcmeError: `malformed` for a cursor that was never given out (OLS-07).
        """
        if cursor and not _CURSOR.fullmatch(cursor):
            raise refuse(Reference.CURSOR, "there is no such page of orders")
        found, next_cursor = await self._orders.page(principal.owner, cursor, PAGE)
        now = self._clock()
        live = (
            one.order.value
            for one in found
            if one.order.value.status([a.value for a in one.authorizations], now) is not OrderStatus.INVALID
        )
        return Page(tuple(live), next_cursor)

    async def update_authorization(
        self, principal: Principal, stored: Stored[Authorization]
    ) -> Authorization:
        """Read an authorization or give it up (RFC 8555 §7.5, §7.5.2).

        Raises:
            AcmeError: `malformed` for any other change, or where it is final already (AUZ-09, AUZ-10).
        """
        before = stored.value
        if not principal.payload:
            return before
        wish = payload.parse(principal.payload, payload.AuthorizationUpdate, Reference.AUTHORIZATION_UPDATE)
        if wish.status != AuthorizationStatus.DEACTIVATED:
            raise refuse(Reference.AUTHORIZATION_UPDATE, "an authorization can only be deactivated")
        now = self._clock()
        if before.status(now) is AuthorizationStatus.DEACTIVATED:
            return before
        after = before.deactivate(now)
        if after == before:
            status = before.status(now).value
            raise refuse(Reference.AUTHORIZATION_CLOSED, f"the authorization is {status}: place a new order")
        try:
            await self._authorizations.conclude(principal.owner, stored, after)
        except StaleError:
            text = "the authorization changed at this moment: try again"
            raise refuse(Reference.INTERNAL, text, status=503, retry_after=1) from None
        return after


def _challenges(tenant: Tenant, name: Identifier) -> tuple[Challenge, ...]:
    return tuple(Challenge(type=kind, token=ids.token()) for kind in fitting(name, tenant.challenges))
