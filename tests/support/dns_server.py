"""A name server that does as it is told, and keeps what it was asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Reply = Callable[[dns.message.Message, bool], Sequence[bytes]]
"""Gets a query and whether it came over TCP; returns the packets to send, perhaps none."""

Zone = Mapping[str, Mapping[str, Sequence[str]]]
"""Records by name and type; a name that is missing does not exist, a type that is missing has no data."""


_TRIES: Final = 10


class DnsServer:
    """What became of a server: its port, and (name, type, over TCP) of each query."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.port = 0
        self.asked: list[tuple[str, str, bool]] = []

    def answer(self, wire: bytes, *, over_tcp: bool) -> Sequence[bytes]:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.asked.append((question.name.to_text(), dns.rdatatype.to_text(question.rdtype), over_tcp))
        return self.reply(query, over_tcp)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError, OSError), contextlib.closing(writer):
            length = int.from_bytes(await reader.readexactly(2), "big")
            for packet in self.answer(await reader.readexactly(length), over_tcp=True):
                writer.write(len(packet).to_bytes(2, "big") + packet)
            await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override] # typeshed
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for packet in self.server.answer(data, over_tcp=False):
            self.transport.sendto(packet, addr)


@asynccontextmanager
async def dns_server(reply: Reply | Zone) -> AsyncIterator[DnsServer]:
    """Serve DNS on loopback, UDP and TCP on one free port, while the context lasts."""
    server = DnsServer(reply if callable(reply) else from_zone(reply))
    streams, datagrams = await udp_and_tcp(server.stream, lambda: _Datagrams(server))
    server.port = streams.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        datagrams.close()
        streams.close()
        await streams.wait_closed()


async def udp_and_tcp(
    stream: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    datagrams: Callable[[], asyncio.DatagramProtocol],
) -> tuple[asyncio.Server, asyncio.DatagramTransport]:
    """Listen on one free port of loopback in both ways."""
    loop = asyncio.get_running_loop()
    for tries_left in reversed(range(_TRIES)):
        server = await asyncio.start_server(stream, "127.0.0.1", 0)
        here = ("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            transport, _ = await loop.create_datagram_endpoint(datagrams, local_addr=here)
        except OSError:
            # A port that is free for TCP need not be free for UDP.
            server.close()
            await server.wait_closed()
            if not tries_left:
                raise
        else:
            return server, transport
    raise AssertionError("the last try returns or raises")


def from_zone(zone: Zone) -> Reply:
    """Answer from a zone as a recursor does: a CNAME comes with what it leads to."""

    def reply(query: dns.message.Message, _: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        response = dns.message.make_response(query, recursion_available=True)
        name, kind = query.question[0].name.to_text(), dns.rdatatype.to_text(query.question[0].rdtype)
        for _hop in range(20):
            if name.rstrip(".") not in zone:
                response.set_rcode(dns.rcode.NXDOMAIN)
                break
            records = zone[name.rstrip(".")]
            if kind in records or "CNAME" not in records:
                if records.get(kind):
                    response.answer.append(dns.rrset.from_text(name, 0, "IN", kind, *records[kind]))
                break
            response.answer.append(dns.rrset.from_text(name, 0, "IN", "CNAME", records["CNAME"][0]))
            name = records["CNAME"][0]
        return [response.to_wire(max_size=65535)]

    return reply


def failing(rcode: dns.rcode.Rcode) -> Reply:
    """Answer everything with an error."""

    def reply(query: dns.message.Message, _: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        return [response.to_wire()]

    return reply


def silent(_query: dns.message.Message, _over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
    """Answer nothing."""
    return []


def by_type(**replies: Reply) -> Reply:
    """Answer each record type in its own way."""

    def reply(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        return replies[dns.rdatatype.to_text(query.question[0].rdtype)](query, over_tcp)

    return reply


def truncated_over_udp(full: Reply) -> Reply:
    """Answer over TCP only; over UDP say that it is too long."""

    def reply(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        if over_tcp:
            return full(query, over_tcp)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC
        return [response.to_wire()]

    return reply


def after(failures: int, failing: Reply, then: Reply) -> Reply:
    """Answer some questions in one way, and those after them in another."""
    left = [failures]

    def reply(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        left[0] -= 1
        return (failing if left[0] >= 0 else then)(query, over_tcp)

    return reply
