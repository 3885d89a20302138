"""A web server that does as it is told, byte by byte, and keeps what it was asked."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What to do with a connection once its request was read to the blank line."""


class HostileHttp:
    """What became of a server: its port, and the request of every connection that was made."""

    def __init__(self, script: Script, request_ends: bytes) -> None:
        self.script = script
        self._request_ends = request_ends
        self.port = 0
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open[writer] = asyncio.current_task()
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError):
                if self._request_ends:
                    self.requests.append(await reader.readuntil(self._request_ends))
                await self.script(reader, writer)
        finally:
            del self._open[writer]
            writer.close()

    async def hang_up(self) -> None:
        """Cut every connection, and wait for the scripts to notice."""
        scripts = [task for task in self._open.values() if task is not None]
        for writer in self._open:
            writer.transport.abort()
        if scripts:
            await asyncio.wait(scripts)


@asynccontextmanager
async def hostile_http(
    script: Script,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    request_ends: bytes = b"\r\n\r\n",
) -> AsyncIterator[HostileHttp]:
    """Serve a script on loopback while the context lasts.

    It starts when a request has ended; with no `request_ends` it does not wait for one.
    """
    target = HostileHttp(script, request_ends)
    server = await asyncio.start_server(target.serve, host, port, ssl=tls)
    target.port = server.sockets[0].getsockname()[1]
    try:
        yield target
    finally:
        server.close()
        await asyncio.sleep(0)  # what was accepted last takes its first step, and is known to hang_up
        await target.hang_up()
        await server.wait_closed()


def response(status: int | str, body: bytes = b"", *fields: str) -> bytes:
    """Write a response that ends with the connection, with these header fields and no other."""
    head = "\r\n".join((f"HTTP/1.1 {status} Whatever", *fields))
    return head.encode("latin-1") + b"\r\n\r\n" + body


def say(*parts: bytes) -> Script:
    """Send the parts and close."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return script


def say_and_stay(*parts: bytes) -> Script:
    """Send the parts, then say nothing and stay until the peer has had enough."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await say(*parts)(reader, writer)
        await reader.read()

    return script


def held(release: asyncio.Event) -> Script:
    """Say nothing until the event is set, then close."""

    async def script(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await release.wait()

    return script


def repeat(part: bytes, first: bytes = b"", every: float = 0) -> Script:
    """Send `part` again and again until the peer has had enough, pausing `every` seconds."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while not writer.is_closing():
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every)

    return script


def reset() -> Script:
    """Cut the connection without a word (RST)."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    return script


def redirect(*locations: str, status: int = 302) -> Script:
    """Send a redirect to every given location."""
    return say(response(status, b"elsewhere", *(f"Location: {location}" for location in locations)))


def by_path(pages: dict[str, Script]) -> Callable[[HostileHttp], Script]:
    """Give each path its own script; what is returned makes the script for one target."""

    def choose(target: HostileHttp) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            path = target.requests[-1].split(b" ")[1].decode("ascii")
            await pages[path](reader, writer)

        return script

    return choose
