"""A11: identifiers: one form for a name, and none that a certificate cannot hold (RFC 8555 §7.1.3)."""

import pytest

from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_csr import identifier
from tests.support.problems import URN, assert_refused
from tests.support.proxy import Proxy


async def ask(client: AcmeClient, type_: str, value: str) -> Answer:
    url = (await client.directory())["newOrder"]
    return await client.post(url, {"identifiers": [{"type": type_, "value": value}]})


async def assert_bad(web: Proxy, type_: str, value: str, error: str) -> None:
    """Make sure that a name is refused, with it in the subproblem as it was sent, and nothing is kept."""
    client = await web.account("net")
    async with web.state.unchanged():
        document = assert_refused(await ask(client, type_, value), 400, error)
    [subproblem] = document["subproblems"]
    assert subproblem["type"] == URN + error
    assert subproblem["identifier"] == {"type": type_, "value": value}


@pytest.mark.parametrize(
    "type_", ["email", "", "DNS", "Dns", "dns ", "IP", "uri", "x" * 1000, "ä", "permanent-identifier"]
)
async def test_other_types(type_: str, web: Proxy) -> None:
    """IDN-01."""
    await assert_bad(web, type_, "www.example", "unsupportedIdentifier")


BAD_NAMES: dict[str, str] = {
    "IDN-02 U-label": "bücher.example",
    "IDN-02 full-width": "ｗｗｗ.example",  # noqa: RUF001 - it only looks plain
    "IDN-02 ideographic stop": "www。example",
    "IDN-03 not punycode": "xn--0.example",
    "IDN-03 nothing encoded": "xn--a.example",
    "IDN-03 ASCII only": "xn--abc-.example",
    "IDN-03 empty": "xn--.example",
    "IDN-03 not canonical": "xn--bcher-kva8445foa.example",
    "IDN-03 reserved": "ab--c.example",
    "IDN-03 in the last label": "www.xn--0",
    "IDN-05 leading hyphen": "-www.example",
    "IDN-05 trailing hyphen": "www-.example",
    "IDN-05 underscore": "_acme-challenge.example",
    "IDN-05 trailing dot": "www.example.",
    "IDN-05 leading dot": ".www.example",
    "IDN-05 empty label": "www..example",
    "IDN-05 empty": "",
    "IDN-05 one label": "localhost",
    "IDN-05 dot": ".",
    "IDN-05 label of 64": "x" * 64 + ".example",
    "IDN-05 254 characters": "x" * 60 + "." + ".".join(["y" * 63] * 3) + ".z",
    "IDN-05 space": "www .example",
    "IDN-05 white space at the end": "www.example ",
    "IDN-05 line": "www.example\n",
    "IDN-05 NUL": "www.example\0.evil.example",
    "IDN-05 URL": "https://www.example",
    "IDN-05 port": "www.example:443",
    "IDN-05 user": "a@www.example",
    "IDN-05 path": "www.example/x",
    "IDN-05 comma": "a.example,b.example",
    "IDN-06 IPv4": "192.0.2.1",
    "IDN-06 IPv6": "2001:db8::1",
    "IDN-06 bracketed": "[::1]",
    "IDN-06 number": "3232235777",
    "IDN-06 hexadecimal": "0x7f.1",
    "IDN-06 last label hexadecimal": "www.0x1",
    "IDN-06 last label numeric": "www.123",
    "IDN-07 inner": "a.*.example",
    "IDN-07 alone": "*",
    "IDN-07 nothing below": "*.",
    "IDN-07 part of a label": "f*.example",
    "IDN-07 end of a label": "*f.example",
    "IDN-07 two": "*.*.example",
    "IDN-07 double": "**.example",
    "IDN-07 one label": "*.example.",
}


@pytest.mark.parametrize("case", BAD_NAMES)
async def test_names_that_no_certificate_holds(case: str, web: Proxy) -> None:
    """IDN-02, IDN-03, IDN-05, IDN-06, IDN-07: where every name is allowed."""
    await assert_bad(web, "dns", BAD_NAMES[case], "malformed")


GOOD_NAMES: dict[str, str] = {
    "two labels": "a.example",
    "A-label": "xn--bcher-kva.example",
    "A-label at the end": "www.xn--p1ai",
    "digits": "1.2.example",
    "a label of digits and one of letters": "192.0.2.1.example",
    "hyphens": "a-b--c.example",
    "label of 63": "x" * 63 + ".example",
    "253 characters": "x" * 59 + "." + ".".join(["y" * 63] * 3) + ".z",
}


@pytest.mark.parametrize("case", GOOD_NAMES)
async def test_names_that_are_taken(case: str, web: Proxy) -> None:
    """IDN-03, IDN-05, NOR-17: just within the rules, and unchanged."""
    client = await web.account("net")
    answer = await ask(client, "dns", GOOD_NAMES[case])
    assert answer.status == 201, answer.body
    assert answer.json()["identifiers"] == [{"type": "dns", "value": GOOD_NAMES[case]}]


@pytest.mark.parametrize("name", ["EXAMPLE.example", "Www.Alpha.Example", "XN--BCHER-KVA.example"])
async def test_names_are_lower_cased(name: str, web: Proxy) -> None:
    """IDN-04: in the order and in its authorization."""
    client = await web.account("net")
    order = await ask(client, "dns", name)
    assert order.json()["identifiers"] == [{"type": "dns", "value": name.lower()}]
    authorization = await client.get(order.json()["authorizations"][0])
    assert authorization.json()["identifier"] == {"type": "dns", "value": name.lower()}


async def test_a_wildcard_below_a_top_level_domain(web: Proxy) -> None:
    """IDN-08."""
    await assert_bad(web, "dns", "*.com", "malformed")


@pytest.mark.parametrize("name", ["*.alpha.example", "*.www.alpha.example"])
async def test_a_tenant_without_wildcards(name: str, web: Proxy) -> None:
    """IDN-08, NOR-03: though it may have every name that they cover."""
    client = await web.account("alpha")
    async with web.state.unchanged():
        assert_refused(await ask(client, "dns", name), 400, "rejectedIdentifier")


async def test_a_wildcard_is_shown_without_its_asterisk(web: Proxy) -> None:
    """IDN-09, IDN-12, AUZ-02, STA-07 (abuse): and is proved in the DNS only; other names are no wildcards."""
    client = await web.account("net")
    order = await client.new_order(["*.A.example", "b.example"])
    assert order.json()["identifiers"] == [
        {"type": "dns", "value": "*.a.example"},
        {"type": "dns", "value": "b.example"},
    ]
    shown = [(await client.get(url)).json() for url in order.json()["authorizations"]]
    by_name = {one["identifier"]["value"]: one for one in shown}
    assert by_name["a.example"]["wildcard"] is True
    assert [challenge["type"] for challenge in by_name["a.example"]["challenges"]] == ["dns-01"]
    assert "wildcard" not in by_name["b.example"]


async def test_a_name_and_the_wildcard_beside_it_are_two(web: Proxy) -> None:
    """IDN-10: with different tokens, so that two TXT records prove both."""
    client = await web.account("net")
    order = await client.new_order(["a.example", "*.a.example"])
    urls = order.json()["authorizations"]
    assert len(set(urls)) == 2
    shown = [(await client.get(url)).json() for url in urls]
    assert {one["identifier"]["value"] for one in shown} == {"a.example"}
    assert sorted(one.get("wildcard", False) for one in shown) == [False, True]
    tokens = [
        challenge["token"]
        for one in shown
        for challenge in one["challenges"]
        if challenge["type"] == "dns-01"
    ]
    assert len(set(tokens)) == 2


async def test_a_proved_name_says_nothing_of_what_is_below_it(validating: Proxy) -> None:
    """IDN-11, STA-07 (abuse)."""
    client = await validating.account("net")
    await validating.ready(client, "a.example")
    for name in ("*.a.example", "www.a.example"):
        order = await validating.order(client, name)
        assert order.json()["status"] == "pending"
        authorization = await client.get(order.json()["authorizations"][0])
        assert authorization.json()["status"] == "pending"


BAD_ADDRESSES: dict[str, str] = {
    "IDN-13 upper case": "2001:DB8::1",
    "IDN-13 zero group": "2001:db8:0::1",
    "IDN-13 leading zeros": "2001:0db8::1",
    "IDN-13 not compressed": "2001:db8:0:0:0:0:0:1",
    "IDN-13 octal": "010.0.0.1",
    "IDN-13 three parts": "10.0.1",
    "IDN-13 one number": "167772161",
    "IDN-13 hexadecimal": "0xa.0.0.1",
    "IDN-13 mapped": "::ffff:1.2.3.4",
    "IDN-13 mapped in hexadecimal": "::ffff:102:304",
    "IDN-13 zone": "fe80::1%eth0",
    "IDN-13 network": "10.2.3.0/24",
    "IDN-13 brackets": "[2001:db8::1]",
    "IDN-13 white space": " 10.0.0.1",
    "IDN-13 line": "10.0.0.1\n",
    "IDN-13 empty": "",
    "IDN-13 name": "www.example",
    "IDN-13 other digits": "１０.0.0.1",  # noqa: RUF001 - they only look plain
}


@pytest.mark.parametrize("case", BAD_ADDRESSES)
async def test_addresses_in_another_form(case: str, web: Proxy) -> None:
    """IDN-13."""
    await assert_bad(web, "ip", BAD_ADDRESSES[case], "malformed")


@pytest.mark.parametrize("address", ["10.0.0.1", "10.255.255.255", "2001:db8::1", "2001:db8:1:2:3:4:5:6"])
async def test_addresses_that_are_taken(address: str, web: Proxy) -> None:
    """IDN-14, IDN-13: never proved in the DNS."""
    client = await web.account("net")
    order = await ask(client, "ip", address)
    assert order.json()["identifiers"] == [{"type": "ip", "value": address}]
    authorization = (await client.get(order.json()["authorizations"][0])).json()
    assert authorization["identifier"] == {"type": "ip", "value": address}
    types = {challenge["type"] for challenge in authorization["challenges"]}
    assert types == {"http-01", "tls-alpn-01"}
    assert "wildcard" not in authorization


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.1",
        "0.0.0.0",  # noqa: S104 - a name in a request, to be refused
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "192.0.2.1",
        "2001:db9::1",
    ],
)
async def test_addresses_that_nobody_owns(address: str, web: Proxy) -> None:
    """IDN-15: not even where the tenant's ranges hold them; and none outside its ranges."""
    await assert_bad(web, "ip", address, "rejectedIdentifier")


async def test_a_tenant_without_ranges_has_no_addresses(web: Proxy) -> None:
    """IDN-15, NOR-03."""
    client = await web.account("alpha")
    document = assert_refused(await ask(client, "ip", "10.0.0.1"), 400, "unsupportedIdentifier")
    assert document["subproblems"][0]["identifier"] == identifier("10.0.0.1")


async def test_an_ancestor_is_not_looked_at(web: Proxy) -> None:
    """IDN-16: RFC 9444 is not offered, so that its members mean nothing."""
    client = await web.account()
    url = (await client.directory())["newOrder"]
    for ancestor in ("alpha.example", "ample.org", 5):
        asked = {"type": "dns", "value": "a.alpha.example", "ancestorDomain": ancestor}
        order = await client.post(url, {"identifiers": [asked]})
        assert order.status == 201
        authorization = (await client.get(order.json()["authorizations"][0])).json()
        assert authorization["identifier"] == {"type": "dns", "value": "a.alpha.example"}
        assert "subdomainAuthAllowed" not in authorization


async def test_a_wildcard_is_refused_by_its_own_name(web: Proxy) -> None:
    """PRB-07: as the client wrote it, beside a name that is fine."""
    client = await web.account("alpha")
    document = assert_refused(
        await client.new_order(["alpha.example", "*.Alpha.example"]), 400, "rejectedIdentifier"
    )
    assert [sub["identifier"]["value"] for sub in document["subproblems"]] == ["*.Alpha.example"]
