"""A name server for `acmeproxy dev`: every name there is, and it is this machine."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

_TTL: Final = 0
_LOOPBACK: Final = "127.0.0.1"
_IDLE: Final = 5.0
_LENGTH: Final = struct.Struct("!H")
_TRIES: Final = 10


@asynccontextmanager
async def serve_test_dns(host: str = _LOOPBACK, port: int = 0) -> AsyncIterator[int]:
    """Serve DNS over UDP and TCP while the context lasts, and give the port of both.

    A questions get 127.0.0.1, all others an empty answer (NODATA). Port 0 picks a free one.

    Raises:
        OSError: The port is taken.
    """
    server, datagrams = await _listen(host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        datagrams.close()
        server.close()
        await server.wait_closed()


async def _listen(host: str, port: int) -> tuple[asyncio.Server, asyncio.DatagramTransport]:
    loop = asyncio.get_running_loop()
    for tries_left in reversed(range(_TRIES)):
        server = await asyncio.start_server(_stream, host, port)
        bound = server.sockets[0].getsockname()[1]
        try:
            datagrams, _ = await loop.create_datagram_endpoint(_Datagrams, local_addr=(host, bound))
        except OSError:
            server.close()
            await server.wait_closed()
            # A port that is free for TCP need not be free for UDP: then another one is, if we may choose.
            if port or not tries_left:
                raise
        else:
            return server, datagrams
    raise AssertionError("the last try returns or raises")


class _Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (answer := _answer(data)) is not None:
            self._transport.sendto(answer, addr)


async def _stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, EOFError, TimeoutError), contextlib.closing(writer):
        while True:
            async with asyncio.timeout(_IDLE):
                (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
                question = await reader.readexactly(length)
                if (answer := _answer(question)) is None:
                    return
                writer.write(_LENGTH.pack(len(answer)) + answer)
                await writer.drain()


def _answer(wire: bytes) -> bytes | None:
    """Answer a query; `None` for what is none."""
    try:
        query = dns.message.from_wire(wire)
        if query.flags & dns.flags.QR or len(query.question) != 1:
            return None
        response = dns.message.make_response(query)
    except (dns.exception.DNSException, ValueError):
        return None
    response.flags |= dns.flags.AA
    question = query.question[0]
    if question.rdtype == dns.rdatatype.A:
        response.answer.append(dns.rrset.from_text(question.name, _TTL, "IN", "A", _LOOPBACK))
    return response.to_wire()
