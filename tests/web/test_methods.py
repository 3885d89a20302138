"""Every method of validation, from the directory to a ready order, over real name and TLS servers (B)."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.wiring.serving import Role
from tests.support.acme_client import AcmeClient
from tests.support.acme_keys import b64url
from tests.support.alpn_certificate import certificate, ip, names, proof
from tests.support.alpn_look import server_context, show
from tests.support.der import dns
from tests.support.dns_server import DnsServer, dns_server, from_zone
from tests.support.hostile_http import HostileHttp, hostile_http
from tests.support.http01_responder import Http01Responder
from tests.support.proxies import BRISK
from tests.support.proxy import PUBLIC_URL, Plan, Proxy, hosted, proxy, tenant

ALL = '["http-01", "dns-01", "tls-alpn-01", "dns-account-01", "dns-persist-01"]'
POLICY = (
    'names.allow = ["*.alpha.example", "alpha.example"]\nnames.ip_ranges = ["10.0.0.0/8"]\nwildcards = true\n'
)
NAME = "www.alpha.example"


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def zone() -> AsyncIterator[DnsServer]:
    """Run a name server; a test says what it answers."""
    async with hosted(dns_server({})) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own_zone() -> AsyncIterator[DnsServer]:
    """Run another one."""
    async with hosted(dns_server({})) as server:
        yield server


@pytest.fixture(scope="module")
def shown() -> ssl.SSLContext:
    """Return what the TLS server of every name shows."""
    return server_context()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tls(shown: ssl.SSLContext) -> AsyncIterator[HostileHttp]:
    """Run it."""
    async with hosted(hostile_http(hang, tls=shown, request_ends=b"")) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def methods(  # noqa: PLR0913, PLR0917 - the parts of one proxy
    tmp_path_factory: pytest.TempPathFactory,
    empty_valkey: Valkey,
    responder: Http01Responder,
    zone: DnsServer,
    own_zone: DnsServer,
    tls: HostileHttp,
) -> AsyncIterator[Proxy]:
    """Run a proxy that offers all there is."""
    identities = f'tls_alpn_port = {tls.port}\ncaa_identities = ["ca.example", "pki.example"]\n'
    tenants = {
        "all": tenant(f"{POLICY}challenges = {ALL}"),
        "usual": tenant(POLICY),
        "strict": tenant(f'{POLICY}caa = "enforce"'),
        "own": tenant(f'{POLICY}resolver = "127.0.0.1:{own_zone.port}"'),
    }
    more = {**BRISK, "validation": BRISK["validation"] + identities}
    plan = Plan(tenants, Role.ALL, dns=zone.port, more=more)
    async with hosted(proxy(tmp_path_factory.mktemp("methods"), empty_valkey, responder, plan)) as running:
        yield running


async def offered(
    methods: Proxy, name: str = NAME, who: str = "all", type_: str = "dns"
) -> tuple[AcmeClient, str]:
    """Return a client, and the authorization of a name that it ordered."""
    client = await methods.account(who)
    url = (await client.directory())["newOrder"]
    order = await client.post(url, {"identifiers": [{"type": type_, "value": name}]})
    assert order.status == 201, order.body
    return client, order.json()["authorizations"][0]


async def challenges(client: AcmeClient, authorization: str) -> dict[str, dict[str, Any]]:
    """Return what is offered, by type."""
    return {one["type"]: one for one in (await client.get(authorization)).json()["challenges"]}


async def answered(client: AcmeClient, challenge: dict[str, Any]) -> dict[str, Any]:
    """Say that the proof is there, and return what became of the challenge."""
    settled = await client.settled(challenge["url"], await client.answer(challenge["url"]))
    found: dict[str, Any] = settled.json()
    return found


def account_of(client: AcmeClient) -> str:
    assert client.kid is not None
    return client.kid


def digest(client: AcmeClient, challenge: dict[str, Any]) -> bytes:
    return hashlib.sha256(client.key.key_authorization(challenge["token"]).encode()).digest()


async def test_what_is_usual_and_what_must_be_listed(methods: Proxy) -> None:
    """DPE-11, CHL-19, VAL-10, VAL-11, IDN-12, IDN-14, D01-13, ALP-06."""
    usual = ["http-01", "dns-01", "tls-alpn-01"]
    everything = [*usual, "dns-account-01", "dns-persist-01"]
    for who, type_, name, expected in (
        ("usual", "dns", NAME, usual),
        ("usual", "dns", "*.alpha.example", ["dns-01"]),
        ("usual", "ip", "10.0.0.1", ["http-01", "tls-alpn-01"]),
        ("all", "dns", NAME, everything),
        ("all", "dns", "*.alpha.example", ["dns-01", "dns-account-01", "dns-persist-01"]),
        ("all", "ip", "10.0.0.1", ["http-01", "tls-alpn-01"]),
    ):
        assert list(await challenges(*await offered(methods, name, who, type_))) == expected


async def test_dns_01(methods: Proxy, zone: DnsServer) -> None:
    """D01-01, IDN-09, IDN-10: name and wildcard are proved by two values at one owner."""
    client = await methods.account("all")
    order = await methods.order(client, "alpha.example", "*.alpha.example")
    offers = [(await challenges(client, url))["dns-01"] for url in order.json()["authorizations"]]
    values = [b64url(digest(client, one)) for one in offers]
    assert len(set(values)) == 2
    zone.reply = from_zone({"_acme-challenge.alpha.example": {"TXT": values}})
    assert [(await answered(client, one))["status"] for one in offers] == ["valid", "valid"]
    assert (await client.get(order.location)).json()["status"] == "ready"


async def test_dns_account_01(methods: Proxy, zone: DnsServer) -> None:
    """DAC-01, DAC-02, DAC-04: the label is of the URL that the client was given, to the byte."""
    client, authorization = await offered(methods)
    challenge = (await challenges(client, authorization))["dns-account-01"]
    label = base64.b32encode(hashlib.sha256(account_of(client).encode()).digest()[:10]).decode().lower()
    record = {"TXT": [b64url(digest(client, challenge))]}
    zone.reply = from_zone({f"_{label}._acme-challenge.{NAME}": record})
    assert (await answered(client, challenge))["status"] == "valid"

    client, authorization = await offered(methods)
    failed = await answered(client, (await challenges(client, authorization))["dns-account-01"])
    assert f"the label is that of account {account_of(client)} [ref" in failed["error"]["detail"]


async def test_dns_persist_01(methods: Proxy, zone: DnsServer) -> None:
    """DPE-01, DPE-02, DPE-04, CHL-01: no token, and what the record must say."""
    client, authorization = await offered(methods, "*.alpha.example")
    challenge = (await challenges(client, authorization))["dns-persist-01"]
    assert challenge == {
        "type": "dns-persist-01",
        "url": challenge["url"],
        "status": "pending",
        "issuer-domain-names": ["ca.example", "pki.example"],
        "accounturi": account_of(client),
    }
    record = f'"pki.example; accounturi={account_of(client)}; policy=wildcard"'
    zone.reply = from_zone({"_validation-persist.alpha.example": {"TXT": [record]}})
    assert (await answered(client, challenge))["status"] == "valid"


async def test_tls_alpn_01(methods: Proxy, zone: DnsServer, shown: ssl.SSLContext) -> None:
    """TAL-05..TAL-08, TAL-19."""
    zone.reply = from_zone({NAME: {"A": ["127.0.0.1"]}})
    client, authorization = await offered(methods)
    challenge = (await challenges(client, authorization))["tls-alpn-01"]
    san = names(dns(NAME.encode()))
    show(shown, certificate([san, proof(b"\x04\x20" + digest(client, challenge))]))
    assert (await answered(client, challenge))["status"] == "valid"

    client, authorization = await offered(methods)
    failed = await answered(client, (await challenges(client, authorization))["tls-alpn-01"])
    assert failed["error"]["type"] == "urn:ietf:params:acme:error:incorrectResponse"


async def test_an_address_is_looked_at_without_any_name(methods: Proxy, zone: DnsServer) -> None:
    """IPI-02, IPI-03, VAL-07: out of bounds here, and told so without a question to the DNS."""
    zone.asked.clear()
    for method in ("http-01", "tls-alpn-01"):
        client, authorization = await offered(methods, "10.0.0.1", type_="ip")
        failed = await answered(client, (await challenges(client, authorization))[method])
        assert failed["error"]["type"] == "urn:ietf:params:acme:error:connection"
    assert zone.asked == []
    assert ip("10.0.0.1") == b"\x87\x04\x0a\x00\x00\x01"


async def test_a_tenants_names_are_asked_of_its_own_resolver(
    methods: Proxy, zone: DnsServer, own_zone: DnsServer
) -> None:
    """DNS-08: and of no other."""
    zone.asked.clear()
    client, authorization = await offered(methods, who="own")
    challenge = (await challenges(client, authorization))["dns-01"]
    own_zone.reply = from_zone({f"_acme-challenge.{NAME}": {"TXT": [b64url(digest(client, challenge))]}})
    assert (await answered(client, challenge))["status"] == "valid"
    assert zone.asked == []


async def test_identities_are_shown_where_they_count(methods: Proxy) -> None:
    """CAA-26, DIR-06, CAA-08 (abuse)."""
    strict = (await methods.client("strict").directory())["meta"]
    assert strict["caaIdentities"] == ["ca.example", "pki.example"]
    for who in ("all", "usual", "own"):
        assert "caaIdentities" not in (await methods.client(who).directory())["meta"]


@pytest.mark.parametrize(
    ("mine", "status"), [(True, "valid"), (False, "invalid")], ids=["this account", "another account"]
)
async def test_records_name_accounts_by_the_url_that_clients_have(
    methods: Proxy, zone: DnsServer, *, mine: bool, status: str
) -> None:
    """CAA-16, CAA-18, CAA-27."""
    client, authorization = await offered(methods, who="strict")
    challenge = (await challenges(client, authorization))["dns-01"]
    account = account_of(client) if mine else f"{PUBLIC_URL}/acme/strict/account/other"
    zone.reply = from_zone(
        {
            f"_acme-challenge.{NAME}": {"TXT": [b64url(digest(client, challenge))]},
            "alpha.example": {"CAA": [f'0 issue "ca.example; accounturi={account}"']},
        }
    )
    found = await answered(client, challenge)
    assert found["status"] == status
    if not mine:
        assert found["error"]["type"] == "urn:ietf:params:acme:error:caa"
        assert "in the CAA records of alpha.example" in found["error"]["detail"]
