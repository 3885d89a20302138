"""dns-persist-01 asks for one lasting record (draft-ietf-acme-dns-persist §4); its words: tests/core."""

from datetime import UTC, datetime

import dns.rcode

from acmeproxy.adapters.validation.dns_persist01 import DnsPersist01
from acmeproxy.core.problem import Problem
from acmeproxy.services.ports import Target
from tests.support.dns_look import ACCOUNT, resolver, target
from tests.support.dns_server import Reply, Zone, dns_server, failing
from tests.support.http01_look import kind

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
OWNER = "_validation-persist.a.example"
GOOD = f'"ca.example; accounturi={ACCOUNT}"'


async def look(reply: Reply | Zone, looked_at: Target | None = None) -> Problem | None:
    async with dns_server(reply) as server:
        return await DnsPersist01(resolver(server), lambda: NOW).look(looked_at or target())


async def test_it_asks_where_lasting_records_are() -> None:
    """DPE-02, DPE-09: each time anew."""
    async with dns_server({OWNER: {"TXT": [GOOD]}}) as server:
        validator = DnsPersist01(resolver(server), lambda: NOW)
        for _ in range(2):
            assert await validator.look(target()) is None
        assert server.asked == [("_validation-persist.a.example.", "TXT", False)] * 2


async def test_a_record_in_pieces_beside_others() -> None:
    """DPE-03."""
    pieces = f'"ca.example; account" "uri={ACCOUNT}"'
    assert await look({OWNER: {"TXT": ["v=spf1", '"other.example; accounturi=x"', pieces]}}) is None


async def test_a_wildcard_is_looked_for_at_its_base() -> None:
    """DPE-05."""
    zone: Zone = {OWNER: {"TXT": [GOOD]}}
    assert kind(await look(zone, target(wildcard=True))) == "unauthorized DNS-PERSIST-REFUSED"
    zone = {OWNER: {"TXT": [f'"ca.example; accounturi={ACCOUNT}; policy=wildcard"']}}
    assert await look(zone, target(wildcard=True)) is None


async def test_time_ends_a_record() -> None:
    """DPE-06."""
    until = int(NOW.timestamp())
    for seconds, expected in ((until, None), (until - 1, "unauthorized DNS-PERSIST-REFUSED")):
        record = f'"ca.example; accounturi={ACCOUNT}; persistUntil={seconds}"'
        assert kind(await look({OWNER: {"TXT": [record]}})) == expected


async def test_another_account_has_nothing_of_it() -> None:
    """DPE-04, DNS-12."""
    other = target(account="https://acme.example/acme/web/account/Xyz")
    assert kind(await look({OWNER: {"TXT": [GOOD]}}, other)) == "unauthorized DNS-PERSIST-REFUSED"


async def test_what_is_broken_and_what_is_missing() -> None:
    """DPE-07, D01-12."""
    broken = {OWNER: {"TXT": ['"ca.example; accounturi"', '"\\255"']}}
    assert kind(await look(broken)) == "malformed DNS-PERSIST-RECORD"
    assert kind(await look({OWNER: {}})) == "incorrectResponse DNS-TXT-MISSING"
    assert kind(await look({})) == "dns DNS-FAILED"
    assert kind(await look(failing(dns.rcode.SERVFAIL))) == "dns DNS-FAILED"
