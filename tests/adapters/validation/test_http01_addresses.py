"""Which addresses are dialled, and which never (H01-15, H01-18, H01-19, HTT-01, HTT-02, HTT-11, VAL-07)."""

import errno
import itertools
import resource
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address

import dns.message
import dns.rcode
import pytest

from acmeproxy.adapters.validation.egress import Egress
from tests.support.dns_server import Zone, by_type, failing, from_zone, silent
from tests.support.hostile_http import Script, hostile_http, redirect, reset, response, say, say_and_stay
from tests.support.http01_look import (
    ANSWER,
    LOOPBACK,
    SOON,
    black_hole,
    closed_port,
    dns_target,
    ip_target,
    kind,
    look,
    validator,
)

OK = say(response(200, ANSWER))
BOTH: Zone = {"a.example": {"AAAA": ["::1"], "A": ["127.0.0.1"]}}
EVERYWHERE = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
UNREACHABLE = "connection CONNECTION-FAILED"
DENIED = "connection EGRESS-DENIED"


async def test_ipv6_is_dialled_first_and_alone() -> None:
    """H01-18."""
    async with hostile_http(OK, "::1") as six, hostile_http(OK, "127.0.0.1", six.port) as four:
        assert await look(six.port, BOTH) is None
        assert (six.connections, four.connections) == (1, 0)


async def test_ipv4_is_tried_where_ipv6_refuses() -> None:
    """H01-18."""
    async with hostile_http(OK) as four:
        assert await look(four.port, BOTH) is None


async def test_ipv4_is_tried_where_ipv6_swallows_everything() -> None:
    """H01-18: half of the time is left for it."""
    async with hostile_http(OK) as four, black_hole("::1", four.port):
        assert await look(four.port, BOTH, timeout=3 * SOON) is None


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (say(response(404, ANSWER)), "incorrectResponse HTTP01-STATUS"),
        (say(response(200, b"something else")), "incorrectResponse HTTP01-CONTENT"),
        (reset(), UNREACHABLE),
        (say(), UNREACHABLE),
        (say_and_stay(b"HTTP/1.1 200 OK\r\n"), UNREACHABLE),
    ],
)
async def test_what_ipv6_answers_is_final_and_asked_once(script: Script, expected: str) -> None:
    """H01-18: also aiohttp's own second try over a lost connection is not made."""
    async with hostile_http(script, "::1") as six, hostile_http(OK, "127.0.0.1", six.port) as four:
        assert kind(await look(six.port, BOTH, timeout=SOON)) == expected
        assert (six.connections, four.connections) == (1, 0)


async def test_both_families_are_tried_anew_on_each_hop() -> None:
    """H01-15, H01-18."""
    async with hostile_http(redirect("http://b.example/x")) as first:
        zone = {"a.example": {"A": ["127.0.0.1"]}, "b.example": {"AAAA": ["::1"], "A": ["127.0.0.2"]}}
        async with hostile_http(OK, "127.0.0.2", first.port) as second:
            assert await look(first.port, zone) is None
            assert second.connections == 1


async def test_of_fifty_addresses_one_is_dialled() -> None:
    """H01-19."""
    addresses = [f"127.0.0.{n}" for n in range(1, 51)]
    async with hostile_http(say(), "0.0.0.0") as target:  # noqa: S104 - to see every loopback address
        assert kind(await look(target.port, {"a.example": {"A": addresses}})) == UNREACHABLE
        assert target.connections == 1


async def test_where_nobody_listens_the_addresses_tried_are_told() -> None:
    """HTT-16: refused and swallowed connections read the same, and say what to do."""
    with closed_port() as port:
        refused = await look(port, BOTH)
    async with black_hole("127.0.0.1", port):
        swallowed = await look(port, BOTH, timeout=SOON)
    assert refused == swallowed
    assert refused is not None
    assert refused.detail == (
        f"open port {port} of a.example to this CA and let the ACME client listen there: "
        "no connection to ::1, 127.0.0.1 [ref CONNECTION-FAILED]"
    )


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104 - it shall not be connected to
        "224.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
    ],
)
async def test_denied_addresses_are_never_dialled(address: str) -> None:
    """HTT-01, VAL-07, H01-15: not for a name, not for an address, not for a redirect."""
    open_egress = Egress(allow=EVERYWHERE)
    zone: Zone = {"a.example": {"AAAA" if ":" in address else "A": [address]}}
    async with hostile_http(OK, "127.0.0.1") as four, hostile_http(OK, "::1", four.port) as six:
        named = await look(four.port, zone, egress=open_egress)
        literal = await look(four.port, zone, egress=open_egress, target=ip_target(address))
        assert (kind(named), kind(literal)) == (DENIED, DENIED)
        assert (four.connections, six.connections) == (0, 0)
    assert named is not None
    shown = str(ip_address(address))
    assert f"point a.example to where this CA may connect: {shown} is out of bounds" in named.detail


async def test_a_redirect_to_a_denied_address_is_not_dialled() -> None:
    """H01-15, HTT-03."""
    egress = Egress(allow=LOOPBACK.allow, deny=(IPv4Network("127.0.0.2/32"),))
    for location in ("http://127.0.0.2/x", "//127.0.0.2/x", "http://b.example/x"):
        async with (
            hostile_http(redirect(location)) as first,
            hostile_http(OK, "127.0.0.2", first.port) as canary,
        ):
            assert kind(await look(first.port, egress=egress)) == DENIED
            assert canary.connections == 0


async def test_own_listeners_are_not_dialled() -> None:
    """HTT-01."""
    async with hostile_http(OK) as target:
        egress = Egress(allow=LOOPBACK.allow, own=(("127.0.0.1", target.port),))
        assert kind(await look(target.port, egress=egress)) == DENIED
        assert target.connections == 0


async def test_of_a_mixed_set_only_permitted_addresses_are_dialled() -> None:
    """HTT-11."""
    egress = Egress(allow=LOOPBACK.allow, deny=(IPv4Network("127.0.0.2/31"), IPv6Network("::1/128")))
    zone: Zone = {"a.example": {"AAAA": ["::1"], "A": ["127.0.0.2", "127.0.0.1", "127.0.0.3"]}}
    async with hostile_http(OK) as target:
        for host in ("127.0.0.2", "127.0.0.3", "::1"):
            async with hostile_http(OK, host, target.port) as canary:
                assert await look(target.port, zone, egress=egress) is None
                assert canary.connections == 0


async def test_a_name_is_resolved_once_and_the_checked_address_dialled() -> None:
    """HTT-02: of a name that alternates, the denied address is never dialled."""
    egress = Egress(allow=LOOPBACK.allow, deny=(IPv4Network("127.0.0.2/32"),))
    answers = itertools.cycle(["127.0.0.1", "127.0.0.2"])

    def rebinding(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        return from_zone({"a.example": {"A": [next(answers)]}})(query, over_tcp)

    async with hostile_http(OK) as target, hostile_http(OK, "127.0.0.2", target.port) as canary:
        reply = by_type(A=rebinding, AAAA=from_zone({"a.example": {}}))
        async with validator(target.port, reply, egress=egress) as http01:
            seen = [kind(await http01.look(dns_target())) for _ in range(50)]
        assert seen == [None, DENIED] * 25
        assert (target.connections, canary.connections) == (25, 0)


@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_a_name_that_does_not_resolve_is_a_dns_problem(rcode: dns.rcode.Rcode) -> None:
    """VAL-13."""
    problem = await look(1, failing(rcode))
    assert kind(problem) == "dns DNS-FAILED"
    assert problem is not None
    assert "a.example" in problem.detail
    assert dns.rcode.to_text(rcode) in problem.detail


async def test_a_resolver_that_takes_all_the_time_is_a_dns_problem() -> None:
    assert kind(await look(1, silent, timeout=timedelta(seconds=0.3))) == "dns DNS-FAILED"


async def test_running_out_of_sockets_is_a_fault_of_ours() -> None:
    """INV-12: it is raised, and no challenge fails by it."""
    async with hostile_http(OK) as target, validator(target.port) as http01:
        assert await http01.look(ip_target("127.0.0.1")) is None
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            for wanted in (ip_target("127.0.0.1"), dns_target()):
                with pytest.raises((OSError, ExceptionGroup)) as caught:
                    await http01.look(wanted)
                error: BaseException = caught.value
                while isinstance(error, ExceptionGroup):
                    error = error.exceptions[0]
                assert isinstance(error, OSError)
                assert error.errno == errno.EMFILE
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
