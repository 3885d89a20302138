"""A proxy of HTTP in front of a real OpenBao: what it is told to spoil it spoils, the rest it passes on.

Where the TCP connection is to be cut, `tests.support.cutting_proxy` does it.
"""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, DummyCookieJar
from yarl import URL

from tests.adapters.vault.canned_vault import http_answer
from tests.support.connections import connections, reset

_DEADLINE = 60
_HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "host"}


@dataclass(frozen=True)
class Exchange:
    """One request, on its way."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    writer: asyncio.StreamWriter
    http: ClientSession
    upstream: int

    @property
    def text(self) -> str:
        """The request as it is searched: method, path, fields, body."""
        fields = [f"{name}: {value}" for name, value in self.headers]
        return "\n".join([f"{self.method} {self.path}", *fields, self.body.decode(errors="replace")])

    async def passed_on(self) -> tuple[int, bytes, list[str]]:
        """Have OpenBao answer: the status, the body and the fields."""
        url = URL(f"http://127.0.0.1:{self.upstream}{self.path}", encoded=True)
        async with self.http.request(
            self.method, url, data=self.body or None, headers=self.headers, allow_redirects=False
        ) as answer:
            fields = [f"{k}: {v}" for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP]
            return answer.status, await answer.read(), fields

    async def send(self, octets: bytes) -> None:
        """Send octets to whoever asked."""
        self.writer.write(octets)
        await self.writer.drain()


Fault = Callable[[Exchange], Awaitable[None]]


def says(status: int, body: object, *fields: str, after: bool = False) -> Fault:
    """Answer in place of OpenBao, which is asked `after` all, or never hears of it."""

    async def fault(exchange: Exchange) -> None:
        if after:
            await exchange.passed_on()
        await exchange.send(http_answer(status, body, *fields))

    return fault


def hangs(*, after: bool = False) -> Fault:
    """Answer never; OpenBao is asked `after` all, or never hears of it."""

    async def fault(exchange: Exchange) -> None:
        if after:
            await exchange.passed_on()
        await asyncio.Event().wait()

    return fault


def resets(*, after: bool = False) -> Fault:
    """Reset the connection; OpenBao is asked `after` all, or never hears of it."""

    async def fault(exchange: Exchange) -> None:
        if after:
            await exchange.passed_on()
        reset(exchange.writer)

    return fault


def trickles(pause: float) -> Fault:
    """Pass OpenBao's answer back octet by octet, with a pause in seconds after each."""

    async def fault(exchange: Exchange) -> None:
        status, body, fields = await exchange.passed_on()
        for octet in http_answer(status, body, *fields):
            await exchange.send(bytes([octet]))
            await asyncio.sleep(pause)

    return fault


def bombs(octets: int) -> Fault:
    """Have OpenBao answer, and send so many octets instead, packed to a thousandth of it."""
    packed = gzip.compress(b"\0" * octets)
    return says(200, packed, "Content-Encoding: gzip", after=True)


def alters(change: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> Fault:
    """Pass on what OpenBao answers, with its `data` changed."""

    async def fault(exchange: Exchange) -> None:
        status, body, fields = await exchange.passed_on()
        envelope = json.loads(body)
        envelope["data"] = await change(envelope["data"])
        await exchange.send(http_answer(status, envelope, *fields))

    return fault


class FaultyVault:
    """Passes everything on to a port of loopback, but for what it is told to spoil."""

    def __init__(self, upstream: int, http: ClientSession) -> None:
        self.port = 0
        self.requests: list[str] = []
        self.mistakes: list[Exception] = []
        self._upstream = upstream
        self._http = http
        self._faults: list[tuple[tuple[str, ...], Fault]] = []
        self._heard = asyncio.Condition()

    def spoil(self, fault: Fault, *needles: str) -> None:
        """Spoil every request that has all of these texts in it, from now on."""
        self._faults.append((needles, fault))

    def mend(self) -> None:
        """Spoil nothing any more; what is under way stays spoilt."""
        self._faults.clear()

    def count(self, *needles: str) -> int:
        """Return how many requests had all of these texts in them so far."""
        return sum(_has(request, needles) for request in self.requests)

    async def until(self, *needles: str, times: int = 1) -> None:
        """Wait until that many requests had all of these texts in them."""
        async with asyncio.timeout(_DEADLINE), self._heard:
            await self._heard.wait_for(lambda: self.count(*needles) >= times)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the other side ends it, or a fault does."""
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    await self._one(await self._read(reader, writer))
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        method, path, _ = first.split(" ")
        fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        length = next((int(value) for name, value in fields if name.lower() == "content-length"), 0)
        body = await reader.readexactly(length)
        kept = [field for field in fields if field[0].lower() not in _HOP_BY_HOP]
        return Exchange(method, path, kept, body, writer, self._http, self._upstream)

    async def _one(self, exchange: Exchange) -> None:
        async with self._heard:
            self.requests.append(exchange.text)
            self._heard.notify_all()
        for needles, fault in self._faults:
            if _has(exchange.text, needles):
                await self._spoilt(fault, exchange)
                return
        status, body, fields = await exchange.passed_on()
        await exchange.send(http_answer(status, body, *fields))

    async def _spoilt(self, fault: Fault, exchange: Exchange) -> None:
        try:
            await fault(exchange)
        except (AssertionError, ValueError, TypeError, LookupError) as mistake:
            self.mistakes.append(mistake)  # else it would look like one more fault of Vault's
            raise


def _has(request: str, needles: tuple[str, ...]) -> bool:
    return all(needle in request for needle in needles)


@asynccontextmanager
async def faulty_vault(upstream: int) -> AsyncIterator[FaultyVault]:
    """Run a proxy in front of an OpenBao's port until the context ends, with no fault but those asked for."""
    async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as http:
        vault = FaultyVault(upstream, http)
        async with connections(vault.serve) as vault.port:
            yield vault
        assert vault.mistakes == []
