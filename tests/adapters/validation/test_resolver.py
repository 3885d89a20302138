"""Names to addresses, from servers that lie, fail or are silent (VAL-13, DNS-04, DNS-05, DNS-07, DNS-08)."""

import random
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import dns.message
import dns.rcode
import dns.resolver
import pytest

from acmeproxy.adapters.validation.resolver import (
    Outcome,
    ResolutionError,
    Resolver,
    system_nameservers,
)
from acmeproxy.core.identifier import Identifier, IdentifierType
from tests.support.dns_server import (
    DnsServer,
    Reply,
    Zone,
    by_type,
    dns_server,
    failing,
    from_zone,
    silent,
    truncated_over_udp,
)

QUICKLY = timedelta(seconds=0.3)
HOST = Identifier(IdentifierType.DNS, "a.example")
GOOD = from_zone({"a.example": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]}})


def resolver(server: DnsServer, timeout: timedelta = timedelta(seconds=5)) -> Resolver:
    return Resolver(("127.0.0.1", server.port), timeout)


async def looked_up(reply: Reply | Zone, host: Identifier = HOST) -> list[str]:
    async with dns_server(reply) as server:
        return [str(address) for address in await resolver(server).addresses(host)]


async def refused(reply: Reply | Zone, within: timedelta = timedelta(seconds=5)) -> ResolutionError:
    async with dns_server(reply) as server:
        with pytest.raises(ResolutionError) as caught:
            await resolver(server, within).addresses(HOST)
    return caught.value


async def test_ipv6_comes_first() -> None:
    """H01-18."""
    assert await looked_up(GOOD) == ["2001:db8::1", "192.0.2.1"]


@pytest.mark.parametrize(
    ("reply", "outcome", "words"),
    [
        ({}, Outcome.NXDOMAIN, "create a.example in the DNS"),
        ({"a.example": {"TXT": ["x"]}}, Outcome.NODATA, "give a.example a record of type A or AAAA"),
        (failing(dns.rcode.SERVFAIL), Outcome.SERVFAIL, "repair the zone of a.example"),
        (failing(dns.rcode.REFUSED), Outcome.REFUSED, "have this CA's resolver answer for a.example"),
        (failing(dns.rcode.NOTIMP), Outcome.MALFORMED, "check the name servers of a.example"),
    ],
)
async def test_each_failure_has_its_own_words(reply: Reply | Zone, outcome: Outcome, words: str) -> None:
    """VAL-13, DNS-05: SERVFAIL, as of a zone that fails DNSSEC validation, is not an absent record."""
    error = await refused(reply)
    assert error.outcome is outcome
    assert error.problem.type == "urn:ietf:params:acme:error:dns"
    assert error.problem.detail.startswith(words)
    assert error.problem.detail.endswith(f"({outcome.value}) [ref DNS-FAILED]")


async def test_one_deadline_ends_a_look_up_that_nobody_answers() -> None:
    """VAL-06."""
    error = await refused(silent, QUICKLY)
    assert error.outcome is Outcome.TIMEOUT


async def test_an_answer_that_does_not_fit_a_datagram_comes_over_tcp() -> None:
    async with dns_server(truncated_over_udp(GOOD)) as server:
        found = await resolver(server).addresses(HOST)
        assert [str(address) for address in found] == ["2001:db8::1", "192.0.2.1"]
        assert sorted(server.asked) == [
            ("a.example.", "A", False),
            ("a.example.", "A", True),
            ("a.example.", "AAAA", False),
            ("a.example.", "AAAA", True),
        ]


async def test_an_answer_truncated_even_over_tcp_is_none() -> None:
    def cut(query: dns.message.Message, _: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        return truncated_over_udp(GOOD)(query, False)  # noqa: FBT003 - likewise

    assert (await refused(cut)).outcome is Outcome.MALFORMED


async def test_aliases_are_followed() -> None:
    zone = {f"a{n}.example": {"CNAME": [f"a{n + 1}.example."]} for n in range(8)}
    zone |= {"a.example": {"CNAME": ["a0.example."]}, "a8.example": {"A": ["192.0.2.8"]}}
    assert await looked_up(zone) == ["192.0.2.8"]


async def test_a_loop_of_aliases_ends() -> None:
    error = await refused({"a.example": {"CNAME": ["b.example."]}, "b.example": {"CNAME": ["a.example."]}})
    assert error.outcome in {Outcome.MALFORMED, Outcome.NODATA}


async def test_an_alias_to_nowhere_does_not_exist() -> None:
    assert (await refused({"a.example": {"CNAME": ["gone.example."]}})).outcome is Outcome.NXDOMAIN


async def test_many_records_are_all_seen() -> None:
    """H01-19: how many of them are dialled is not decided here."""
    records = [f"192.0.2.{n}" for n in range(50)]
    assert sorted(await looked_up({"a.example": {"A": records}})) == sorted(records)


@pytest.mark.parametrize("broken", ["A", "AAAA"])
@pytest.mark.parametrize("failure", [failing(dns.rcode.SERVFAIL), failing(dns.rcode.REFUSED)])
async def test_one_family_is_enough_when_the_other_fails(broken: str, failure: Reply) -> None:
    expected = {"A": ["2001:db8::1"], "AAAA": ["192.0.2.1"]}[broken]
    assert await looked_up(by_type(**({"A": GOOD, "AAAA": GOOD} | {broken: failure}))) == expected


async def test_one_family_is_enough_when_the_other_is_never_answered() -> None:
    async with dns_server(by_type(A=GOOD, AAAA=silent)) as server:
        assert await resolver(server, QUICKLY).addresses(HOST) == (ip_address("192.0.2.1"),)


async def test_of_two_reasons_the_failure_is_told_and_not_the_absence() -> None:
    error = await refused(by_type(A=failing(dns.rcode.SERVFAIL), AAAA=from_zone({"a.example": {}})))
    assert error.outcome is Outcome.SERVFAIL


async def test_packets_that_answer_something_else_are_waited_out() -> None:
    """DNS-04: a spoofer who is first, but knows neither id nor question, changes nothing."""

    def spoofed(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        wrong_id = dns.message.make_response(query)
        wrong_id.id = (query.id + 1) % 65536
        wrong_name = dns.message.make_response(dns.message.make_query("b.example", "A", id=query.id))
        return [b"", b"\x00", wrong_id.to_wire(), wrong_name.to_wire(), *GOOD(query, over_tcp)]

    assert await looked_up(spoofed) == ["2001:db8::1", "192.0.2.1"]


async def test_mangled_packets_end_in_addresses_or_in_an_error() -> None:
    """DNS-07: whatever the packet, no other exception and no hang."""
    chance = random.Random(20260801)  # noqa: S311 - a reproducible fuzz, no secret

    def mangled(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        packet = bytearray(GOOD(query, over_tcp)[0])
        for _ in range(chance.randint(1, 6)):
            packet[chance.randrange(2, len(packet))] = chance.randrange(256)
        return [bytes(packet[: chance.randint(len(packet) - 4, len(packet))]), *GOOD(query, over_tcp)]

    async with dns_server(mangled) as server:
        for _ in range(200):
            try:
                found = await resolver(server, QUICKLY).addresses(HOST)
            except ResolutionError:
                continue
            assert found


@pytest.mark.parametrize(
    "name",
    ["127.1", "2130706433", "0x7f.1", "017700000001", "a_b.example", "a..example", "*.a.example", "",
     "a.example.", "intranet", "a.example\n", "a\\.b.example", "\N{FULLWIDTH DIGIT ONE}.example",
     "a" * 64 + ".example"],
)  # fmt: skip
async def test_what_is_no_host_name_is_never_asked_for(name: str) -> None:
    """Threat model: no string that getaddrinfo would take for an address reaches any resolver."""
    async with dns_server(GOOD) as server:
        with pytest.raises(ResolutionError) as caught:
            await resolver(server).addresses(Identifier(IdentifierType.DNS, name))
        assert caught.value.outcome is Outcome.NAME
        assert server.asked == []


async def test_an_address_asks_nobody() -> None:
    """H01-21, IPI-02."""
    async with dns_server(GOOD) as server:
        for text in ("192.0.2.9", "2001:db8::9"):
            found = await resolver(server).addresses(Identifier(IdentifierType.IP, text))
            assert found == (ip_address(text),)
        assert server.asked == []


async def test_records_of_any_type_are_returned() -> None:
    zone = {
        "_acme-challenge.a.example": {"TXT": ['"one" "two"', '"three"']},
        "example": {"CAA": ['0 issue "ca.example"']},
    }
    async with dns_server(zone) as server:
        texts = await resolver(server).records("_acme-challenge.a.example", "TXT")
        assert sorted(record.to_text() for record in texts) == ['"one" "two"', '"three"']
        (caa,) = await resolver(server).records("example", "CAA")
        assert caa.to_text() == '0 issue "ca.example"'
        with pytest.raises(ResolutionError, match=r"a record of type TXT .*NODATA"):
            await resolver(server).records("example", "TXT")
        with pytest.raises(ResolutionError) as caught:
            await resolver(server).records("a" * 63 + 48 * ".abc" + ".example", "TXT")
        assert caught.value.outcome is Outcome.NAME


async def test_names_are_asked_for_as_they_are_and_each_time_anew() -> None:
    """DNS-08, H01-15: no search list, no cache."""
    async with dns_server({}) as server:
        stub = resolver(server)
        for _ in range(2):
            with pytest.raises(ResolutionError):
                await stub.addresses(HOST)
        assert sorted(server.asked) == [
            ("a.example.", "A", False),
            ("a.example.", "A", False),
            ("a.example.", "AAAA", False),
            ("a.example.", "AAAA", False),
        ]


def test_of_resolv_conf_only_the_servers_are_taken(tmp_path: Path) -> None:
    """DNS-08."""
    file = tmp_path / "resolv.conf"
    file.write_text(
        "search corp.local\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions ndots:5\n", "utf-8"
    )
    assert system_nameservers(file) == ("192.0.2.53", "2001:db8::53")


def test_a_resolv_conf_without_servers_is_a_fault_of_ours(tmp_path: Path) -> None:
    with pytest.raises(dns.resolver.NoResolverConfiguration):
        system_nameservers(tmp_path / "resolv.conf")
