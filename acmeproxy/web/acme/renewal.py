"""renewalInfo: the one resource besides directory and newNonce that anybody may GET (RFC 9773 §4)."""

from datetime import timedelta
from typing import Final

from aiohttp import web

from acmeproxy.web.acme import resources
from acmeproxy.web.acme.answers import answer
from acmeproxy.web.acme.tenancy import tenant_of
from acmeproxy.web.keys import SERVICES

_ASK_AGAIN: Final = timedelta(hours=6)
#: Whoever revokes or wants renewals waits no longer than this for caches on the way.
_CACHED: Final = timedelta(minutes=10)


async def renewal_info(request: web.Request) -> web.Response:
    """Say when to renew a certificate."""
    advice = await request.app[SERVICES].renewal.advise(tenant_of(request), request.match_info["name"])
    shown = answer(resources.renewal_info(advice), retry_after=int(_ASK_AGAIN.total_seconds()))
    shown.headers["Cache-Control"] = f"public, max-age={int(_CACHED.total_seconds())}"
    return shown
