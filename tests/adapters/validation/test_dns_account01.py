"""dns-account-01 looks where the account's own label is (draft-ietf-acme-dns-account-label §3)."""

import pytest

from acmeproxy.adapters.validation.dns01 import Dns01
from acmeproxy.adapters.validation.dns_account01 import DnsAccount01
from acmeproxy.core.problem import Problem
from tests.support.dns_look import ACCOUNT, OWNER, VALUE, resolver, target
from tests.support.dns_server import Reply, Zone, dns_server
from tests.support.http01_look import kind

#: Of `ACCOUNT`: openssl dgst -sha256 -binary | head -c 10 | basenc --base32, in lower case.
LABELLED = "_tnyoddwqtbwpeke2._acme-challenge.a.example"


async def look(reply: Reply | Zone, account: str = ACCOUNT) -> Problem | None:
    async with dns_server(reply) as server:
        return await DnsAccount01(resolver(server)).look(target(account=account))


@pytest.mark.parametrize(
    ("account", "label"),
    [
        ("https://example.com/acme/acct/ExampleAccount", "_ujmmovf2vn55tgye"),  # the draft's own example
        (ACCOUNT, "_tnyoddwqtbwpeke2"),
    ],
)
async def test_the_label_is_made_of_the_account_url(account: str, label: str) -> None:
    """DAC-01."""
    async with dns_server({}) as server:
        await DnsAccount01(resolver(server)).look(target(account=account))
        assert server.asked == [(f"{label}._acme-challenge.a.example.", "TXT", False)]


async def test_the_record_is_that_of_dns_01() -> None:
    """DAC-03."""
    assert await look({LABELLED: {"TXT": ["old", VALUE]}}) is None
    assert kind(await look({LABELLED: {"TXT": ["old"]}})) == "incorrectResponse DNS-TXT-CONTENT"


async def test_another_spelling_of_the_url_is_another_label() -> None:
    """DAC-02."""
    zone = {LABELLED: {"TXT": [VALUE]}}
    assert kind(await look(zone, ACCOUNT.replace("acme.example", "ACME.example"))) == "dns DNS-FAILED"
    assert kind(await look(zone, f"{ACCOUNT}/")) == "dns DNS-FAILED"


async def test_neither_method_takes_the_other_ones_record() -> None:
    """DAC-06."""
    assert kind(await look({OWNER: {"TXT": [VALUE]}})) == "dns DNS-FAILED"
    async with dns_server({LABELLED: {"TXT": [VALUE]}}) as server:
        assert kind(await Dns01(resolver(server)).look(target())) == "dns DNS-FAILED"


@pytest.mark.parametrize(
    ("zone", "code"),
    [
        ({}, "DNS-FAILED"),
        ({LABELLED: {}}, "DNS-TXT-MISSING"),
        ({LABELLED: {"TXT": ["old"]}}, "DNS-TXT-CONTENT"),
    ],
)
async def test_a_missing_record_tells_of_which_account_it_would_be(zone: Zone, code: str) -> None:
    """DAC-04."""
    found = await look(zone)
    assert found is not None
    assert LABELLED in found.detail
    assert found.detail.endswith(f"; the label is that of account {ACCOUNT} [ref {code}]")
