"""429 as clients see it, at what it is sent, and at what never (RFC 8555 §6.6; HTTP-12, PRB-10)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.wiring.serving import Role
from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_keys import generate
from tests.support.http01_responder import Http01Responder
from tests.support.problems import assert_refused
from tests.support.proxies import BRISK, NAMES, WEBSITE
from tests.support.proxy import Plan, Proxy, hosted, proxy, tenant

HOUR = 3600
TENANTS = {
    "alpha": f'website = "{WEBSITE}"\nlimits.new_orders_per_account = "3/3h"',
    "crowded": 'limits.new_accounts_per_tenant = "2/1h"',
    "bound": "eab_required = true\n"
    'limits.new_accounts_per_eab_key = "1/1h"\nlimits.new_orders_per_eab_key = "2/1h"',
    "shared": 'limits.new_orders_per_tenant = "3/1h"\nlimits.new_orders_per_account = "2/1h"',
    "names": 'limits.new_orders_per_name = "1/1h"\n'
    'limits.overrides.new_orders_per_name = { "free.alpha.example" = "off", "two.alpha.example" = "2/1h" }',
    "answers": 'limits.challenge_answers_per_account = "1/1h"',
    "paused": 'limits.failed_validations_per_name = "2/1h"',
    "early": 'authorization_reuse = "1h"\nlimits.new_orders_per_account = "1/1h"',
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def limited(
    tmp_path_factory: pytest.TempPathFactory,
    empty_valkey: Valkey,
    responder: Http01Responder,
    name_server: int,
) -> AsyncIterator[Proxy]:
    """Run a proxy whose tenants have small limits."""
    tenants = {name: tenant(f"{NAMES}\n{limits}") for name, limits in TENANTS.items()}
    more = {
        "server": "challenge_wait = 2\n",
        "validation": BRISK["validation"].replace("attempts = 2", "attempts = 1"),
    }
    plan = Plan(tenants, Role.ALL, dns=name_server, more=more)
    async with hosted(proxy(tmp_path_factory.mktemp("limited"), empty_valkey, responder, plan)) as running:
        yield running


def assert_limited(answer: Answer, text: str, at_most: int = HOUR) -> None:
    """Check a 429, its text and its time to wait."""
    document = assert_refused(answer, 429, "rateLimited")
    assert text in document["detail"], document["detail"]
    assert answer.headers["Retry-After"].isdigit()
    # The test itself took some of the time.
    assert at_most - 30 <= int(answer.headers["Retry-After"]) <= at_most


async def test_new_orders_of_an_account_end_at_the_limit(limited: Proxy) -> None:
    """NOR-15, PRB-10, HTTP-12, RAT-07: exact, with a way to help, and nothing was stored."""
    client = await limited.account()
    for name in ("a", "b", "c"):
        await limited.order(client, f"{name}.alpha.example")
    before = await _kept(limited)

    answer = await client.new_order(["d.alpha.example"])

    assert_limited(answer, "3 new orders in 3h reached for this account, next one at 20", HOUR)
    assert f'<{WEBSITE}>;rel="help"' in answer.headers.getall("Link")  # type: ignore[attr-defined] # a CIMultiDict
    assert await _kept(limited) == before
    await limited.order(await limited.account(), "a.alpha.example")


async def test_of_many_at_once_as_many_pass_as_fit(limited: Proxy) -> None:
    """RAT-04, over HTTP."""
    client = await limited.account()
    client.nonces += [await _nonce(client) for _ in range(20)]
    answers = await asyncio.gather(*(client.new_order(["a.alpha.example"]) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [201] * 3 + [429] * 17


async def test_what_is_refused_by_policy_costs_nothing(limited: Proxy) -> None:
    client = await limited.account()
    for _ in range(5):
        assert_refused(await client.new_order(["elsewhere.example"]), 400, "rejectedIdentifier")
    for name in ("a", "b", "c"):
        await limited.order(client, f"{name}.alpha.example")


async def test_reading_is_never_limited(limited: Proxy) -> None:
    """HTTP-12: nobody is told to stop asking how things are."""
    client = await limited.account()
    for _ in range(3):
        order = await limited.order(client, "a.alpha.example")
    assert (await client.new_order(["a.alpha.example"])).status == 429

    for _ in range(30):
        assert (await client.get(order.location)).status == 200
        assert (await client.get(order.json()["authorizations"][0])).status == 200
        assert (await client.get(f"{client.kid}/orders")).status == 200
        assert (await client.send("GET", (await client.directory())["newNonce"])).status == 204


async def test_forwarded_headers_move_no_limit(limited: Proxy) -> None:
    """RAT-02: nobody is told apart by an address, so that nobody can pretend another one."""
    client = await limited.account()
    for _ in range(3):
        await limited.order(client, "a.alpha.example")
    limited.http.headers.update({"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"})
    try:
        assert_limited(await client.new_order(["a.alpha.example"]), "for this account", HOUR)
    finally:
        limited.http.headers.popall("X-Forwarded-For")
        limited.http.headers.popall("Forwarded")


async def test_new_accounts_of_a_tenant_end_at_the_limit(limited: Proxy) -> None:
    """NAC-16: who has an account finds it all the same, and a refused request has cost nothing."""
    known = generate()
    await limited.account("crowded", known)
    for _ in range(3):
        refused = await limited.client("crowded").new_account(contact=["tel:1"])
        assert_refused(refused, 400, "unsupportedContact")
    await limited.account("crowded")

    answer = await limited.client("crowded").new_account()
    assert_limited(answer, "2 new accounts in 1h reached for tenant crowded", HOUR // 2)

    assert (await limited.client("crowded", known).new_account()).status == 200
    missing = await limited.client("crowded").new_account(onlyReturnExisting=True)
    assert_refused(missing, 400, "accountDoesNotExist")
    await limited.account("names")


async def test_an_eab_key_has_its_own_limits(limited: Proxy) -> None:
    """NAC-16, NOR-15: what a stranger cannot spend, since its MAC is looked at first."""
    external, other = await limited.eab_key("bound"), await limited.eab_key("bound")
    forged = type(external)(external.kid, other.hmac_key)
    for _ in range(3):
        assert_refused(await limited.client("bound").new_account(forged), 403, "unauthorized")
    client = limited.client("bound")
    assert (await client.new_account(external)).status == 201

    answer = await limited.client("bound").new_account(external)
    assert_limited(answer, f"1 new accounts in 1h reached for EAB key {external.kid}", HOUR)
    assert (await limited.client("bound").new_account(other)).status == 201

    for _ in range(2):
        await limited.order(client, "a.alpha.example")
    answer = await client.new_order(["a.alpha.example"])
    assert_limited(answer, f"2 new orders in 1h reached for EAB key {external.kid}", HOUR // 2)


async def test_an_account_beyond_its_own_limit_spends_nobody_elses(limited: Proxy) -> None:
    """NOR-15: the account pays first; a loud one leaves to the others what the tenant has."""
    loud, quiet = await limited.account("shared"), await limited.account("shared")
    for _ in range(2):
        await limited.order(loud, "a.alpha.example")
    for _ in range(10):
        answer = await loud.new_order(["a.alpha.example"])
        assert_limited(answer, "for this account", HOUR // 2)

    await limited.order(quiet, "a.alpha.example")
    answer = await quiet.new_order(["a.alpha.example"])
    assert_limited(answer, "3 new orders in 1h reached for tenant shared", HOUR // 3)


async def test_a_name_has_one_limit_for_all_accounts(limited: Proxy) -> None:
    """NOR-15: all names of an order are paid, or none; some have other limits."""
    first, second = await limited.account("names"), await limited.account("names")
    await limited.order(first, "one.alpha.example", "free.alpha.example")

    answer = await second.new_order(["fresh.alpha.example", "one.alpha.example"])
    assert_limited(answer, "1 new orders in 1h reached for one.alpha.example", HOUR)

    await limited.order(second, "fresh.alpha.example", "free.alpha.example")
    for _ in range(2):
        await limited.order(second, "two.alpha.example")
    answer = await second.new_order(["two.alpha.example"])
    assert_limited(answer, "2 new orders in 1h reached for two.alpha.example", HOUR // 2)


async def test_answers_to_challenges_end_at_the_limit(limited: Proxy) -> None:
    """CHL-14: saying the same again costs nothing, and reading even less."""
    client = await limited.account("answers")
    order = await limited.order(client, "a.alpha.example", "b.alpha.example")
    first, second = [
        (await client.get(url)).json()["challenges"][0]["url"] for url in order.json()["authorizations"]
    ]
    settled = await client.settled(first, await client.answer(first))
    assert settled.json()["status"] == "invalid"

    assert_limited(await client.answer(second), "1 challenge answers in 1h reached for this account", HOUR)

    for _ in range(20):
        assert (await client.get(second)).json()["status"] == "pending"


async def test_a_name_that_fails_again_and_again_is_paused(limited: Proxy) -> None:
    """RAT-08: for this account only, and until a success, for which there is one try in time."""
    client = await limited.account("paused")
    for _ in range(2):
        await _fail(limited, client, "zombie.alpha.example")

    answer = await client.new_order(["sound.alpha.example", "zombie.alpha.example"])
    assert_limited(answer, "repair zombie.alpha.example first, next try at 20", HOUR // 2)
    assert answer.json()["detail"].endswith(
        ": it is paused for this account after 2 failed validations without a successful one [ref PAUSED]"
    )

    await limited.order(client, "sound.alpha.example")
    await limited.order(await limited.account("paused"), "zombie.alpha.example")


async def test_a_success_makes_up_for_failures(limited: Proxy) -> None:
    """RAT-08: only failures in a row count."""
    client = await limited.account("paused")
    await _fail(limited, client, "a.alpha.example")
    await limited.ready(client, "a.alpha.example")
    for _ in range(2):
        await _fail(limited, client, "a.alpha.example")
    assert (await client.new_order(["a.alpha.example"])).status == 429


async def test_an_authorization_before_any_order_counts_as_one(limited: Proxy) -> None:
    """NOR-15: there is no second door."""
    client = await limited.account("early")
    url = (await client.directory())["newAuthz"]
    wish = {"identifier": {"type": "dns", "value": "a.alpha.example"}}
    assert (await client.post(url, wish)).status == 201
    assert_limited(await client.post(url, wish), "1 new orders in 1h reached for this account", HOUR)


async def _fail(limited: Proxy, client: AcmeClient, name: str) -> None:
    order = await limited.order(client, name)
    url = (await client.get(order.json()["authorizations"][0])).json()["challenges"][0]["url"]
    settled = await client.settled(url, await client.answer(url))
    assert settled.json()["status"] == "invalid", settled.body


async def _kept(limited: Proxy) -> dict[bytes, object]:
    """Return all that is stored but the workers' streams, which they make as they please."""
    found = await limited.state.everything()
    return {key: value for key, value in found.items() if not key.endswith(b":jobs")}


async def _nonce(client: AcmeClient) -> str:
    await client.send("HEAD", (await client.directory())["newNonce"])
    return client.nonces.pop()
