"""INV-3: nothing of one account or tenant can be read, changed or told from nothing by another."""

from typing import Any

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.openbao import OpenBao
from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_csr import certificate_request
from tests.support.acme_keys import b64url, generate
from tests.support.acme_urls import OWNED, strangers, urls_of
from tests.support.cutting_proxy import cutting_proxy
from tests.support.problems import assert_refused
from tests.support.proxies import Launch
from tests.support.proxy import PUBLIC_URL, Plan, Proxy, Vault
from tests.support.raw_http import exchange, request

NAME = "www.alpha.example"
#: What differs from one answer to the next, whatever was asked for.
FRESH = {"replay-nonce", "x-request-id", "date"}
PAYLOADS: dict[str, tuple[object, ...]] = {
    "account": (None, {}, {"contact": []}, {"status": "deactivated"}),
    "orders": (None, {}),
    "order": (None, {}),
    "finalize": (None, {}, {"csr": "AAAA"}, {"csr": b64url(certificate_request([NAME]))}),
    "authorization": (None, {}, {"status": "deactivated"}, {"status": "valid"}),
    "challenge": (None, {}),
    "certificate": (None, {}),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def alice(issuing: Proxy) -> tuple[AcmeClient, dict[str, str]]:
    """Return an account that has one of everything, and where."""
    client = await issuing.account()
    issued = await client.obtain([NAME], issuing.responder)
    done = await urls_of(issuing, client, issued.order)
    pending = await urls_of(issuing, client)
    return client, {**pending, "certificate": done["certificate"]}


def told(answer: Answer) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Return all of an answer that could tell something."""
    fields = [(name, value) for name, value in answer.headers.items() if name.lower() not in FRESH]
    return answer.status, answer.body, sorted(fields)


@pytest.mark.parametrize(
    ("resource", "payload"), [(name, one) for name, all_ in PAYLOADS.items() for one in all_]
)
async def test_foreign_and_missing_are_the_same(
    resource: str, payload: object, alice: tuple[AcmeClient, dict[str, str]], issuing: Proxy
) -> None:
    """INV-3, ACC-01 (abuse), D4: octet for octet, fields too, whatever is asked for; and nothing happens."""
    url = alice[1][resource]
    bob = await issuing.account()
    async with issuing.state.unchanged():
        foreign, missing = await bob.post(url, payload), await bob.post(strangers(url), payload)
    assert_refused(foreign, 404, "malformed")
    assert told(foreign) == told(missing)


@pytest.mark.parametrize("resource", OWNED)
async def test_a_tenant_is_a_world_of_its_own(
    resource: str, alice: tuple[AcmeClient, dict[str, str]], issuing: Proxy
) -> None:
    """INV-3, TEN-02 (abuse): the same key at another tenant, with the ids of the first."""
    client, urls = alice
    there = await issuing.account("beta", client.key)
    own_id, foreign_id = str(there.kid)[-33:], str(client.kid)[-33:]
    url = urls[resource].replace("/alpha/", "/beta/")
    async with issuing.state.unchanged():
        answer = await there.get(url)
        assert_refused(answer, 404, "malformed")
        assert told(answer) == told(await there.get(strangers(url)))
        # Neither is an account of one tenant a kid of the other, by whichever of its URLs.
        for kid in (client.kid, f"{str(there.kid)[:-33]}{foreign_id}"):
            there.kid = kid
            refused = await there.get(url)
            assert (refused.status, refused.error) in {(400, "malformed"), (400, "accountDoesNotExist")}
    assert own_id != foreign_id


async def test_a_key_has_an_account_at_each_tenant(issuing: Proxy) -> None:
    """INV-3, ACC-04 (abuse): which one tenant does not tell of the other."""
    key = generate()
    first = await issuing.account("alpha", key)
    answer = await issuing.client("beta", key).new_account(onlyReturnExisting=True)
    assert_refused(answer, 400, "accountDoesNotExist")
    second = await issuing.account("beta", key)
    assert str(first.kid)[-32:] != str(second.kid)[-32:]


async def test_names_are_each_tenants_own(issuing: Proxy) -> None:
    """NOR-03, TEN-03 (abuse): what one may have, another may not."""
    for tenant, foreign in (("alpha", "www.beta.example"), ("beta", NAME)):
        client = await issuing.account(tenant)
        async with issuing.state.unchanged():
            assert_refused(await client.new_order([foreign]), 400, "rejectedIdentifier")


CROOKED = [
    "../alpha",
    "alpha/..",
    "alpha/../beta",
    "%2e%2e",
    "..%2f..",
    "alpha%2F..%2Fbeta",
    "alpha%00",
    "alpha%0d%0aX:%20y",
    "alpha;x",
    "alpha?x",
    "alpha#x",
    "alpha%20",
    "%61lpha",
    "al%C3%A4pha",
    "*",
    "{tenant}",
    ".",
    "",
]


@pytest.mark.parametrize("tenant", CROOKED)
async def test_paths_lead_to_no_other_tenant(tenant: str, issuing: Proxy) -> None:
    """TEN-02 (abuse), INV-4, HTTP-05: nothing is decoded, collapsed or redirected."""
    for resource in ("new-order", "directory"):
        answer = await exchange(
            issuing.origin,
            request("POST", f"/acme/{tenant}/{resource}".replace("#", "%23"), "Content-Length: 0"),
        )
        assert answer.status == 404
        assert answer.all("Content-Type") == ["application/problem+json"]
        assert answer.all("Location") == []


@pytest.mark.parametrize(
    "fields",
    [
        {"profile": "../../sys/seal"},
        {"role": "admin", "mount": "sys", "namespace": "admin", "issuer": "other"},
        {"tenant": "beta"},
        {"ttl": "87600h", "alt_names": "evil.example", "csr": "x"},
    ],
)
async def test_nothing_of_a_request_reaches_vaults_path(
    fields: dict[str, Any], openbao: OpenBao, issuing_plan: Plan, launch: Launch
) -> None:
    """TEN-02 (abuse), INV-4: every path that Vault is asked for is one of the tenant's configuration."""
    async with cutting_proxy(openbao.port) as recorded:
        vault = Vault(f"http://127.0.0.1:{recorded.port}", issuing_plan.vault.roots)
        plan = Plan(
            issuing_plan.tenants, issuing_plan.role, vault, issuing_plan.dns, issuing_plan.more, database=3
        )
        async with launch(plan) as running:
            client = await running.account()
            order = await client.new_order(
                [NAME], **{name: value for name, value in fields.items() if name != "profile"}
            )
            assert order.status == 201
            refused = await client.new_order([NAME], **fields)
            assert refused.status in {201, 400}
            ready = await running.ready(client, NAME)
            payload = {
                "csr": b64url(certificate_request([NAME])),
                **{k: v for k, v in fields.items() if k != "csr"},
            }
            finalized = await client.post(ready.json()["finalize"], payload)
            assert (await client.settled(ready.location, finalized)).json()["status"] == "valid"
    asked = [octets for octets in recorded.requests if b"/sign/" in octets.partition(b"\r\n")[0]]
    # What the endpoint takes is asked beside.
    signs = [octets for octets in asked if not octets.startswith(b"GET ")]
    assert len(signs) == 1
    line = signs[0].partition(b"\r\n")[0]
    assert line in {b"PUT /v1/pki/sign/acme HTTP/1.1", b"POST /v1/pki/sign/acme HTTP/1.1"}
    assert b"X-Vault-Namespace: admin/alpha\r\n" in signs[0]
    assert b"evil" not in b"".join(recorded.requests)
    assert b"87600h" not in b"".join(recorded.requests)


async def test_a_proof_at_one_tenant_is_none_at_another(validating: Proxy) -> None:
    """TEN-03 (abuse), NOR-13: the very same key and name, still pending there."""
    key = generate()
    here, there = await validating.account("alpha", key), await validating.account("beta", key)
    await validating.ready(here, "shared.example")
    order = await validating.order(there, "shared.example")
    assert order.json()["status"] == "pending"
    assert_refused(
        await there.finalize(order.json()["finalize"], certificate_request(["shared.example"])),
        403,
        "orderNotReady",
    )


async def test_who_signs_nothing_learns_nothing(
    alice: tuple[AcmeClient, dict[str, str]], issuing: Proxy
) -> None:
    """INV-3, INV-10, JWS-18 (abuse): who signs nothing is refused before anything is looked up."""
    client = issuing.client()
    jose = {"Content-Type": "application/jose+json"}
    for url in alice[1].values():
        there = await client.send("POST", url, b"{}", jose)
        nowhere = await client.send("POST", f"{PUBLIC_URL}/acme/alpha/order/x", b"{}", jose)
        assert_refused(there, 400, "malformed")
        assert there.body == nowhere.body
