"""What a zone must hold for dns-01, and how the question gets there (RFC 8555 §8.4)."""

from collections.abc import Sequence
from datetime import timedelta

import dns.flags
import dns.message
import dns.rcode
import pytest

from acmeproxy.adapters.validation.dns01 import Dns01
from tests.support.dns_look import OWNER, VALUE, answering, look, resolver, target
from tests.support.dns_server import (
    Reply,
    Zone,
    after,
    dns_server,
    failing,
    from_zone,
    silent,
    truncated_over_udp,
)
from tests.support.http01_look import KEY_AUTHORIZATION, kind

CONTENT = "incorrectResponse DNS-TXT-CONTENT"
MISSING = "incorrectResponse DNS-TXT-MISSING"
FAILED = "dns DNS-FAILED"
GOOD: Zone = {OWNER: {"TXT": [VALUE]}}
SECRET = "s3cr3t-banner"


def txt(*values: str) -> Zone:
    return {OWNER: {"TXT": [*values]}}


async def test_one_question_at_the_name_below_which_challenges_are() -> None:
    """D01-01, DNS-08: absolute, lower case, and no other question."""
    async with dns_server(GOOD) as server:
        assert await Dns01(resolver(server)).look(target()) is None
        assert server.asked == [("_acme-challenge.a.example.", "TXT", False)]


@pytest.mark.parametrize(
    "values",
    [
        [VALUE],
        [f'"{VALUE[:20]}" "{VALUE[20:]}"'],  # D01-04
        ['""', f'"" "{VALUE}" ""'],
        [f'"{octet}"' for octet in VALUE[:20]] + [VALUE],
        ["v=spf1 -all", VALUE, '"\\255\\000\\128"'],  # D01-11
    ],
)
async def test_one_right_record_is_enough(values: list[str]) -> None:
    """D01-03, D01-04."""
    assert await look(txt(*values)) is None


@pytest.mark.parametrize("position", [0, 29])
async def test_thirty_records_with_one_right_among_them(position: int) -> None:
    """D01-03, D01-08: name and wildcard at one owner, and what earlier orders left behind; over TCP."""
    values = [f"{n:043}" for n in range(30)]
    values[position] = VALUE
    asked = truncated_over_udp(from_zone(txt(*values)))
    async with dns_server(asked) as server:
        assert await Dns01(resolver(server)).look(target()) is None
        assert [over_tcp for _, _, over_tcp in server.asked] == [False, True]


@pytest.mark.parametrize(
    "value",
    [
        f"{VALUE}=",
        f'"{VALUE} "',
        f'" {VALUE}"',
        f'"\\"{VALUE}\\""',
        VALUE.lower(),
        VALUE.swapcase(),
        VALUE.translate({ord("-"): "+", ord("_"): "/"}),
        "8b233cda5c64249afb3397555b1898dbf2e92d7c98cdd3fc650674643545fdc2",
        f'"{KEY_AUTHORIZATION}"',
        VALUE[:-1],
        f"{VALUE}{VALUE}",
        f'"{VALUE}\\000"',
        '"\\255\\254"',
        '""',
        f'"{SECRET}"',
    ],
)
async def test_nothing_else_will_do_and_nothing_of_it_is_repeated(value: str) -> None:
    """D01-02, D01-05, D01-11, INV-10."""
    found = await look(txt(value, f'"{SECRET}"'))
    assert kind(found) == CONTENT
    assert found is not None
    assert found.detail.startswith(f"publish {VALUE} as TXT record at {OWNER}: of ")
    assert SECRET not in found.detail


async def test_strings_of_different_records_are_not_joined() -> None:
    """D01-04."""
    assert kind(await look(txt(VALUE[:20], VALUE[20:]))) == CONTENT


async def test_aliases_are_followed_into_other_zones() -> None:
    """D01-06: as acme-dns wants it."""
    zone = {
        OWNER: {"CNAME": ["a.delegated.test."]},
        "a.delegated.test": {"CNAME": ["b.third.test."]},
        "b.third.test": {"TXT": [VALUE]},
    }
    assert await look(zone) is None


async def test_a_delegated_subtree_is_followed() -> None:
    """D01-06: a resolver sends a DNAME with the CNAME that it makes of it (RFC 6672 §3.1)."""
    reply = answering(
        ("a.example", "DNAME", ["b.example."]),
        (OWNER, "CNAME", ["_acme-challenge.b.example."]),
        ("_acme-challenge.b.example", "TXT", [VALUE]),
    )
    assert await look(reply) is None


async def test_a_loop_of_aliases_ends_in_dns() -> None:
    """D01-06."""
    reply = answering((OWNER, "CNAME", ["b.example."]), ("b.example", "CNAME", [f"{OWNER}."]))
    assert kind(await look(reply)) in {FAILED, MISSING}
    endless = [(f"a{n}.example", "CNAME", [f"a{n + 1}.example."]) for n in range(40)]
    assert kind(await look(answering((OWNER, "CNAME", ["a0.example."]), *endless))) == FAILED


@pytest.mark.parametrize("owner", ["a.example", "_acme-challenge.b.example", "_acme-challenge.example"])
async def test_records_of_other_owners_prove_nothing(owner: str) -> None:
    """D01-14: whoever may add to an answer cannot speak for the name."""
    assert kind(await look(answering((owner, "TXT", [VALUE])))) == MISSING
    both = answering((OWNER, "TXT", ["wrong"]), (owner, "TXT", [VALUE]))
    assert kind(await look(both)) == CONTENT


@pytest.mark.parametrize(
    ("reply", "expected", "words"),
    [
        (from_zone({}), FAILED, "create _acme-challenge.a.example in the DNS"),  # NXDOMAIN
        (from_zone({OWNER: {"A": ["192.0.2.1"]}}), MISSING, "publish a TXT record at _acme-challenge.a"),
        (failing(dns.rcode.SERVFAIL), FAILED, "repair the zone of _acme-challenge.a.example"),
        (failing(dns.rcode.REFUSED), FAILED, "have this CA's resolver answer for _acme-challenge.a.example"),
        (failing(dns.rcode.NOTIMP), FAILED, "check the name servers of _acme-challenge.a.example"),
    ],
)  # fmt: skip
async def test_each_failure_says_what_was_asked(reply: Reply, expected: str, words: str) -> None:
    """D01-07, D01-12, DNS-05: SERVFAIL, as of a bogus zone, is a failure and no absence."""
    found = await look(reply)
    assert kind(found) == expected
    assert found is not None
    assert found.detail.startswith(words)


async def test_a_bogus_zone_is_not_asked_about_in_any_other_way() -> None:
    """DNS-05: the checking-disabled bit is never set, and nobody else is asked."""
    flags: list[int] = []

    def bogus(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        flags.append(query.flags & dns.flags.CD)
        return failing(dns.rcode.SERVFAIL)(query, over_tcp)

    assert kind(await look(bogus)) == FAILED
    assert set(flags) == {0}


async def test_a_server_that_is_silent_ends_with_the_deadline() -> None:
    """D01-12, VAL-06."""
    found = await look(silent, timeout=timedelta(seconds=0.3))
    assert kind(found) == FAILED
    assert found is not None
    assert "(timeout)" in found.detail


@pytest.mark.parametrize(
    "before", [from_zone({}), from_zone({OWNER: {}}), from_zone(txt("old")), failing(dns.rcode.SERVFAIL)]
)
async def test_what_was_not_there_is_seen_as_soon_as_it_is(before: Reply) -> None:
    """D01-09: no answer is kept from one look to the next, a negative one least of all."""
    answers = [before, from_zone(GOOD)]
    current = [before]

    def reply(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        return current[0](query, over_tcp)

    async with dns_server(reply) as server:
        validator = Dns01(resolver(server))
        assert kind(await validator.look(target())) in {CONTENT, MISSING, FAILED}
        current[0] = answers[1]
        assert await validator.look(target()) is None


async def test_one_lost_answer_is_asked_for_again() -> None:
    """DNS-04: a datagram may be lost without the client's fault."""
    found = await look(after(1, silent, from_zone(GOOD)), timeout=timedelta(seconds=2))
    assert found is None


async def test_a_name_too_long_for_the_question_is_a_failure_and_no_fault() -> None:
    """D01-10: it is not offered; should it be looked at all the same, it ends well."""
    name = ".".join(["a" * 63] * 3 + ["b" * 46])
    assert len(name) == 238
    assert kind(await look({}, target(name))) == FAILED
