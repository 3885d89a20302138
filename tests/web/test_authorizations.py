"""A13: authorizations and their states (RFC 8555 §7.1.4, §7.5, §7.5.2)."""

import asyncio
from typing import Any

import pytest

from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_jws import Forgery
from tests.support.hostile_http import held, hostile_http
from tests.support.http01_responder import Http01Responder
from tests.support.problems import assert_problem, assert_refused
from tests.support.proxy import Proxy, http01
from tests.support.state import last_part

NAME = "www.alpha.example"
PAST = "2020-01-01T00:00:00Z"


async def authorization_of(client: AcmeClient, order: Answer) -> Answer:
    return await client.get(order.json()["authorizations"][0])


def checked(answer: Answer, status: str) -> dict[str, Any]:
    """Check what holds of an authorization in every state, and return it (AUZ-01, AUZ-02, AUZ-03)."""
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert set(found) == {"status", "expires", "identifier", "challenges"}
    assert found["identifier"] == {"type": "dns", "value": NAME}
    return found


async def in_state(state: str, proxy: Proxy) -> tuple[AcmeClient, str]:
    """Return a client and the URL of one of its authorizations, which is in a state by now."""
    client = await proxy.account()
    order = await (proxy.ready if state == "valid" else proxy.order)(client, NAME)
    url: str = order.json()["authorizations"][0]
    if state == "invalid":
        challenge = await proxy.challenge(client, order)
        await client.settled(challenge["url"], await client.answer(challenge["url"]))
    elif state == "deactivated":
        await client.deactivate(url)
    elif state in {"expired", "revoked"}:
        change = {"expires": PAST} if state == "expired" else {"revoked_at": PAST}
        await proxy.state.change("authorization", last_part(url), **change)
    return client, url


STATES = ("pending", "valid", "invalid", "deactivated", "expired", "revoked")


@pytest.mark.parametrize("state", STATES)
async def test_every_state(state: str, validating: Proxy) -> None:
    """AUZ-01 to AUZ-06, AUZ-12, AUZ-14, AS-1, AS-3, AS-4, AS-6, AS-7: with the challenge that decided."""
    client, url = await in_state(state, validating)
    found = checked(await client.get(url), state)
    challenges = found["challenges"]
    decided = state in {"valid", "invalid"}
    types = ["http-01"] if decided else ["http-01", "dns-01", "tls-alpn-01"]
    assert sorted(one["type"] for one in challenges) == sorted(types)
    assert {one["status"] for one in challenges} == {state if decided else "pending"}
    assert {"error" in one for one in challenges} == {state == "invalid"}
    assert {"validated" in one for one in challenges} == {state == "valid"}
    if state == "invalid":
        assert_problem(challenges[0]["error"])


@pytest.mark.parametrize("state", ["pending", "valid"])
@pytest.mark.parametrize(
    "payload",
    [
        {"status": "deactivated"},
        {
            "status": "deactivated",
            "identifier": {"type": "", "value": ""},
            "challenges": None,
            "expires": None,
        },
        {"resource": "authz", "status": "deactivated", "delete": True},
    ],
)
async def test_giving_one_up(payload: dict[str, Any], state: str, validating: Proxy) -> None:
    """AUZ-07, AUZ-09, AUZ-10, AS-5, AS-8, CLI-29: as lego and x/crypto write it too; twice is the same."""
    client, url = await in_state(state, validating)
    answer = await client.post(url, payload)
    checked(answer, "deactivated")
    async with validating.state.unchanged():
        again = await client.post(url, payload)
        assert (again.status, again.body) == (200, answer.body)
    assert (await client.get(url)).body == answer.body


@pytest.mark.parametrize("state", ["invalid", "expired", "revoked"])
async def test_what_is_final_is_not_given_up(state: str, validating: Proxy) -> None:
    """AUZ-10, AS-11."""
    client, url = await in_state(state, validating)
    async with validating.state.unchanged():
        assert_refused(await client.deactivate(url), 400, "malformed")
        checked(await client.get(url), state)


@pytest.mark.parametrize("state", ["pending", "deactivated", "expired"])
@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"status":"valid"}',
        b'{"status":"pending"}',
        b'{"status":""}',
        b'{"status":null}',
        b'{"identifier":{}}',
        b"[]",
        b"null",
        b'"deactivated"',
    ],
)
async def test_nothing_else_can_be_changed(payload: bytes, state: str, validating: Proxy) -> None:
    """AUZ-09, ACC-15 (abuse), JWS-19 (abuse)."""
    client, url = await in_state(state, validating)
    async with validating.state.unchanged():
        assert_refused(await client.post(url, None, Forgery(payload=payload)), 400, "malformed")


@pytest.mark.parametrize("payload", [None, {"status": "deactivated"}, {}])
async def test_nobody_touches_the_authorizations_of_others(payload: object, web: Proxy) -> None:
    """AUZ-11, D4."""
    alice, bob = await web.account(), await web.account()
    url = (await web.order(alice, NAME)).json()["authorizations"][0]
    async with web.state.unchanged():
        foreign, missing = await bob.post(url, payload), await bob.post(url[:-32] + "0" * 32, payload)
        assert_refused(foreign, 404, "malformed")
        assert foreign.body == missing.body


async def test_it_is_pending_while_somebody_looks(validating: Proxy, responder: Http01Responder) -> None:
    """AUZ-03, AUZ-13, CHL-08, CLI-18: never processing, and the client is told when to ask again."""
    client, url = await in_state("pending", validating)
    challenge = http01(await client.get(url))
    release = asyncio.Event()
    async with responder.paused(), hostile_http(held(release), port=responder.port):
        await client.answer(challenge["url"])
        answer = await client.get(url)
        checked(answer, "pending")
        assert http01(answer)["status"] == "processing"
        assert answer.headers["Retry-After"] == "1"
        release.set()
        await client.settled(url)
    checked(await client.get(url), "invalid")


async def test_what_is_seen_after_it_was_given_up_is_discarded(
    validating: Proxy, responder: Http01Responder
) -> None:
    """AS-11, AUZ-08, STA-06 (abuse): the target answers rightly, but too late."""
    client, url = await in_state("pending", validating)
    challenge = http01(await client.get(url))
    asked, answer_now = asyncio.Event(), asyncio.Event()

    async def late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await answer_now.wait()
        proof = client.key.key_authorization(challenge["token"]).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(proof), proof))
        await writer.drain()

    async with responder.paused(), hostile_http(late, port=responder.port) as target:
        answering = asyncio.create_task(client.answer(challenge["url"]))
        async with asyncio.timeout(60):
            await asked.wait()
        other = validating.client(key=client.key)
        other.kid = client.kid
        checked(await other.deactivate(url), "deactivated")
        answer_now.set()
        await answering
        assert len(target.requests) == 1
    found = await client.get(url)
    checked(found, "deactivated")
    assert http01(found)["status"] != "valid"
