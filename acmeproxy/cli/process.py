"""One serving process: starts, waits for a signal, drains (threat-model RES-12)."""

import asyncio
import os
import signal
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any, Final

import structlog
from aiohttp import web

from acmeproxy import __version__
from acmeproxy.settings import Settings
from acmeproxy.wiring.serving import Assembly, Role, assemble

_LOG: Final = structlog.get_logger()
#: A connection that the kernel had accepted before we stopped listening still brings its request.
_LINGER: Final = timedelta(milliseconds=500)


class Server:
    """Runs one role until SIGTERM or SIGINT."""

    def __init__(self, given: Settings, role: Role) -> None:
        self._given = given
        self._role = role
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve; returns when drained.

        Raises:
            OSError: The address cannot be listened on.
            UnprovenError: The settings say not to serve with what Vault's side allows.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        async with AsyncExitStack() as stack:
            assembly = await stack.enter_async_context(assemble(self._given, self._role))
            if not await self._proven(assembly):
                return
            runner = await self._listen(assembly)
            listen = str(self._given.server.listen) if runner else None
            _LOG.info("serve.started", role=self._role.value, listen=listen, version=__version__)
            try:
                await self._work(assembly, runner)
            finally:
                if runner:
                    await runner.cleanup()
        _LOG.info("serve.stopped")

    async def _proven(self, assembly: Assembly) -> bool:
        """Meet the premise, and tell whether to go on: a signal ends the waiting for Vault."""
        proof, stop = asyncio.ensure_future(assembly.premise()), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({proof, stop}, return_when=asyncio.FIRST_COMPLETED)
            if proof.done():
                proof.result()
            return not self._stop.is_set()
        finally:
            await _ended([task for task in (proof, stop) if not task.done()])

    async def _work(self, assembly: Assembly, runner: web.AppRunner | None) -> None:
        async with asyncio.TaskGroup() as tasks:
            chores = [tasks.create_task(chore()) for chore in assembly.chores]
            working = tasks.create_task(assembly.runner.run()) if assembly.runner else None
            await self._stop.wait()
            _LOG.info("serve.draining")
            assembly.drain()
            if runner:
                await self._close_doors(runner)
            if working:
                with suppress(TimeoutError):
                    patience = self._given.server.shutdown_timeout.total_seconds()
                    await asyncio.wait_for(working, patience)
            await _ended(chores)

    async def _listen(self, assembly: Assembly) -> web.AppRunner | None:
        if assembly.app is None:
            return None
        server = self._given.server
        runner = web.AppRunner(
            assembly.app,
            access_log=None,
            handle_signals=False,
            # Encoded bodies are refused, and whether they could be decoded is of no interest (HTTP-14).
            auto_decompress=False,
            shutdown_timeout=server.shutdown_timeout.total_seconds(),
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, server.listen.host, server.listen.port, ssl_context=self._tls())
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        return runner

    async def _close_doors(self, runner: web.AppRunner) -> None:
        for site in list(runner.sites):
            await site.stop()
        await asyncio.sleep(_LINGER.total_seconds())
        # Requests under way are finished here, while the worker still works for them.
        await runner.cleanup()

    def _tls(self) -> ssl.SSLContext | None:
        tls = self._given.server.tls
        if tls is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(tls.certificate, tls.key)
        return context

    def _on_signal(self) -> None:
        if self._stop.is_set():
            os._exit(1)
        self._stop.set()


async def _ended(chores: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel until all have ended: redis-py forgets a cancellation that comes while it connects."""
    pending = set(chores)
    while pending:
        for chore in pending:
            chore.cancel()
        _, pending = await asyncio.wait(pending, timeout=1)
