"""The directory and fresh nonces (RFC 8555 §7.1.1, §7.2)."""

from aiohttp import web

from acmeproxy.core import payload
from acmeproxy.web.acme import resources
from acmeproxy.web.acme.answers import answer
from acmeproxy.web.acme.signed import principal
from acmeproxy.web.acme.tenancy import links_of, tenant_of


async def read_directory(request: web.Request) -> web.Response:
    """Show the directory to anybody."""
    return answer(resources.directory(tenant_of(request), links_of(request)))


async def post_directory(request: web.Request) -> web.Response:
    """Show the directory to an account, by POST-as-GET (DIR-04)."""
    payload.require_empty((await principal(request)).payload)
    return await read_directory(request)


async def head_new_nonce(request: web.Request) -> web.Response:
    """Give a nonce in the headers of an answer without a body: 200 to HEAD (NON-02)."""
    tenant_of(request)
    return web.Response(status=200)


async def get_new_nonce(request: web.Request) -> web.Response:
    """Give a nonce: 204 to GET, without which uacme fails (NON-03)."""
    tenant_of(request)
    return web.Response(status=204)


async def post_new_nonce(request: web.Request) -> web.Response:
    """Give a nonce to an account that asks by POST-as-GET (NON-05)."""
    payload.require_empty((await principal(request)).payload)
    return web.Response(status=204)
