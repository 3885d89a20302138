"""A14: challenges and their states (RFC 8555 §7.1.5, §7.5.1, §8)."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from acmeproxy.wiring.serving import Role
from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_jws import Forgery
from tests.support.acme_keys import generate
from tests.support.eventually import eventually
from tests.support.hostile_http import held, hostile_http
from tests.support.http01_responder import Http01Responder
from tests.support.problems import assert_problem, assert_refused
from tests.support.proxies import NAMES, Launch
from tests.support.proxy import Plan, Proxy, tenant
from tests.support.state import last_part

NAME = "www.alpha.example"
PAST = "2020-01-01T00:00:00Z"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def patient(launch: Launch, name_server: int) -> AsyncIterator[Proxy]:
    """Run a proxy that looks three times and lets no client wait."""
    more = {
        "server": "challenge_wait = 0\n",
        "validation": "timeout = 1\nattempts = 3\nretry_delay = 0.1\n",
    }
    plan = Plan({"patient": tenant(NAMES)}, Role.ALL, dns=name_server, more=more, database=2)
    async with launch(plan) as running:
        yield running


async def offered(proxy: Proxy, tenant_name: str = "alpha") -> tuple[AcmeClient, dict[str, Any], str]:
    """Return a client, a pending challenge, and the URL of its authorization."""
    client = await proxy.account(tenant_name)
    order = await proxy.order(client, NAME)
    return client, await proxy.challenge(client, order), order.json()["authorizations"][0]


def up(answer: Answer) -> list[str]:
    links = [value for name, value in answer.headers.items() if name == "Link"]
    return [link for link in links if link.endswith('rel="up"')]


async def test_what_is_offered(web: Proxy) -> None:
    """CHL-01, CHL-02, CHL-06, CHL-07, CHL-19, AUZ-04: a token in each, of 128 bits and more, each another."""
    client = await web.account()
    tokens, offered_types = [], set()
    for number in range(10):
        order = await web.order(client, f"n{number}.alpha.example", f"m{number}.alpha.example")
        for url in order.json()["authorizations"]:
            for challenge in (await client.get(url)).json()["challenges"]:
                assert set(challenge) == {"type", "url", "status", "token"}
                assert challenge["status"] == "pending"
                answer = await client.get(challenge["url"])
                assert answer.json() == challenge
                assert up(answer) == [f'<{url}>;rel="up"']
                offered_types.add(challenge["type"])
                tokens.append(challenge["token"])
    assert offered_types == {"http-01", "dns-01", "tls-alpn-01"}
    assert len(tokens) == 10 * 2 * 3
    assert len(set(tokens)) >= 10 * 2
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22,}", token) for token in tokens)


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"keyAuthorization":"x"}',
        b'{"resource":"challenge","type":5}',
        b'{"status":"valid"}',
        b'{"token":"x","validated":"2020-01-01T00:00:00Z"}',
    ],
)
async def test_an_object_starts_it(payload: bytes, web: Proxy) -> None:
    """CHL-03, CHL-04, CHL-02, CLI-11, JWS-14 (abuse): whatever stands in it; the token stays ours."""
    client, challenge, url = await offered(web)
    answer = await client.post(challenge["url"], None, Forgery(payload=payload))
    assert answer.status == 200
    assert answer.json() == {**challenge, "status": "processing"}
    assert up(answer) == [f'<{url}>;rel="up"']
    assert answer.headers["Retry-After"] == "1"


async def test_reading_never_starts_it(web: Proxy) -> None:
    """CHL-05, JWS-28: dehydrated and uacme poll here."""
    client, challenge, _ = await offered(web)
    async with web.state.unchanged():
        for _ in range(3):
            answer = await client.get(challenge["url"])
            assert answer.json() == challenge
            assert "Retry-After" not in answer.headers


async def test_it_becomes_valid(validating: Proxy) -> None:
    """CHL-08, CHL-01, CHL-10, CHL-15, CHL-06: with the time, and asked again it stays so."""
    client, challenge, url = await offered(validating)
    validating.responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
    settled = await client.settled(challenge["url"], await client.answer(challenge["url"]))
    shown = settled.json()
    assert set(shown) == {"type", "url", "status", "token", "validated"}
    assert (shown["status"], shown["url"], shown["token"]) == ("valid", challenge["url"], challenge["token"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown["validated"])
    async with validating.state.unchanged():
        again = await client.answer(challenge["url"])
        assert (again.status, again.json()) == (200, shown)
    assert (await client.get(url)).json()["challenges"] == [shown]


@pytest.mark.parametrize(
    "proof",
    [
        "",
        "x",
        "{token}",
        "{token}.",
        "{token}.{other}",
        "{thumbprint}",
        "{token}.{thumbprint}x",
        "x{token}.{thumbprint}",
    ],
)
async def test_another_proof_is_none(proof: str, validating: Proxy) -> None:
    """CHL-13, CHL-15, D8, JWS-14 (abuse): invalid, with the reason."""
    client, challenge, _ = await offered(validating)
    parts = {"token": challenge["token"], "thumbprint": client.key.thumbprint, "other": generate().thumbprint}
    validating.responder.tokens[challenge["token"]] = proof.format(**parts)
    settled = await client.settled(challenge["url"], await client.answer(challenge["url"]))
    assert settled.json()["status"] == "invalid"
    error = settled.json()["error"]
    assert_problem(error)
    assert error["type"] == "urn:ietf:params:acme:error:incorrectResponse"
    assert "validated" not in settled.json()


async def test_an_accounts_proof_is_its_own(validating: Proxy) -> None:
    """CHL-15, CHL-16, TEN-03 (abuse): the proof of one account does not serve another, at the same name."""
    alice, first, _ = await offered(validating)
    bob, second, _ = await offered(validating)
    validating.responder.tokens[first["token"]] = alice.key.key_authorization(first["token"])
    validating.responder.tokens[second["token"]] = alice.key.key_authorization(second["token"])
    settled = await bob.settled(second["url"], await bob.answer(second["url"]))
    assert settled.json()["status"] == "invalid"
    assert (await alice.get(first["url"])).json()["status"] == "pending"


@pytest.mark.parametrize("how", ["failed", "deactivated", "expired", "revoked"])
async def test_it_is_not_answered_when_all_is_over(how: str, validating: Proxy) -> None:
    """CHL-11, CHL-17, AS-11."""
    client, challenge, url = await offered(validating)
    if how == "failed":
        await client.settled(challenge["url"], await client.answer(challenge["url"]))
    elif how == "deactivated":
        await client.deactivate(url)
    else:
        change = {"expires": PAST} if how == "expired" else {"revoked_at": PAST}
        await validating.state.change("authorization", last_part(url), **change)
    before = await client.get(challenge["url"])
    async with validating.state.unchanged():
        assert_refused(await client.answer(challenge["url"]), 400, "malformed")
        assert (await client.get(challenge["url"])).body == before.body


async def test_asking_again_while_somebody_looks(validating: Proxy, responder: Http01Responder) -> None:
    """CHL-09, D9, CHL-18: the object as it is, nothing enqueued again; the target is asked once."""
    client, challenge, url = await offered(validating)
    release = asyncio.Event()
    async with responder.paused(), hostile_http(held(release), port=responder.port) as target:
        first = await client.answer(challenge["url"])
        assert first.json()["status"] == "processing"
        async with validating.state.unchanged():
            for _ in range(3):
                again = await client.answer(challenge["url"])
                assert (again.status, again.json()) == (200, first.json())
                assert up(again) == [f'<{url}>;rel="up"']
        release.set()
        await client.settled(challenge["url"])
        assert len(target.requests) == 1


async def test_many_answers_at_once_are_one(validating: Proxy) -> None:
    """CHL-18, CHL-09: twenty requests, one look, one verdict."""
    client, challenge, url = await offered(validating)
    validating.responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
    validating.responder.asked.clear()
    others = [validating.client(key=client.key) for _ in range(20)]
    for other in others:
        other.kid = client.kid
    answers = await asyncio.gather(*(other.answer(challenge["url"]) for other in others))
    assert {answer.status for answer in answers} == {200}
    assert {answer.json()["status"] for answer in answers} <= {"processing", "valid"}
    await client.settled(url)
    assert (await client.get(url)).json()["status"] == "valid"
    assert len(validating.responder.asked) == 1


async def test_a_failed_look_is_told_and_repeated(patient: Proxy) -> None:
    """CHL-12, CHL-08, CHL-13, erratum 5732: the error beside processing, then the verdict; never pending."""
    client, challenge, url = await offered(patient, "patient")
    seen: list[dict[str, Any]] = []

    async def failed_once() -> bool:
        answer = await client.get(challenge["url"])
        seen.append(answer.json())
        if answer.json()["status"] == "processing":
            assert answer.headers["Retry-After"] == "1"
        return "error" in answer.json()

    assert (await client.answer(challenge["url"])).json()["status"] == "processing"
    await eventually(failed_once)
    assert seen[-1]["status"] == "processing"
    assert_problem(seen[-1]["error"])
    assert (await client.get(url)).json()["status"] == "pending"
    patient.responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
    settled = await client.settled(challenge["url"])
    assert settled.json()["status"] == "valid"
    assert "error" not in settled.json()
    assert {one["status"] for one in seen} == {"processing"}


async def test_looking_ends(patient: Proxy) -> None:
    """CHL-12, CHL-13: after three times."""
    client, challenge, _ = await offered(patient, "patient")
    patient.responder.asked.clear()
    settled = await client.settled(challenge["url"], await client.answer(challenge["url"]))
    assert settled.json()["status"] == "invalid"
    assert len(patient.responder.asked) == 3


async def test_an_answer_is_quick_whatever_the_target_does(
    validating: Proxy, responder: Http01Responder
) -> None:
    """CHL-20: it comes while the look still lasts, after the 0.3 s that it may wait for that (`BRISK`)."""
    client, challenge, _ = await offered(validating)
    release = asyncio.Event()
    async with responder.paused(), hostile_http(held(release), port=responder.port):
        answer = await client.answer(challenge["url"])
        assert (answer.status, answer.json()["status"]) == (200, "processing")
        release.set()
        await client.settled(challenge["url"])


@pytest.mark.parametrize("payload", [None, {}])
async def test_nobody_answers_for_others(payload: object, web: Proxy) -> None:
    """CHL-16, D4: nothing is started."""
    _, challenge, _ = await offered(web)
    bob = await web.account()
    async with web.state.unchanged():
        foreign = await bob.post(challenge["url"], payload)
        missing = await bob.post(re.sub(r"[0-9a-f]{32}", "0" * 32, challenge["url"]), payload)
        assert_refused(foreign, 404, "malformed")
        assert foreign.body == missing.body


@pytest.mark.parametrize("type_", ["dns-account-01", "dns-persist-01", "x", "HTTP-01", "http-01x", ""])
async def test_what_is_not_offered_is_not_there(type_: str, web: Proxy) -> None:
    """CHL-16, CHL-19."""
    client, challenge, _ = await offered(web)
    url = challenge["url"].removesuffix("http-01") + type_
    async with web.state.unchanged():
        assert_refused(await client.get(url), 404, "malformed")
        assert_refused(await client.answer(url), 404, "malformed")
