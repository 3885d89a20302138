"""A server that takes every token, and answers everything else with the same octets, or with none."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.connections import connections

_DEADLINE = 60
TOKEN_WITHOUT_END = {"data": {"ttl": 0, "renewable": False}}


class CannedVault:
    """What was asked so far, and how to answer: octets, after which the connection stays open."""

    def __init__(self, answer: bytes, drip: float) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()
        self.answer = answer
        self._drip = drip
        self._heard = asyncio.Condition()

    async def until(self, needle: bytes, times: int = 1) -> None:
        """Wait until that many requests contained a text."""
        async with asyncio.timeout(_DEADLINE), self._heard:
            await self._heard.wait_for(lambda: sum(needle in request for request in self.requests) >= times)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until the other side ends it."""
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    await self._answer_one(reader, writer)
        finally:
            self.closed.set()
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        body = await reader.readexactly(int(fields.get(b"Content-Length", b"0")))
        async with self._heard:
            self.requests.append(head + body)
            self._heard.notify_all()
        if b"lookup-self" in head:
            writer.write(http_answer(200, TOKEN_WITHOUT_END))
        else:
            await self._send(writer)

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        if not self._drip:
            writer.write(self.answer)
            await writer.drain()
            return
        for octet in self.answer:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(self._drip)


def http_answer(status: int, body: object, *fields: str) -> bytes:
    """Return an HTTP answer, of JSON unless a field says otherwise; bytes are sent as they are."""
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} Canned", f"Content-Length: {len(octets)}"]
    if not any(field.lower().startswith("content-type:") for field in fields):
        head.append("Content-Type: application/json")
    return "\r\n".join([*head, *fields, "", ""]).encode() + octets


@asynccontextmanager
async def canned_vault(
    answer: bytes = b"", drip: float = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[CannedVault]:
    """Answer on a free port until the context ends; `drip` is seconds between octets."""
    vault = CannedVault(answer, drip)
    async with connections(vault.serve, tls) as vault.port:
        yield vault
