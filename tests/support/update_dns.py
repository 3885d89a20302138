"""An authoritative name server that takes dynamic updates, as dns-01 plugins of clients send them (RFC 2136).

It runs in a thread of its own, for tests that wait for other people's programs.
"""

import asyncio
import base64
import contextlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsigkeyring
import dns.update

from tests.support.dns_server import udp_and_tcp

KEY_NAME: Final = "acme-updates"
ALGORITHM: Final = "hmac-sha256"
_ADDRESS: Final = "127.0.0.1"
_WITHIN: Final = 60.0


class UpdateDns:
    """Zones in which every name is 127.0.0.1 and has the TXT records that were put there.

    Attributes:
        port: Of both UDP and TCP, on 127.0.0.1.
        secret: The TSIG key in base64, as clients are configured with it.
        most: The largest number of TXT values that a name ever had at the same time.
        refused: How many updates were not signed, or not with the key.
    """

    def __init__(self, zones: Sequence[str]) -> None:
        self.port = 0
        self.secret = base64.b64encode(secrets.token_bytes(32)).decode()
        self.most: dict[str, int] = {}
        self.refused = 0
        self._zones = {dns.name.from_text(zone) for zone in zones}
        self._texts: dict[dns.name.Name, set[str]] = {}

    def texts(self, name: str) -> set[str]:
        """Return the TXT records that a name has now, in presentation format."""
        return self._texts.get(dns.name.from_text(name), set())

    def answer(self, wire: bytes) -> bytes | None:
        """Answer a query or an update; what is neither gets nothing."""
        keyring = dns.tsigkeyring.from_text({KEY_NAME: (ALGORITHM, self.secret)})
        try:
            message = dns.message.from_wire(wire, keyring=keyring)
        except dns.message.UnknownTSIGKey:
            return self._refuse(dns.message.from_wire(wire, keyring=False))
        except dns.exception.DNSException:
            return None
        if isinstance(message, dns.update.UpdateMessage):
            return self._update(message) if message.had_tsig else self._refuse(message)
        return self._query(message).to_wire()

    def _refuse(self, message: dns.message.Message) -> bytes:
        self.refused += 1
        response = dns.message.make_response(message)
        response.set_rcode(dns.rcode.REFUSED)
        return response.to_wire()

    def _update(self, message: dns.update.UpdateMessage) -> bytes:
        response = dns.message.make_response(message)
        if message.zone[0].name not in self._zones:
            response.set_rcode(dns.rcode.NOTAUTH)
            return response.to_wire()
        for rrset in message.update:
            texts = self._texts.setdefault(rrset.name, set())
            values = {record.to_text() for record in rrset}
            if rrset.deleting == dns.rdataclass.ANY:
                texts.clear()
            elif rrset.deleting == dns.rdataclass.NONE:
                texts -= values
            else:
                texts |= values
            name = rrset.name.to_text(omit_final_dot=True)
            self.most[name] = max(self.most.get(name, 0), len(texts))
        return response.to_wire()

    def _query(self, query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        name, kind = query.question[0].name, query.question[0].rdtype
        zone = next((zone for zone in self._zones if name.is_subdomain(zone)), None)
        if zone is None:
            response.set_rcode(dns.rcode.REFUSED)
            return response
        response.flags |= dns.flags.AA
        found = self._records(name, kind, zone)
        soa = dns.rrset.from_text(zone, 0, "IN", "SOA", f"ns.{zone} hostmaster.{zone} 1 60 60 60 0")
        if kind == dns.rdatatype.SOA and name == zone:
            response.answer.append(soa)
        elif found:
            response.answer.append(dns.rrset.from_text(name, 0, "IN", dns.rdatatype.to_text(kind), *found))
        else:
            response.authority.append(soa)
        return response

    def _records(self, name: dns.name.Name, kind: dns.rdatatype.RdataType, zone: dns.name.Name) -> list[str]:
        match kind:
            case dns.rdatatype.A:
                return [_ADDRESS]
            case dns.rdatatype.TXT:
                return sorted(self._texts.get(name, ()))
            case dns.rdatatype.NS if name == zone:
                return [f"ns.{zone}"]
            case _:
                return []


@contextmanager
def update_dns(*zones: str) -> Iterator[UpdateDns]:
    """Serve zones on a free port while the context lasts."""
    server = UpdateDns(zones)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(server, started)), name="update-dns")
    thread.start()
    loop, stop = started.result(_WITHIN)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_WITHIN)


async def _serve(server: UpdateDns, started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    try:
        streams, datagrams = await _listen(server)
    except OSError as error:
        started.set_exception(error)
        return
    stop = asyncio.Event()
    started.set_result((asyncio.get_running_loop(), stop))
    await stop.wait()
    datagrams.close()
    # Not waited for: who still has a connection open is cut off with the loop.
    streams.close()


async def _listen(server: UpdateDns) -> tuple[asyncio.Server, asyncio.DatagramTransport]:
    streams, datagrams = await udp_and_tcp(lambda r, w: _stream(server, r, w), lambda: _Datagrams(server))
    server.port = streams.sockets[0].getsockname()[1]
    return streams, datagrams


async def _stream(server: UpdateDns, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, EOFError, TimeoutError), contextlib.closing(writer):
        while True:
            async with asyncio.timeout(_WITHIN):
                length = int.from_bytes(await reader.readexactly(2))
                if (answer := server.answer(await reader.readexactly(length))) is None:
                    return
                writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: UpdateDns) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override] # typeshed
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (answer := self.server.answer(data)) is not None:
            self.transport.sendto(answer, addr)
