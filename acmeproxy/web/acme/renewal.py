"""renewalInfo: the one resource besides directory and newNonce that anybody may GET (RFC 9773 §4)."""

from datetime import timedelta
from typing import Final

from aiohttp import web

from acmeproxy.web.acme import resources
from acmeproxy.web.acme.answers import answer
from acmeproxy.web.acme.tenancy import tenant_of
from acmeproxy.web.keys import SERVICES

_ASK_AGAIN: Final = timedelta(hours=6)
#: Clients ask no more often than this whatever they are told (RFC 9773 §4.3.2).
_NOT_BEFORE: Final = timedelta(minutes=1)
#: Whoever revokes or wants renewals waits no longer than this for caches on the way.
_CACHED: Final = timedelta(minutes=10)


async def renewal_info(request: web.Request) -> web.Response:
    """Say when to renew a certificate."""
    services = request.app[SERVICES]
    advice = await services.renewal.advise(tenant_of(request), request.match_info["name"])
    again = _ask_again(advice.window.start - services.clock())
    shown = answer(resources.renewal_info(advice), retry_after=int(again.total_seconds()))
    cached = min(_CACHED, again)
    shown.headers["Cache-Control"] = f"public, max-age={int(cached.total_seconds())}"
    return shown


def _ask_again(left: timedelta) -> timedelta:
    """Have clients ask every six hours, or so often that a short-lived one's window is not missed."""
    return min(_ASK_AGAIN, max(_NOT_BEFORE, left / 4))
