"""What a tenant may offer beside the main job: profiles, end dates, reuse of proofs, pre-authorization.

PRF-01..10, NOR-05, NOR-06, NOR-10, NOR-11, NAZ-01..09, ORD-12, TEN-03.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.wiring.serving import Role
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.http01_responder import Http01Responder
from tests.support.openbao import ALPHA
from tests.support.proxies import BRISK, NAMES
from tests.support.proxy import Plan, Proxy, Vault, hosted, proxy, tenant

PROFILES = """
[tenants.offering.profiles.web]
description = "TLS servers, 30 days"
[tenants.offering.profiles.short]
description = "six hours, P-256 only"
lifetime = "6h"
keys = ["P-256"]
"""


@pytest.fixture(scope="module")
def plan(openbao: OpenBao, hierarchy: Hierarchy, name_server: int) -> Plan:
    """Return what a proxy is made of, one of whose tenants offers everything."""
    pki = hierarchy.tenants[ALPHA]
    policy = f'{NAMES}\nauthorization_reuse = "2d"\nchallenges = ["http-01"]'
    tenants = {"offering": tenant(policy, pki) + PROFILES, "plain": tenant(NAMES, pki)}
    patient = {"server": "challenge_wait = 2\nfinalize_wait = 5\n", "validation": BRISK["validation"]}
    return Plan(tenants, Role.ALL, Vault(openbao.address, hierarchy.root), name_server, patient)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def offering(
    tmp_path_factory: pytest.TempPathFactory, empty_valkey: Valkey, responder: Http01Responder, plan: Plan
) -> AsyncIterator[Proxy]:
    """Run it."""
    async with hosted(proxy(tmp_path_factory.mktemp("offering"), empty_valkey, responder, plan)) as running:
        yield running


async def test_profiles_are_in_the_directory_where_there_are_some(offering: Proxy) -> None:
    """PRF-01, DIR-10, DIR-03."""
    shown = await offering.client("offering").directory()
    assert shown["meta"]["profiles"] == {"web": "TLS servers, 30 days", "short": "six hours, P-256 only"}
    assert "newAuthz" in shown
    plain = await offering.client("plain").directory()
    assert "profiles" not in plain["meta"]
    assert "newAuthz" not in plain


async def test_an_order_keeps_its_profile_and_the_first_is_the_default(offering: Proxy) -> None:
    """PRF-02, PRF-06, ORD-12."""
    client = await offering.account("offering")
    chosen = await client.new_order(["a.alpha.example"], profile="short")
    assert chosen.json()["profile"] == "short"
    assert (await client.get(chosen.location)).json()["profile"] == "short"
    assert (await client.new_order(["a.alpha.example"])).json()["profile"] == "web"


@pytest.mark.parametrize(
    ("profile", "error"),
    [("nope", "invalidProfile"), ("Web", "invalidProfile"), ("", "invalidProfile"),
     ("../web", "invalidProfile"), (5, "malformed"), ([], "malformed")],
)  # fmt: skip
async def test_a_profile_that_is_not_offered_is_refused(offering: Proxy, profile: object, error: str) -> None:
    """PRF-03, PRF-05, PRF-09."""
    client = await offering.account("offering")
    answer = await client.new_order(["a.alpha.example"], profile=profile)
    assert (answer.status, answer.error) == (400, error)


async def test_a_tenant_without_profiles_takes_no_notice(offering: Proxy) -> None:
    """PRF-10."""
    client = await offering.account("plain")
    answer = await client.new_order(["a.alpha.example"], profile="web")
    assert answer.status == 201
    assert "profile" not in answer.json()


async def test_a_profile_decides_on_lifetime_and_keys(offering: Proxy) -> None:
    """PRF-04, FIN-07: the order stays ready after a key that the profile does not take."""
    client = await offering.account("offering")
    order = await client.new_order(["b.alpha.example"], profile="short")
    await client._prove(order.json()["authorizations"][0], offering.responder)  # noqa: SLF001 - the client's own step
    big = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    refused = await client.finalize(order.json()["finalize"], certificate_request(["b.alpha.example"], big))
    assert (refused.status, refused.error) == (400, "badCSR")
    key = certificate_key()
    done = await client.finalize(order.json()["finalize"], certificate_request(["b.alpha.example"], key))
    settled = await client.settled(order.location, done)
    chain = x509.load_pem_x509_certificates((await client.get(settled.json()["certificate"])).body)
    life = chain[0].not_valid_after_utc - chain[0].not_valid_before_utc
    assert timedelta(hours=6) <= life <= timedelta(hours=6, minutes=2)


async def test_an_end_date_is_kept_to_the_second(offering: Proxy) -> None:
    """NOR-05, NOR-06, ORD-12: echoed in UTC, and the certificate ends then."""
    client = await offering.account("plain")
    end = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
    order = await client.new_order(["c.alpha.example"], notAfter=end.isoformat(), notBefore=None)
    assert order.json()["notAfter"] == end.strftime("%Y-%m-%dT%H:%M:%SZ")
    await client._prove(order.json()["authorizations"][0], offering.responder)  # noqa: SLF001 - the client's own step
    csr = certificate_request(["c.alpha.example"], certificate_key())
    done = await client.settled(order.location, await client.finalize(order.json()["finalize"], csr))
    assert done.json()["notAfter"] == end.strftime("%Y-%m-%dT%H:%M:%SZ")
    chain = x509.load_pem_x509_certificates((await client.get(done.json()["certificate"])).body)
    assert chain[0].not_valid_after_utc == end


def in_days(days: float) -> str:
    """Write a date so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    "dates",
    [
        {"notAfter": "tomorrow"},
        {"notAfter": in_days(-1)},
        {"notAfter": in_days(0.001)},
        {"notAfter": in_days(36500)},
        {"notAfter": in_days(31)},
        {"notAfter": in_days(3)[:-1]},
        {"notAfter": in_days(3)[:-1] + ".5Z"},
        {"notBefore": in_days(1)},
        {"notBefore": in_days(-1), "notAfter": in_days(2)},
        {"notAfter": 1900000000},
    ],
)
async def test_a_date_that_cannot_be_kept_is_refused(offering: Proxy, dates: dict[str, Any]) -> None:
    """NOR-05, STA-12."""
    client = await offering.account("plain")
    answer = await client.new_order(["c.alpha.example"], **dates)
    assert (answer.status, answer.error) == (400, "malformed")


async def test_a_proof_serves_the_accounts_next_order_and_nobody_elses(offering: Proxy) -> None:
    """NOR-10, OS-2, NOR-13, TEN-03: ready in the 201, with the same authorization."""
    client = await offering.account("offering")
    first = await offering.ready(client, "d.alpha.example")
    second = await client.new_order(["d.alpha.example"])
    assert (second.status, second.json()["status"]) == (201, "ready")
    assert second.json()["authorizations"] == first.json()["authorizations"]
    assert (
        second.json()["expires"] <= (await client.get(second.json()["authorizations"][0])).json()["expires"]
    )
    stranger = await offering.account("offering")
    assert (await stranger.new_order(["d.alpha.example"])).json()["status"] == "pending"
    plain = await offering.account("plain", client.key)
    assert (await plain.new_order(["d.alpha.example"])).json()["status"] == "pending"


async def test_a_proof_that_was_given_up_serves_no_order(offering: Proxy) -> None:
    """AUZ-08: neither a new one nor one that already relied on it (OS-9)."""
    client = await offering.account("offering")
    first = await offering.ready(client, "e.alpha.example")
    second = await client.new_order(["e.alpha.example"])
    await client.deactivate(first.json()["authorizations"][0])
    assert (await client.get(second.location)).json()["status"] == "invalid"
    assert (await client.new_order(["e.alpha.example"])).json()["status"] == "pending"


async def test_without_the_setting_every_order_proves_its_names(offering: Proxy) -> None:
    client = await offering.account("plain")
    await offering.ready(client, "f.alpha.example")
    assert (await client.new_order(["f.alpha.example"])).json()["status"] == "pending"


async def test_a_name_can_be_proved_before_its_order(offering: Proxy) -> None:
    """NAZ-01, NAZ-05, NAZ-06, NAZ-07."""
    client = await offering.account("offering")
    url = (await client.directory())["newAuthz"]
    made = await client.post(url, {"identifier": {"type": "dns", "value": "g.alpha.example"}})
    assert (made.status, made.json()["status"]) == (201, "pending")
    assert "wildcard" not in made.json()
    await client._prove(made.location, offering.responder)  # noqa: SLF001 - the client's own step
    order = await client.new_order(["g.alpha.example"])
    assert (order.json()["status"], order.json()["authorizations"]) == ("ready", [made.location])


@pytest.mark.parametrize(
    ("identifier", "status", "error"),
    [
        ({"type": "dns", "value": "*.alpha.example"}, 400, "malformed"),
        ({"type": "dns", "value": "a.other.example"}, 403, "rejectedIdentifier"),
        ({"type": "email", "value": "a@alpha.example"}, 400, "unsupportedIdentifier"),
        ({"type": "dns"}, 400, "malformed"),
    ],
)
async def test_what_cannot_be_proved_before_an_order(
    offering: Proxy, identifier: dict[str, str], status: int, error: str
) -> None:
    """NAZ-02, NAZ-03, NAZ-04."""
    client = await offering.account("offering")
    answer = await client.post((await client.directory())["newAuthz"], {"identifier": identifier})
    assert (answer.status, answer.error) == (status, error)


async def test_where_it_is_not_offered_there_is_no_such_resource(offering: Proxy) -> None:
    """NAZ-09."""
    client = await offering.account("plain")
    url = (await client.directory())["newOrder"].replace("new-order", "new-authz")
    answer = await client.post(url, {"identifier": {"type": "dns", "value": "a.alpha.example"}})
    assert (answer.status, answer.error) == (404, "malformed")
