"""EAB keys with a policy, and what their end means: EAB-13, ACC-07, ACC-09, K2; changed terms: ACC-13."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.redis.accounts import RedisAccounts, RedisEabKeys
from acmeproxy.adapters.redis.connection import Durability, connect
from acmeproxy.core.encoding import b64url_encode
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.services.administration import Administration, Grant
from acmeproxy.services.stores import Owner
from tests.support.acme_client import Answer
from tests.support.acme_jws import ExternalAccount
from tests.support.acme_keys import generate
from tests.support.http01_responder import Http01Responder
from tests.support.proxies import AT_ONCE, NAMES
from tests.support.proxy import Plan, Proxy, hosted, proxy, tenant

BOUND = TenantName("bound")
PROFILES = """
[tenants.bound.profiles.web]
description = "servers"
[tenants.bound.profiles.short]
description = "short"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bound(
    tmp_path_factory: pytest.TempPathFactory, empty_valkey: Valkey, responder: Http01Responder
) -> AsyncIterator[Proxy]:
    """Run a proxy whose tenant binds accounts."""
    tenants = {"bound": tenant(f"{NAMES}\neab_required = true") + PROFILES}
    plan = Plan(tenants, more=AT_ONCE)
    async with hosted(proxy(tmp_path_factory.mktemp("bound"), empty_valkey, responder, plan)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operator(empty_valkey: Valkey) -> AsyncIterator[Administration]:
    """Act as the operator of the same store."""
    async with connect(empty_valkey.url, None, timedelta(seconds=2), Durability.NONE) as connection:
        yield Administration(RedisAccounts(connection, utc_now), RedisEabKeys(connection), utc_now)


async def external(operator: Administration, grant: Grant) -> ExternalAccount:
    """Have a key made, as a client takes it."""
    key = await operator.create_eab_key(BOUND, grant)
    return ExternalAccount(key.kid, b64url_encode(key.secret))


async def test_its_tags_go_over_to_the_account(bound: Proxy, operator: Administration) -> None:
    """As its names and profiles do; the tenant's own are added with each order."""
    given = await external(operator, Grant(tags={"team": "checkout"}))
    answer = await bound.client("bound").new_account(given)
    assert answer.status == 201, answer.body
    record = await bound.state.document("account", answer.location.rpartition("/")[2])
    assert record["eab_tags"] == {"team": "checkout"}


async def test_a_key_for_one_account_binds_one(bound: Proxy, operator: Administration) -> None:
    """EAB-13: also when many try at once; the same account's retry is the same use (K2)."""
    given = await external(operator, Grant(uses=1))
    clients = [bound.client("bound") for _ in range(6)]
    answers = await asyncio.gather(*(client.new_account(given) for client in clients))
    assert sorted(a.status for a in answers if a.status != 503)[:1] == [201]
    assert [a.status for a in answers].count(201) == 1
    assert {a.error for a in answers if a.status == 403} <= {"unauthorized"}
    [winner] = [c for c, a in zip(clients, answers, strict=True) if a.status == 201]
    assert (await bound.client("bound", winner.key).new_account(given)).status == 200
    late = await bound.client("bound").new_account(given)
    assert (late.status, late.error) == (403, "unauthorized")


async def test_an_expired_key_binds_nobody_and_leaves_its_accounts(
    bound: Proxy, operator: Administration
) -> None:
    given = await external(operator, Grant(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    answer = await bound.client("bound").new_account(given)
    assert (answer.status, answer.error) == (403, "unauthorized")


async def test_names_of_a_key_narrow_the_tenants(bound: Proxy, operator: Administration) -> None:
    """ACC-09: never wider than the tenant."""
    given = await external(operator, Grant(names=("*.web.alpha.example", "x.other.example")))
    client = bound.client("bound")
    assert (await client.new_account(given)).status == 201
    assert (await client.new_order(["a.web.alpha.example"])).status == 201
    for name in ("a.alpha.example", "web.alpha.example", "x.other.example"):
        refused = await client.new_order([name])
        assert (refused.status, refused.error) == (400, "rejectedIdentifier"), name


async def test_profiles_of_a_key_narrow_the_tenants(bound: Proxy, operator: Administration) -> None:
    """PRF-04: the default is the first that the account may have."""
    given = await external(operator, Grant(profiles=("short",)))
    client = bound.client("bound")
    await client.new_account(given)
    assert (await client.new_order(["a.alpha.example"])).json()["profile"] == "short"
    refused = await client.new_order(["a.alpha.example"], profile="web")
    assert (refused.status, refused.error) == (400, "invalidProfile")


async def test_revoking_a_key_closes_its_accounts(bound: Proxy, operator: Administration) -> None:
    """ACC-07, ACC-12: after a key change too."""
    given = await external(operator, Grant(label="shop"))
    first, second = bound.client("bound"), bound.client("bound")
    await first.new_account(given)
    await second.new_account(given)
    await second.change_key(generate())
    closed = await operator.revoke_eab_key(BOUND, given.kid)
    assert closed is not None
    assert sorted(closed) == sorted(str(c.kid).rpartition("/")[2] for c in (first, second))
    for client in (first, second):
        assert refused(await client.new_order(["a.alpha.example"])) == (401, "unauthorized")
    assert refused(await bound.client("bound").new_account(given)) == (403, "unauthorized")
    assert await operator.revoke_eab_key(BOUND, "eab_nobody") is None


def refused(answer: Answer) -> tuple[int, str]:
    """Return status and error of an answer."""
    return answer.status, answer.error


async def test_the_list_shows_no_secret(operator: Administration) -> None:
    """ADM-07: `acmeproxy eab list` shows kids and uses."""
    key = await operator.create_eab_key(BOUND, Grant(label="audit"))
    listed = {found.kid: found for found in await operator.eab_keys(BOUND)}
    assert listed[key.kid].label == "audit"


async def test_changed_terms_stop_orders_until_they_are_agreed_to(
    tmp_path: Path, empty_valkey: Valkey, responder: Http01Responder, operator: Administration
) -> None:
    """ACC-13, PRB-09: not by an update of the account, but out of band."""
    old, new = "https://ca.example/terms/1", "https://ca.example/terms/2"
    plans = {
        terms: Plan({"bound": tenant(f'{NAMES}\nterms_of_service = "{terms}"')}, more=AT_ONCE)
        for terms in (old, new)
    }
    async with proxy(tmp_path, empty_valkey, responder, plans[old]) as before:
        client = await before.account("bound")
        assert (await client.new_order(["a.alpha.example"])).status == 201
    async with proxy(tmp_path, empty_valkey, responder, plans[new]) as after:
        again = await after.account("bound", client.key)
        refusal = await again.new_order(["a.alpha.example"])
        assert refused(refusal) == (403, "userActionRequired")
        assert refusal.json()["instance"] == new
        assert f'<{new}>;rel="terms-of-service"' in refusal.headers["Link"]
        await again.post(str(again.kid), {"termsOfServiceAgreed": True})
        assert (await again.new_order(["a.alpha.example"])).status == 403
        owner = Owner(BOUND, AccountId(str(again.kid).rpartition("/")[2]))
        assert await operator.record_agreement(owner, new)
        assert (await again.new_order(["a.alpha.example"])).status == 201
