"""Overload: more requests at once than the server was made for are sent away while that costs nothing."""

from typing import Final

from aiohttp import web

from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.web.errors import Handler
from acmeproxy.web.keys import REQUEST_ID

#: Who asks these decides by the answer whether more servers are needed.
_ALWAYS_ANSWERED: Final = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})
_PAUSE: Final = 2


class Crowd:
    """The requests under way in this process."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._inside: set[str] = set()

    def enter(self, request: web.Request) -> None:
        """Count a request.

        Raises:
            AcmeError: `rateLimited` with status 503, where there are too many.
        """
        if len(self._inside) >= self._largest:
            text = f"too many requests at once, try again in {_PAUSE} s"
            raise refuse(Reference.BUSY, text, retry_after=_PAUSE)
        self._inside.add(request[REQUEST_ID])

    def leave(self, request: web.Request) -> None:
        """Count a request no more."""
        self._inside.discard(request[REQUEST_ID])


CROWD: Final = web.AppKey("CROWD", Crowd)


@web.middleware
async def crowding(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count a request for as long as it is worked on.

    One with a body counts once the body is there (`web/acme/signed.py`): a thousand clients that send a byte
    now and then keep nobody out.
    """
    if request.path in _ALWAYS_ANSWERED:
        return await handler(request)
    crowd = request.app[CROWD]
    if request.method != "POST":
        crowd.enter(request)
    try:
        return await handler(request)
    finally:
        crowd.leave(request)
