"""newAccount, account and its orders (RFC 8555 §7.3, §7.1.2.1)."""

from aiohttp import web

from acmeproxy.core import payload
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.services.authentication import Principal
from acmeproxy.web.acme import resources
from acmeproxy.web.acme.answers import answer
from acmeproxy.web.acme.signed import applicant, principal
from acmeproxy.web.acme.tenancy import links_of, tenant_of
from acmeproxy.web.keys import SERVICES


async def new_account(request: web.Request) -> web.Response:
    """Make an account (201), or find the one that the key has (200)."""
    tenant, links = tenant_of(request), links_of(request)
    who = await applicant(request)
    registered = await request.app[SERVICES].registration.register(tenant, who, links.new_account)
    terms = ((tenant.terms_of_service, "terms-of-service"),) if tenant.terms_of_service else ()
    return answer(
        resources.account(registered.account, links),
        status=201 if registered.created else 200,
        location=links.account(registered.account.id),
        links=terms,
    )


async def account(request: web.Request) -> web.Response:
    """Read, change or close an account."""
    who = await _owner(request)
    changed = await request.app[SERVICES].registration.update(tenant_of(request), who)
    links = links_of(request)
    return answer(resources.account(changed, links), location=links.account(changed.id))


async def orders(request: web.Request) -> web.Response:
    """List an account's orders, a page at a time."""
    who = await _owner(request)
    payload.require_empty(who.payload)
    page = await request.app[SERVICES].ordering.page(who, request.query.get("cursor", ""))
    links, account_id = links_of(request), who.owner.account
    following = ((links.orders(account_id, page.next_cursor), "next"),) if page.next_cursor else ()
    return answer({"orders": [links.order(order.id) for order in page.orders]}, links=following)


async def _owner(request: web.Request) -> Principal:
    """Let only the account itself at its URL; another one looks like none (ACC-06, D4)."""
    who = await principal(request)
    if who.owner.account != request.match_info["account"]:
        raise refuse(Reference.NOT_FOUND, "there is no such resource for this account")
    return who
