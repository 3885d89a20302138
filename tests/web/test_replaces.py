"""C1: orders that say which certificate they replace (RFC 9773 §5)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from tests.support.acme_client import AcmeClient
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.held import Held, hold
from tests.support.problems import assert_refused
from tests.support.proxy import Proxy
from tests.support.state import last_part


@pytest_asyncio.fixture(loop_scope="session")
async def held(issuing: Proxy) -> Held:
    """Return a certificate for www.alpha.example of a new account."""
    return await hold(issuing, "www.alpha.example")


async def http01(client: AcmeClient, authorization: str) -> dict[str, Any]:
    """Return the http-01 challenge of an authorization."""
    offered = (await client.get(authorization)).json()["challenges"]
    (challenge,) = [challenge for challenge in offered if challenge["type"] == "http-01"]
    found: dict[str, Any] = challenge
    return found


async def test_what_is_replaced_is_shown_for_as_long_as_the_order_is(issuing: Proxy, held: Held) -> None:
    """RPL-08."""
    client = held.client
    placed = await client.new_order(["www.alpha.example", "more.alpha.example"], replaces=held.identifier)
    assert (placed.status, placed.json()["replaces"]) == (201, held.identifier)
    for url in placed.json()["authorizations"]:
        challenge = await http01(client, url)
        issuing.responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
        await client.settled(challenge["url"], await client.answer(challenge["url"]))
    csr = certificate_request(["www.alpha.example", "more.alpha.example"], certificate_key())
    ready = await client.get(placed.location)
    done = await client.settled(placed.location, await client.finalize(placed.json()["finalize"], csr))
    assert [ready.json()["status"], done.json()["status"]] == ["ready", "valid"]
    assert [ready.json()["replaces"], done.json()["replaces"]] == [held.identifier] * 2
    assert_refused(
        await client.new_order(["www.alpha.example"], replaces=held.identifier), 409, "alreadyReplaced"
    )


@pytest.mark.parametrize("replaces", [5, "", "a.b.c", "AQ", "AQ=.AQ=", True, [], {}])
async def test_what_names_no_certificate_is_malformed(held: Held, replaces: object) -> None:
    """RPL-01, RPL-12."""
    answer = await held.client.new_order(["www.alpha.example"], replaces=replaces)
    assert "replaces" in assert_refused(answer, 400, "malformed")["detail"]


async def test_null_is_nothing_and_not_shown(held: Held) -> None:
    """RPL-08: not echoed is not accepted."""
    answer = await held.client.new_order(["www.alpha.example"], replaces=None)
    assert answer.status == 201
    assert "replaces" not in answer.json()


async def test_whose_certificate_it_is_and_for_what_names_is_looked_at(issuing: Proxy, held: Held) -> None:
    """RPL-02, RPL-03, RPL-04, RPL-12, ARI-03 (abuse), TEN-04: and nothing changes by it."""
    other = await hold(issuing, "www.alpha.example")
    beta = await hold(issuing, "www.beta.example", tenant="beta")
    before = await issuing.state.document("certificate", other.id)
    refusals = [
        (await held.client.new_order(["www.alpha.example"], replaces="AQ.AQ"), 404, "malformed"),
        (await held.client.new_order(["www.alpha.example"], replaces=beta.identifier), 404, "malformed"),
        (await held.client.new_order(["www.alpha.example"], replaces=other.identifier), 403, "unauthorized"),
        (await held.client.new_order(["else.alpha.example"], replaces=held.identifier), 400, "malformed"),
    ]
    for answer, status, type_ in refusals:
        assert "replaces" in assert_refused(answer, status, type_)["detail"]
    assert await issuing.state.document("certificate", other.id) == before
    assert (await held.client.new_order(["www.alpha.example"], replaces=held.identifier)).status == 201


async def test_of_ten_orders_at_once_one_replaces_it(issuing: Proxy, held: Held) -> None:
    """RPL-05, RPL-06, RPL-09: and the others are told so, not that something went wrong."""
    answers = await asyncio.gather(
        *(held.client.new_order(["www.alpha.example"], replaces=held.identifier) for _ in range(10))
    )
    assert sorted(answer.status for answer in answers) == [201] + [409] * 9
    (winner,) = [answer for answer in answers if answer.status == 201]
    for answer in answers:
        if answer is not winner:
            assert "replaces" in assert_refused(answer, 409, "alreadyReplaced")["detail"]
    stored = await issuing.state.document("certificate", held.id)
    assert stored["replaced_by"] == last_part(winner.location)


@pytest.mark.parametrize("way", ["failed", "expired", "given up"])
async def test_an_order_that_comes_to_nothing_lets_it_go(issuing: Proxy, held: Held, way: str) -> None:
    """RPL-07."""
    client = held.client
    first = await client.new_order(["www.alpha.example"], replaces=held.identifier)
    (authorization,) = first.json()["authorizations"]
    match way:
        case "failed":
            challenge = await http01(client, authorization)
            await client.settled(challenge["url"], await client.answer(challenge["url"]))
        case "expired":
            past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
            await issuing.state.change("order", last_part(first.location), expires=past)
        case _:
            await client.deactivate(authorization)
    assert (await client.get(first.location)).json()["status"] == "invalid"
    second = await client.new_order(["www.alpha.example"], replaces=held.identifier)
    assert (second.status, second.json()["replaces"]) == (201, held.identifier)
    assert_refused(
        await client.new_order(["www.alpha.example"], replaces=held.identifier), 409, "alreadyReplaced"
    )


@pytest.mark.parametrize("state", ["expired", "revoked"])
async def test_what_is_no_longer_good_may_be_replaced(issuing: Proxy, held: Held, state: str) -> None:
    """RPL-10."""
    if state == "revoked":
        assert (await held.client.revoke(held.leaf, 4)).status == 200
    else:
        past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        await issuing.state.change("certificate", held.id, not_after=past)
    answer = await held.client.new_order(["www.alpha.example"], replaces=held.identifier)
    assert (answer.status, answer.json()["replaces"]) == (201, held.identifier)


async def test_a_claimed_certificate_can_still_be_revoked_and_read(issuing: Proxy, held: Held) -> None:
    """CRT-06, CRT-12."""
    await held.client.new_order(["www.alpha.example"], replaces=held.identifier)
    assert (await held.client.revoke(held.leaf, 4)).status == 200
    assert (await held.client.get(held.url)).body == held.issued.chain
    stored = await issuing.state.document("certificate", held.id)
    assert stored["replaced_by"]
    assert stored["revoked_at"]
