"""revokeCert (RFC 8555 §7.6)."""

from aiohttp import web

from acmeproxy.web.acme.signed import principal_or_applicant
from acmeproxy.web.acme.tenancy import tenant_of
from acmeproxy.web.keys import SERVICES


async def revoke_cert(request: web.Request) -> web.Response:
    """Have a certificate revoked; the answer has no body, which acme.sh takes for a failure (REV-13)."""
    who = await principal_or_applicant(request)
    await request.app[SERVICES].revocation.revoke(tenant_of(request), who)
    return web.Response(status=200)
