"""The web server of somebody who wants a certificate: serves key authorizations (RFC 8555 §8.3)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from aiohttp import web


class Http01Responder:
    """Serves what is in `tokens` on a free loopback port, and keeps what was asked for in `asked`.

    Use it as `async with Http01Responder() as responder:`; `port` is known from then on.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.tokens: dict[str, str] = {}
        self.asked: list[str] = []
        app = web.Application()
        app.router.add_get("/.well-known/acme-challenge/{token}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Leave the port to somebody else for a while."""
        [site] = self._runner.sites
        await site.stop()
        try:
            yield
        finally:
            await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def _serve(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        self.asked.append(f"{request.host}/{token}")
        if token not in self.tokens:
            raise web.HTTPNotFound
        return web.Response(body=self.tokens[token].encode(), content_type="application/octet-stream")
