"""A11: newOrder (RFC 8555 §7.4)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.acme_jws import Forgery
from tests.support.acme_keys import generate
from tests.support.acme_urls import urls_of
from tests.support.problems import assert_refused
from tests.support.proxy import PUBLIC_URL, Proxy
from tests.support.state import documents

NAME = "www.alpha.example"
DNS = {"type": "dns", "value": NAME}
ID = "[0-9a-f]{32}"


async def test_a_new_one(web: Proxy) -> None:
    """NOR-01, NOR-09, ORD-01, ORD-05, CLQ-01, CLQ-08, OS-1."""
    client = await web.account()
    before = datetime.now(UTC)
    answer = await client.new_order([NAME, "alpha.example"])
    assert answer.status == 201
    base = f"{PUBLIC_URL}/acme/alpha"
    assert re.fullmatch(f"{base}/order/{ID}", answer.location)
    order = answer.json()
    assert set(order) == {"status", "expires", "identifiers", "authorizations", "finalize"}
    assert order["status"] == "pending"
    assert order["identifiers"] == [DNS, {"type": "dns", "value": "alpha.example"}]
    assert order["finalize"] == f"{answer.location}/finalize"
    assert all(re.fullmatch(f"{base}/authorization/{ID}", url) for url in order["authorizations"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", order["expires"])
    lifetime = datetime.fromisoformat(order["expires"]) - before
    assert timedelta(hours=1) < lifetime < timedelta(days=30)


@pytest.mark.parametrize(
    "identifiers",
    [
        None,
        [],
        {},
        "x",
        [[]],
        ["x"],
        [None],
        [{}],
        [{"type": "dns"}],
        [{"value": NAME}],
        [{"type": "dns", "value": 5}],
        [{"type": "dns", "value": None}],
        [{"type": "dns", "value": [NAME]}],
        [{"type": None, "value": NAME}],
        [{"type": 1, "value": NAME}],
        [DNS, {"type": "dns"}],
        [DNS, None],
    ],
)
async def test_identifiers_of_another_shape(identifiers: object, web: Proxy) -> None:
    """NOR-02, JWS-33."""
    client = await web.account()
    url = (await client.directory())["newOrder"]
    async with web.state.unchanged():
        assert_refused(await client.post(url, {"identifiers": identifiers}), 400, "malformed")
        assert_refused(await client.post(url, {}), 400, "malformed")


@pytest.mark.parametrize(
    "bad", ["www.beta.example", "alpha.example.org", "xalpha.example", "example", "denied"]
)
async def test_an_order_is_placed_whole_or_not_at_all(bad: str, web: Proxy) -> None:
    """NOR-03, NOR-04: what would not be signed is refused now, and nothing is left out silently."""
    client = await web.account()
    async with web.state.unchanged():
        for names in ([bad], [NAME, bad], [bad, NAME]):
            answer = await client.new_order(names)
            assert answer.status == 400
            [subproblem] = answer.json()["subproblems"]
            assert subproblem["identifier"]["value"] == bad


async def test_names_that_are_denied(web: Proxy) -> None:
    """NOR-03: a name beside it is fine."""
    client = await web.account("net")
    document = assert_refused(await client.new_order(["denied.example"]), 400, "rejectedIdentifier")
    assert "net" in document["detail"]
    assert (await client.new_order(["granted.example"])).status == 201


@pytest.mark.parametrize(
    ("member", "date"),
    [
        ("notAfter", "2020-01-01T00:00:00Z"),
        ("notAfter", "2999-01-01T00:00:00Z"),
        ("notBefore", "2999-01-01T00:00:00Z"),
        ("notAfter", "tomorrow"),
        ("notBefore", "0000-00-00T00:00:00Z"),
        ("notAfter", "2026-13-01T00:00:00Z"),
        ("notAfter", "2999-01-01"),
        ("notAfter", "2999-01-01T00:00:00"),
        ("notAfter", 4102444800),
        ("notAfter", True),
    ],
)
async def test_dates_are_refused_and_never_bent(member: str, date: object, web: Proxy) -> None:
    """NOR-05, NOR-04, STA-12 (abuse)."""
    client = await web.account()
    async with web.state.unchanged():
        assert_refused(await client.new_order([NAME], **dict[str, Any]({member: date})), 400, "malformed")


@pytest.mark.parametrize("date", [None, ""])
async def test_no_date_may_be_written_down(date: object, web: Proxy) -> None:
    """NOR-05, CLI-14: win-acme and acmez send what they do not want."""
    client = await web.account()
    answer = await client.new_order([NAME], notBefore=date, notAfter=date)
    assert answer.status == 201
    assert not {"notBefore", "notAfter"} & set(answer.json())


async def test_what_is_ours_to_say_is_ignored(web: Proxy) -> None:
    """NOR-07, CLI-13: acmez sends the whole object, with dates of the year one and nulls."""
    client = await web.account()
    answer = await client.new_order(
        [NAME],
        status="valid",
        expires="0001-01-01T00:00:00Z",
        authorizations=None,
        finalize="",
        certificate="https://evil.example/",
        error={"type": "x"},
        id="x",
    )
    assert answer.status == 201
    assert answer.json()["status"] == "pending"
    assert not {"certificate", "error", "id"} & set(answer.json())


async def test_authorizations_are_for_the_identifiers_and_stay(validating: Proxy) -> None:
    """NOR-08: one each, none else, the same in every state."""
    client = await validating.account()
    names = [f"n{number}.alpha.example" for number in range(5)]
    order = await validating.order(client, *names)
    urls = order.json()["authorizations"]
    shown = [(await client.get(url)).json()["identifier"]["value"] for url in urls]
    assert sorted(shown) == names
    ready = await validating.ready(client, *names)
    later = await client.get(ready.location)
    assert len(set(urls) | set(later.json()["authorizations"])) == 10
    assert later.json()["authorizations"] == ready.json()["authorizations"]
    assert [identifier["value"] for identifier in later.json()["identifiers"]] == names


async def test_nobody_profits_from_the_proof_of_others(validating: Proxy) -> None:
    """NOR-13, TEN-03 (abuse), INV-1: not of another account, nor of the same key at another tenant."""
    key = generate()
    alice = await validating.account(key=key)
    await validating.ready(alice, "shared.example")
    for client in (await validating.account(), await validating.account("beta", key)):
        order = await validating.order(client, "shared.example")
        assert order.json()["status"] == "pending"
        authorization = await client.get(order.json()["authorizations"][0])
        assert authorization.json()["status"] == "pending"


async def test_authorizations_outlive_their_order(web: Proxy) -> None:
    """NOR-11: an order does not last longer than what it rests on."""
    client = await web.account()
    order = await web.order(client, NAME, "alpha.example")
    for url in order.json()["authorizations"]:
        assert (await client.get(url)).json()["expires"] >= order.json()["expires"]


async def test_how_many_names_there_may_be(web: Proxy) -> None:
    """NOR-14: a hundred, of any length."""
    client = await web.account("net")
    names = [f"n{number}." + "x" * 63 + ".example" for number in range(101)]
    async with web.state.unchanged():
        assert_refused(await client.new_order(names), 400, "malformed")
    assert len((await client.new_order(names[:100])).json()["authorizations"]) == 100


async def test_a_name_twice_is_one_name(web: Proxy) -> None:
    """NOR-16, IDN-04."""
    client = await web.account()
    before = documents(await web.state.everything(), "authorization")
    answer = await client.new_order([NAME, NAME.upper(), "Www.Alpha.Example", NAME])
    assert answer.status == 201
    assert answer.json()["identifiers"] == [DNS]
    assert len(answer.json()["authorizations"]) == 1
    assert len(documents(await web.state.everything(), "authorization")) == len(before) + 1


async def test_names_come_back_as_they_were_sent(web: Proxy) -> None:
    """NOR-17, IDN-17: lego compares them octet for octet, and unknown members are not shown."""
    client = await web.account("net")
    names = ["b.example", "a.example", "xn--bcher-kva.example", "10.1.2.3", "2001:db8::1"]
    answer = await client.new_order(names)
    assert [identifier["value"] for identifier in answer.json()["identifiers"]] == names
    url = (await client.directory())["newOrder"]
    odd = await client.post(
        url, {"identifiers": [{"type": "dns", "value": "a.example", "x": 1, "wildcard": True}]}
    )
    assert odd.json()["identifiers"] == [{"type": "dns", "value": "a.example"}]


async def test_the_same_order_again_is_an_order(web: Proxy) -> None:
    """NOR-12: 201 with a URL that works, be it the old one or a new one."""
    client = await web.account()
    first, second = await client.new_order([NAME]), await client.new_order([NAME])
    assert (first.status, second.status) == (201, 201)
    for order in (first, second):
        assert (await client.get(order.location)).json()["status"] == "pending"


async def test_a_request_that_breaks_off_leaves_nothing(web: Proxy) -> None:
    """NOR-04: a refused payload after a good signature."""
    client = await web.account()
    url = (await client.directory())["newOrder"]
    await urls_of(web, client)
    async with web.state.unchanged():
        cut = Forgery(payload=b'{"identifiers":[{"type":"dns","value":"www.alpha.exam')
        assert_refused(await client.post(url, None, cut), 400, "malformed")
