"""Who is asked for CAA records, and what no answer means (RFC 8659 §3, §6.3); the words: tests/core."""

from collections.abc import Sequence
from datetime import timedelta

import dns.message
import dns.rcode
import pytest

from acmeproxy.adapters.validation.caa import DnsCaa
from acmeproxy.core.caa import Question
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.services.ports import CaaAllowed, CaaForbidden, CaaUnknown, CaaVerdict
from tests.support.dns_look import ACCOUNT, answering, resolver
from tests.support.dns_server import DnsServer, Reply, Zone, after, dns_server, failing, from_zone, silent
from tests.support.http01_look import AT_EASE, kind

FORBIDDEN = "caa CAA-FORBIDDEN"
UNKNOWN = "dns CAA-UNKNOWN"
OURS = '0 issue "ca.example"'
OTHERS = '0 issue "other.example"'


def question(name: str, type_: IdentifierType = IdentifierType.DNS) -> Question:
    return Question(Identifier(type_, name), ChallengeType.DNS01, ACCOUNT)


async def ask(server: DnsServer, asked: Question, timeout: timedelta = AT_EASE) -> CaaVerdict:  # noqa: ASYNC109
    return await DnsCaa(resolver(server, timeout), ("ca.example", "pki.example"), timeout).ask(asked)


async def verdict(reply: Reply | Zone, name: str = "www.a.example") -> CaaVerdict:
    async with dns_server(reply) as server:
        return await ask(server, question(name))


def names(server: DnsServer) -> list[str]:
    assert {kind_ for _, kind_, _ in server.asked} <= {"CAA"}
    return [name for name, _, _ in server.asked]


async def test_every_name_up_to_the_top_level_is_asked_and_no_other() -> None:
    """CAA-01, CAA-03: the root is not."""
    async with dns_server({}) as server:
        assert await ask(server, question("www.a.example")) == CaaAllowed()
        assert names(server) == ["www.a.example.", "a.example.", "example."]


async def test_a_wildcard_begins_at_its_base() -> None:
    """CAA-04."""
    async with dns_server({}) as server:
        assert await ask(server, question("*.a.example")) == CaaAllowed()
        assert names(server) == ["a.example.", "example."]


async def test_the_first_set_decides_alone() -> None:
    """CAA-01: what stands above is not even asked for."""
    zone = {"www.a.example": {"CAA": [OURS]}, "a.example": {"CAA": [OTHERS]}}
    async with dns_server(zone) as server:
        assert await ask(server, question("www.a.example")) == CaaAllowed()
        assert names(server) == ["www.a.example."]
        assert isinstance(await ask(server, question("ftp.a.example")), CaaForbidden)


@pytest.mark.parametrize("where", ["www.a.example", "a.example", "example"])
async def test_a_refusal_says_where_it_stands(where: str) -> None:
    """CAA-27, and no word of the records, INV-10."""
    found = await verdict({where: {"CAA": ['0 issue "s3cr3t.example"']}})
    assert isinstance(found, CaaForbidden)
    assert kind(found.problem) == FORBIDDEN
    assert found.problem.status == 403
    assert found.problem.detail == (
        "allow ca.example or pki.example for www.a.example by dns-01 in the CAA records of"
        f" {where}, or have them taken away: it allows other CAs only [ref CAA-FORBIDDEN]"
    )


async def test_an_alias_is_followed_and_its_parents_are_not_climbed() -> None:
    """CAA-02."""
    alias = {"www.a.example": {"CNAME": ["host.other.test."]}, "host.other.test": {}}
    async with dns_server(alias | {"other.test": {"CAA": [OTHERS]}}) as server:
        assert await ask(server, question("www.a.example")) == CaaAllowed()
        assert names(server) == ["www.a.example.", "a.example.", "example."]
    found = await verdict(alias | {"host.other.test": {"CAA": [OTHERS]}})
    assert isinstance(found, CaaForbidden)


@pytest.mark.parametrize("absent", [{}, {"www.a.example": {"A": ["192.0.2.1"]}}])
async def test_no_name_and_no_records_are_an_empty_set(absent: Zone) -> None:
    """CAA-15: also at the top level, which a private zone may not have."""
    assert await verdict({**absent, "a.example": {"CAA": [OURS]}}) == CaaAllowed()
    assert await verdict(absent) == CaaAllowed()
    assert isinstance(await verdict({**absent, "example": {"CAA": [OTHERS]}}), CaaForbidden)


def refusing_at(where: str, rcode: dns.rcode.Rcode) -> Reply:
    def reply(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        fails = query.question[0].name.to_text() == f"{where}."
        return (failing(rcode) if fails else from_zone({}))(query, over_tcp)

    return reply


@pytest.mark.parametrize("where", ["www.a.example", "a.example", "example"])
@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP])
async def test_an_answer_that_failed_is_no_empty_set(where: str, rcode: dns.rcode.Rcode) -> None:
    """CAA-14, CAA-02 (abuse), DNS-05."""
    found = await verdict(refusing_at(where, rcode))
    assert isinstance(found, CaaUnknown)
    assert kind(found.problem) == UNKNOWN
    assert where in found.problem.detail


async def test_a_failure_above_the_deciding_set_does_not_matter() -> None:
    """CAA-01, CAA-14: "at any level before a set is found"."""

    def reply(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        return (
            from_zone({"www.a.example": {"CAA": [OURS]}})
            if query.question[0].name.to_text() == "www.a.example."
            else failing(dns.rcode.SERVFAIL)
        )(query, over_tcp)

    assert await verdict(reply) == CaaAllowed()


async def test_a_silent_server_leaves_it_unknown_within_the_deadline() -> None:
    """CAA-14, VAL-06."""
    async with dns_server(silent) as server:
        found = await ask(server, question("www.a.example"), timedelta(seconds=0.3))
    assert isinstance(found, CaaUnknown)
    assert kind(found.problem) == UNKNOWN


async def test_one_deadline_is_for_the_whole_way_up() -> None:
    """VAL-06: many levels that are each nearly too slow do not add up."""
    deep = ".".join(["x"] * 40)
    async with dns_server(silent) as server:
        looked = DnsCaa(resolver(server, AT_EASE), ("ca.example",), timedelta(seconds=0.3))
        found = await looked.ask(question(f"{deep}.example"))
    assert isinstance(found, CaaUnknown)
    assert "not found out in time" in found.problem.detail


async def test_what_was_unknown_is_asked_anew() -> None:
    """CAA-14: and a negative answer is not kept either."""
    async with dns_server(after(1, failing(dns.rcode.SERVFAIL), from_zone({}))) as server:
        assert isinstance(await ask(server, question("www.a.example")), CaaUnknown)
        assert await ask(server, question("www.a.example")) == CaaAllowed()
        server.reply = from_zone({"a.example": {"CAA": [OTHERS]}})
        assert isinstance(await ask(server, question("www.a.example")), CaaForbidden)


async def test_records_of_another_owner_do_not_allow() -> None:
    """D01-14 likewise: an answer's other records are nobody's."""
    stray = answering(("other.test", "CAA", [OURS]), ("example", "CAA", [OTHERS]))
    found = await verdict(stray)
    assert isinstance(found, CaaForbidden)


@pytest.mark.parametrize("type_", [IdentifierType.IP])
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
async def test_nobody_is_asked_about_an_address(address: str, type_: IdentifierType) -> None:
    """CAA-17, IPI-02, IPI-03."""
    async with dns_server(failing(dns.rcode.SERVFAIL)) as server:
        assert await ask(server, question(address, type_)) == CaaAllowed()
        assert server.asked == []


@pytest.mark.parametrize(
    "value", ['0 issue "\\255\\000"', '0 issue ""', '128 tbs "x"', '0 issue "ca.example; a b"']
)
async def test_odd_records_forbid_and_break_nothing(value: str) -> None:
    """CAA-09, CAA-10, VAL-08."""
    assert isinstance(await verdict({"a.example": {"CAA": [value]}}), CaaForbidden)


async def test_a_record_that_cannot_be_read_leaves_it_unknown() -> None:
    """CAA-14: a tag of no letters is no record of any meaning, and no permission."""

    def reply(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        (good,) = from_zone({"www.a.example": {"CAA": ['0 issue "x"']}})(query, over_tcp)
        return [good.replace(b"\x05issue", b"\x05is!ue")]

    async with dns_server(reply) as server:
        found = await ask(server, question("www.a.example"), timedelta(seconds=0.3))
    assert isinstance(found, CaaUnknown)
