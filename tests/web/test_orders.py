"""A12: orders and their states (RFC 8555 §7.1.3, §7.1.6)."""

import json
from typing import Any

import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from tests.support.acme_client import Answer
from tests.support.acme_csr import certificate_request
from tests.support.openbao import as_root
from tests.support.problems import assert_problem, assert_refused
from tests.support.proxy import Proxy, http01
from tests.support.state import last_part

NAME = "www.alpha.example"
PAST = "2020-01-01T00:00:00Z"
ALWAYS = {"status", "expires", "identifiers", "authorizations", "finalize"}


def checked(answer: Answer, status: str) -> dict[str, Any]:
    """Check what holds of an order in every state, and return it.

    ORD-01, ORD-02, ORD-03, ORD-04, ORD-11, CLQ-01, CLI-23: `certificate` when valid and only then.
    """
    assert answer.status in {200, 201}, answer.body
    order: dict[str, Any] = answer.json()
    assert order["status"] == status
    expected = ALWAYS | {"valid": {"certificate"}, "invalid": set(order) & {"error"}}.get(status, set())
    assert set(order) == expected
    error = json.dumps(order.pop("error", None))
    assert answer.body.count(b'"status"') == 1 + error.count('"status"')
    return order


async def failed(proxy: Proxy, *names: str) -> tuple[Any, Answer]:
    """Return a client and an order of which a validation failed."""
    client = await proxy.account()
    order = await proxy.order(client, *names)
    challenge = await proxy.challenge(client, order)
    settled = await client.settled(challenge["url"], await client.answer(challenge["url"]))
    assert settled.json()["status"] == "invalid"
    return client, await client.get(order.location)


async def test_every_state_of_an_order_that_succeeds(issuing: Proxy) -> None:
    """ORD-01, ORD-02, OS-1, OS-3, OS-7, OS-13: from pending to valid, where it stays."""
    client = await issuing.account()
    order = await issuing.order(client, NAME)
    first = checked(order, "pending")
    assert checked(await client.get(order.location), "pending") == first
    challenge = await issuing.challenge(client, order)
    issuing.responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
    await client.settled(challenge["url"], await client.answer(challenge["url"]))
    ready = checked(await client.get(order.location), "ready")
    assert {name: ready[name] for name in ALWAYS - {"status"}} == {
        name: first[name] for name in ALWAYS - {"status"}
    }
    finalized = await client.finalize(first["finalize"], certificate_request([NAME]))
    valid = checked(finalized, "valid")
    # Neither the end of the authorization nor that of the order takes a certificate back.
    await client.deactivate(first["authorizations"][0])
    await issuing.state.change("order", last_part(order.location), expires=PAST)
    later = checked(await client.get(order.location), "valid")
    assert later["certificate"] == valid["certificate"]


async def test_a_failed_validation_ends_the_order_with_its_reason(validating: Proxy) -> None:
    """ORD-03, OS-4, OS-14, PRB-02, STA-02 (abuse)."""
    client, order = await failed(validating, NAME)
    checked(order, "invalid")
    error = order.json()["error"]
    assert_problem(error)
    assert [sub["identifier"]["value"] for sub in error["subproblems"]] == [NAME]
    answer = await client.finalize(order.json()["finalize"], certificate_request([NAME]))
    assert_refused(answer, 403, "orderNotReady")
    assert (await client.get(order.location)).body == order.body


async def test_one_failed_name_of_several_ends_the_order(validating: Proxy) -> None:
    """OS-4, ORD-03."""
    _, order = await failed(validating, NAME, "other.alpha.example")
    checked(order, "invalid")
    assert [sub["identifier"]["value"] for sub in order.json()["error"]["subproblems"]] == [NAME]


@pytest.mark.parametrize("how", ["deactivated", "expired", "revoked"])
@pytest.mark.parametrize("state", ["pending", "ready"])
async def test_a_lost_authorization_ends_the_order(state: str, how: str, validating: Proxy) -> None:
    """OS-4, OS-9, AS-9, AS-10, AUZ-08, STA-03 (abuse), FIN-18: finalize finds it not ready."""
    client = await validating.account()
    placed = await (validating.order if state == "pending" else validating.ready)(client, NAME)
    checked(placed, state)
    url = placed.json()["authorizations"][0]
    if how == "deactivated":
        await client.deactivate(url)
    else:
        change = {"expires": PAST} if how == "expired" else {"revoked_at": PAST}
        await validating.state.change("authorization", last_part(url), **change)
    checked(await client.get(placed.location), "invalid")
    answer = await client.finalize(placed.json()["finalize"], certificate_request([NAME]))
    assert_refused(answer, 403, "orderNotReady")


@pytest.mark.parametrize("state", ["pending", "ready"])
async def test_an_order_expires(state: str, validating: Proxy) -> None:
    """ORD-10, OS-5, OS-9, FIN-24, STA-10 (abuse): invalid, and still there to be read."""
    client = await validating.account()
    placed = await (validating.order if state == "pending" else validating.ready)(client, NAME)
    await validating.state.change("order", last_part(placed.location), expires=PAST)
    checked(await client.get(placed.location), "invalid")
    answer = await client.finalize(placed.json()["finalize"], certificate_request([NAME]))
    assert_refused(answer, 403, "orderNotReady")


async def test_while_vault_is_away(validating: Proxy) -> None:
    """OS-6, OS-12, ORD-06, FIN-02, FIN-22, INV-12: it waits as processing, whatever else runs out."""
    client = await validating.account()
    ready = await validating.ready(client, NAME)
    csr = certificate_request([NAME])
    finalized = await client.finalize(ready.json()["finalize"], csr)
    checked(finalized, "processing")
    assert (finalized.location, finalized.headers["Retry-After"]) == (ready.location, "1")
    read = await client.get(ready.location)
    checked(read, "processing")
    assert 1 <= int(read.headers["Retry-After"]) <= 30
    # Another CSR is another wish; the same one again is the same request.
    again = await client.finalize(ready.json()["finalize"], certificate_request([NAME]))
    assert_refused(again, 403, "orderNotReady")
    repeated = await client.finalize(ready.json()["finalize"], csr)
    checked(repeated, "processing")
    await validating.state.change("authorization", last_part(ready.json()["authorizations"][0]), expires=PAST)
    checked(await client.get(ready.location), "processing")


async def test_a_refusal_by_vault_ends_the_order(issuing: Proxy, openbao: OpenBao) -> None:
    """OS-11, ORD-03, INV-10: with a word of ours and none of Vault's."""
    body = {
        "allowed_domains": ["{{identity.entity.metadata.zone}}"],
        "allowed_domains_template": True,
        "allow_subdomains": True,
        "key_type": "any",
        "require_cn": False,
        "use_csr_sans": False,
        "use_csr_common_name": False,
    }
    await as_root(openbao, "POST", "pki/roles/templated", "admin/alpha", body)
    client = await issuing.account("promising")
    ready = await issuing.ready(client, "www.elsewhere.example")
    csr = certificate_request(["www.elsewhere.example"])
    ended = await client.settled(ready.location, await client.finalize(ready.json()["finalize"], csr))
    checked(ended, "invalid")
    error = ended.json()["error"]
    assert_problem(error)
    assert error["type"] == "urn:ietf:params:acme:error:rejectedIdentifier"
    [subproblem] = error["subproblems"]
    assert subproblem["identifier"] == {"type": "dns", "value": "www.elsewhere.example"}
    assert "[ref ROLE-NAME]" in error["detail"]
    for word in (b"pki/", b"subject alternate", b"by this role", b"{{", b"400 "):
        assert word not in ended.body.lower()


async def test_ready_is_seen_with_the_last_valid_authorization(validating: Proxy) -> None:
    """ORD-09, CLI-19, CLI-15: who saw the authorization valid may finalize at once, twenty times over."""
    client = await validating.account()
    for number in range(20):
        name = f"n{number}.alpha.example"
        order = await validating.order(client, name)
        url = order.json()["authorizations"][0]
        challenge = http01(await client.get(url))
        validating.responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
        await client.answer(challenge["url"])
        while (await client.get(url)).json()["status"] == "pending":
            pass
        answer = await client.finalize(order.json()["finalize"], b"no CSR")
        assert_refused(answer, 400, "badCSR")


async def test_nobody_reads_the_order_of_others(web: Proxy) -> None:
    """ORD-08, D4."""
    alice, bob = await web.account(), await web.account()
    order = await web.order(alice, NAME)
    foreign = await bob.get(order.location)
    missing = await bob.get(order.location[:-32] + "0" * 32)
    assert_refused(foreign, 404, "malformed")
    assert foreign.body == missing.body
