"""keyChange (RFC 8555 §7.3.5)."""

from aiohttp import web

from acmeproxy.web.acme import resources
from acmeproxy.web.acme.answers import answer
from acmeproxy.web.acme.signed import principal
from acmeproxy.web.acme.tenancy import links_of, tenant_of
from acmeproxy.web.keys import SERVICES


async def key_change(request: web.Request) -> web.Response:
    """Give the account another key; its URL stays."""
    who, links = await principal(request), links_of(request)
    changed = await request.app[SERVICES].rollover.change(
        tenant_of(request), who, links.key_change, links.account_prefix
    )
    return answer(resources.account(changed, links), location=links.account(changed.id))
