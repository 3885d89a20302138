"""The name server of `acmeproxy dev`."""

import asyncio
import socket
from datetime import timedelta
from ipaddress import ip_address

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import pytest

from acmeproxy.adapters.validation.resolver import Outcome, ResolutionError, Resolver
from acmeproxy.adapters.validation.testdns import serve_test_dns
from acmeproxy.core.identifier import Identifier, IdentifierType


async def test_every_name_is_this_machine() -> None:
    async with serve_test_dns("127.0.0.1") as port:
        resolver = Resolver(("127.0.0.1", port), timedelta(seconds=5))
        for name in ("a.example", "some.other.test"):
            found = await resolver.addresses(Identifier(IdentifierType.DNS, name))
            assert found == (ip_address("127.0.0.1"),)


@pytest.mark.parametrize("kind", ["TXT", "CAA", "AAAA", "MX"])
async def test_there_is_no_other_record(kind: str) -> None:
    async with serve_test_dns("127.0.0.1") as port:
        with pytest.raises(ResolutionError) as caught:
            await Resolver(("127.0.0.1", port), timedelta(seconds=5)).records("a.example", kind)
        assert caught.value.outcome is Outcome.NODATA


async def test_it_answers_over_tcp_too() -> None:
    async with serve_test_dns("127.0.0.1") as port:
        query = dns.message.make_query("a.example", "A")
        answer = await dns.asyncquery.tcp(query, "127.0.0.1", port=port, timeout=5)
        assert answer.rcode() == dns.rcode.NOERROR
        assert answer.flags & dns.flags.AA
        assert [record.to_text() for record in answer.answer[0]] == ["127.0.0.1"]


async def test_what_is_no_query_is_not_answered_and_does_no_harm() -> None:
    async with serve_test_dns("127.0.0.1") as port:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            for garbage in (b"", b"\x00", b"\xff" * 40, dns.message.Message().to_wire()):
                sock.sendto(garbage, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x00\x04\xff\xff\xff\xff")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert await Resolver(("127.0.0.1", port), timedelta(seconds=5)).records("a.example", "A")


async def test_a_given_port_is_used_and_a_taken_one_is_an_error() -> None:
    async with serve_test_dns("127.0.0.1") as port:
        with pytest.raises(OSError, match="in use"):
            async with serve_test_dns("127.0.0.1", port):
                pass
    async with serve_test_dns("127.0.0.1", port) as again:
        assert again == port
