"""newOrder, order and finalize (RFC 8555 §7.4)."""

import math

from aiohttp import web

from acmeproxy.core import csr, payload
from acmeproxy.core.ids import OrderId
from acmeproxy.core.order import OrderStatus
from acmeproxy.core.problem import AcmeError
from acmeproxy.services.authentication import Principal
from acmeproxy.services.ordering import OrderView
from acmeproxy.services.stores import OrderWithAuthorizations, Wanted
from acmeproxy.web.acme import resources
from acmeproxy.web.acme.answers import answer
from acmeproxy.web.acme.missing import present
from acmeproxy.web.acme.signed import principal
from acmeproxy.web.acme.tenancy import links_of, tenant_of
from acmeproxy.web.keys import SERVICES


async def new_order(request: web.Request) -> web.Response:
    """Place an order."""
    who = await principal(request)
    view = await request.app[SERVICES].ordering.place(tenant_of(request), who)
    return _shown(request, view, status=201)


async def order(request: web.Request) -> web.Response:
    """Read an order."""
    who = await principal(request, Wanted(order=_order_id(request)))
    found = _found(who)
    payload.require_empty(who.payload)
    return _shown(request, OrderView(found.order.value, tuple(a.value for a in found.authorizations)))


async def finalize(request: web.Request) -> web.Response:
    """Send the CSR of a ready order."""
    who = await principal(request, lambda sent: Wanted(order=_order_id(request), held_key=_held_key(sent)))
    view = await request.app[SERVICES].finalization.finalize(tenant_of(request), who, _found(who))
    return _shown(request, view)


def _order_id(request: web.Request) -> OrderId:
    return OrderId(request.match_info["order"])


def _found(who: Principal) -> OrderWithAuthorizations:
    return present(who.admitted.order)


def _held_key(sent: bytes) -> str | None:
    """Say which key must be no account's, from a payload that nobody has vouched for yet (KEY-10)."""
    try:
        return csr.key_thumbprint(csr.decode(payload.parse(sent, payload.Finalize).csr))
    except AcmeError:
        return None


def _shown(request: web.Request, view: OrderView, status: int = 200) -> web.Response:
    links, now = links_of(request), request.app[SERVICES].clock()
    processing = view.order.status(view.authorizations, now) is OrderStatus.PROCESSING
    return answer(
        resources.order(view.order, view.authorizations, now, links),
        status=status,
        location=links.order(view.order.id),
        retry_after=math.ceil(view.order.wait(now).total_seconds()) if processing else None,
    )
