"""A4: nonces are used once, whoever presents them (RFC 8555 §6.5, §7.2)."""

import asyncio
import hmac
import re
import secrets
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_jws import HONEST, Forgery, flip_last_bit, sign
from tests.support.acme_keys import b64url, unb64url
from tests.support.acme_urls import OWNED, urls_of
from tests.support.problems import assert_refused
from tests.support.proxies import AT_ONCE, TENANTS, Launch
from tests.support.proxy import PUBLIC_URL, Plan, Proxy, tenant

JOSE = {"Content-Type": "application/jose+json"}
PHRASE = "JWS has an invalid anti-replay nonce"
TEXT = re.compile(r"[A-Za-z0-9_-]{22,}")


async def read_with(client: AcmeClient, nonce: str, forgery: Forgery = HONEST) -> Answer:
    """Read the account with a nonce of the test's choice."""
    client.nonces.append(nonce)
    return await client.get(str(client.kid), forgery)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def replica(launch: Launch) -> AsyncIterator[Proxy]:
    """Run a second process beside the first, on the same state."""
    plan = Plan({name: tenant(policy) for name, policy in TENANTS.items()}, more=AT_ONCE)
    async with launch(plan) as running:
        yield running


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204)])
async def test_new_nonce(method: str, status: int, web: Proxy) -> None:
    """NON-01, NON-02, NON-03, NON-04, NON-06, CLI-01."""
    client = await web.account()
    url = (await client.directory())["newNonce"]
    answer = await client.send(method, url)
    assert (answer.status, answer.body) == (status, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert TEXT.fullmatch(answer.headers["Replay-Nonce"])
    assert (await client.get(str(client.kid))).status == 200


async def test_new_nonce_by_post_as_get(web: Proxy) -> None:
    """NON-05."""
    client = await web.account()
    answer = await client.get((await client.directory())["newNonce"])
    assert (answer.status, answer.body) == (204, b"")
    assert (await client.get(str(client.kid))).status == 200


async def test_nonces_are_chance(web: Proxy) -> None:
    """NON-06: all differ, and in enough bits that the next cannot be guessed."""
    client = web.client()
    url = (await client.directory())["newNonce"]
    for _ in range(200):
        await client.send("HEAD", url)
    assert len(set(client.nonces)) == 200
    octets = [unb64url(nonce) for nonce in client.nonces]
    varying = sum(len({nonce[place] for nonce in octets}) > 50 for place in range(len(octets[0])))
    assert varying >= 16


async def test_nonces_cost_no_memory_until_they_are_used(web: Proxy) -> None:
    """NON-17: thousands are outstanding at once, and a flood of new-nonce requests writes nothing."""
    client = await web.account()
    url = (await client.directory())["newNonce"]
    first = await client.nonce()
    before = await web.state.names()
    for _ in range(100):
        await client.send("HEAD", url)
    assert await web.state.names() - before == set()
    assert (await read_with(client, first)).status == 200
    assert len(await web.state.names() - before) == 1


FAILURES: dict[str, tuple[Forgery, int, str]] = {
    "signature": (Forgery(signature=flip_last_bit), 400, "malformed"),
    "url": (Forgery(override={"url": "https://evil.example/"}), 403, "unauthorized"),
    "kid of nobody": (
        Forgery(override={"kid": f"{PUBLIC_URL}/acme/alpha/account/{'0' * 33}"}),
        400,
        "accountDoesNotExist",
    ),
    "kid of another place": (Forgery(override={"kid": "https://evil.example/"}), 400, "malformed"),
    "algorithm": (Forgery(override={"alg": "none"}), 400, "badSignatureAlgorithm"),
    "crit": (Forgery(override={"crit": ["x"]}), 400, "malformed"),
    "jwk beside kid": (Forgery(override={"jwk": {}}), 400, "malformed"),
    "payload": (Forgery(payload=b"[]"), 400, "malformed"),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_a_nonce_that_was_presented_is_dead(case: str, web: Proxy) -> None:
    """NON-07: whatever else was wrong with the request."""
    client = await web.account()
    nonce = await client.nonce()
    forgery, status, type_ = FAILURES[case]
    assert_refused(await read_with(client, nonce, forgery), status, type_)
    assert_refused(await read_with(client, nonce), 400, "badNonce")


async def test_a_nonce_that_was_presented_with_a_refused_key_is_dead(web: Proxy) -> None:
    """NON-07."""
    client = await web.account()
    nonce = await client.nonce()
    client.nonces.append(nonce)
    bad = Forgery(override={"jwk": {**client.key.jwk, "use": "enc"}})
    answer = await client.post((await client.directory())["newAccount"], {}, bad, signer=client.key)
    assert_refused(answer, 400, "badPublicKey")
    assert_refused(await read_with(client, nonce), 400, "badNonce")


async def test_a_replayed_request_is_refused(web: Proxy) -> None:
    """NON-08: octet for octet, at once and again."""
    client = await web.account()
    url = (await client.directory())["newOrder"]
    header = {"nonce": await client.nonce(), "url": url, "kid": client.kid}
    body = sign(client.key, header, {"identifiers": [{"type": "dns", "value": "www.alpha.example"}]})
    assert (await client.send("POST", url, body, JOSE)).status == 201
    async with web.state.unchanged():
        for _ in range(2):
            assert_refused(await client.send("POST", url, body, JOSE), 400, "badNonce")


def made_at(secret: str, when: float) -> str:
    """Make a nonce as the server would have made it at some time."""
    body = int(when).to_bytes(4) + secrets.token_bytes(16)
    return b64url(body + hmac.digest(secret.encode(), body, "sha256")[:16])


async def test_nonces_live_for_hours_and_not_for_ever(web: Proxy) -> None:
    """NON-17, NON-08: half an hour old is good, three hours old is not, and nobody else can make one."""
    client = await web.account()
    secret, now = await web.state.secret_of_nonces(), time.time()
    assert (await read_with(client, made_at(secret, now - 1800))).status == 200
    assert (await read_with(client, made_at(secret, now - 3600))).status == 200
    assert_refused(await read_with(client, made_at(secret, now - 10_800)), 400, "badNonce")
    assert_refused(await read_with(client, made_at("another secret", now)), 400, "badNonce")


@pytest.mark.parametrize(
    "nonce", ["A", "AAAA", "x" * 48, "A" * 5000, b64url(b"never issued, and of another length")]
)
async def test_nonces_that_were_never_issued(nonce: str, web: Proxy) -> None:
    """NON-08, NON-11: told in the words that acme.sh looks for (CLI-04, CLI-05, CLI-06)."""
    client = await web.account()
    async with web.state.unchanged():
        nonce = nonce[: len(nonce) - (len(nonce) % 4 == 1)] or "AA"
        document = assert_refused(await read_with(client, nonce), 400, "badNonce")
    assert PHRASE in document["detail"]


@pytest.mark.parametrize("resource", ["newOrder", *OWNED])
async def test_no_nonce_is_no_good_one(resource: str, web: Proxy) -> None:
    """NON-09, NON-16, NON-11: one in the request's header fields does not count."""
    client = await web.account()
    urls = {**await client.directory(), **await urls_of(web, client)}
    header = {"url": urls[resource], "kid": client.kid}
    body = sign(client.key, header, {})
    for fields in ({}, {"Replay-Nonce": await client.nonce()}):
        answer = await client.send("POST", urls[resource], body, {**JOSE, **fields})
        assert PHRASE in assert_refused(answer, 400, "badNonce")["detail"]


@pytest.mark.parametrize("nonce", [5, None, [], True, "a=b", "AAA=", "a b", "a+b/", "ä", "AA\n"])
async def test_nonces_that_are_no_base64url(nonce: object, web: Proxy) -> None:
    """NON-18, D3: the answer has a fresh one."""
    client = await web.account()
    async with web.state.unchanged():
        answer = await client.get(str(client.kid), Forgery(override={"nonce": nonce}))
        assert_refused(answer, 400, "malformed")
    assert (await read_with(client, answer.headers["Replay-Nonce"])).status == 200


async def test_the_nonce_of_a_refusal_serves_the_next_try(web: Proxy) -> None:
    """NON-10, CLI-03: so does one of a new HEAD."""
    client = await web.account()
    refused = await read_with(client, "AAAA")
    assert_refused(refused, 400, "badNonce")
    assert (await read_with(client, refused.headers["Replay-Nonce"])).status == 200
    head = await client.send("HEAD", (await client.directory())["newNonce"])
    assert (await read_with(client, head.headers["Replay-Nonce"])).status == 200


async def test_nonces_belong_to_nobody(web: Proxy) -> None:
    """NON-14: from one account and resource to another, from one tenant to another."""
    alice, bob, carol = await web.account(), await web.account(), await web.account("beta")
    for client in (alice, carol):
        assert (await read_with(bob, await client.nonce())).status == 200
        place = (await client.directory())["newOrder"]
        assert_refused(await client.post(place, {}), 400, "malformed")
        assert (await read_with(bob, client.nonces.pop())).status == 200


async def test_one_nonce_serves_one_of_many(web: Proxy, replica: Proxy) -> None:
    """NON-15: fifty requests at once, at two processes."""
    client, nonce = await web.account(), await web.client().nonce()

    async def ask(place: Proxy) -> Answer:
        other = place.client(key=client.key)
        other.kid = client.kid
        return await read_with(other, nonce)

    answers = await asyncio.gather(*(ask(place) for place in (web, replica) for _ in range(25)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 49
    assert {answer.error for answer in answers} == {"", "badNonce"}


async def test_a_nonce_of_one_process_is_good_at_another(web: Proxy, replica: Proxy) -> None:
    """NON-15."""
    client = await web.account()
    for maker, taker in ((web, replica), (replica, web)):
        there = taker.client(key=client.key)
        there.kid = client.kid
        assert (await read_with(there, await maker.client().nonce())).status == 200


async def test_what_the_store_forgot_is_void(web: Proxy) -> None:
    """NON-03 (abuse), INV-7: a store that lost its marks of used nonces takes none of the old ones."""
    client = await web.account()
    used, fresh = await client.nonce(), await web.client().nonce()
    assert (await read_with(client, used)).status == 200
    await web.state.forget_nonces()
    for nonce in (used, fresh):
        assert_refused(await read_with(client, nonce), 400, "badNonce")
    assert (await client.get(str(client.kid))).status == 200


async def test_refused_nonces_are_counted_by_why(web: Proxy) -> None:
    """An operator sees a restored store, or an attack, by this."""
    client = await web.account()
    nonce = await client.nonce()
    for _ in range(2):
        await client.get(str(client.kid), Forgery(override={"nonce": nonce}))
    shown = (await client.send("GET", f"{web.origin}/metrics")).body.decode()
    assert 'acmeproxy_nonce_rejected_total{reason="used"}' in shown
