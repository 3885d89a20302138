"""D1: what clients do that the RFC does not speak of, where no other module has it."""

import asyncio
import json

import pytest

from tests.support.acme_csr import certificate_request
from tests.support.acme_jws import Forgery, sign
from tests.support.acme_urls import urls_of
from tests.support.problems import assert_refused
from tests.support.proxy import PUBLIC_URL, Proxy
from tests.support.raw_http import RawAnswer, exchange, request

NAME = "www.alpha.example"
JOSE = "Content-Type: application/jose+json"


async def new_account(web: Proxy, *fields: str, version: str = "1.1", chunked: bool = False) -> RawAnswer:
    """Register with a request that is written by hand."""
    client = web.client()
    url = (await client.directory())["newAccount"]
    body = sign(client.key, {"nonce": await client.nonce(), "url": url, "jwk": client.key.jwk}, {})
    if chunked:
        halves = (body[: len(body) // 2], body[len(body) // 2 :])
        body = b"".join(b"%x\r\n%s\r\n" % (len(half), half) for half in halves) + b"0\r\n\r\n"
    else:
        fields = (*fields, f"Content-Length: {len(body)}")
    path = url.removeprefix(PUBLIC_URL)
    return await exchange(web.origin, request("POST", path, JOSE, *fields, body=body, version=version))


@pytest.mark.parametrize(
    "spoken",
    [
        ((), "1.0", False),
        ((), "1.1", False),
        (("Expect: 100-continue",), "1.1", False),
        (("Transfer-Encoding: chunked",), "1.1", True),
        (("Host: ACME.example:443",), "1.1", False),
        (("Cookie: a=b",), "1.1", False),
        (("Authorization: Basic YTpi",), "1.1", False),
        (("Accept: */*", "Accept-Encoding: gzip, deflate, br"), "1.1", False),
    ],
)
async def test_http_as_clients_speak_it(spoken: tuple[tuple[str, ...], str, bool], web: Proxy) -> None:
    """CLI-36, CLI-32: HTTP/1.0 and 1.1, without keep-alive, with 100-continue or in chunks."""
    fields, version, chunked = spoken
    answer = await new_account(web, *fields, version=version, chunked=chunked)
    assert answer.status == 201
    assert len(answer.all("Replay-Nonce")) == 1
    assert answer.all("Set-Cookie") == []
    assert answer.all("Content-Encoding") == []
    assert json.loads(answer.body)["status"] == "valid"


async def test_many_requests_on_one_connection(web: Proxy) -> None:
    """CLI-36: and a refusal does not end it."""
    client = await web.account()
    for _ in range(3):
        assert (await client.get(str(client.kid))).status == 200
        assert_refused(await client.get(f"{client.kid}/x"), 404, "malformed")


@pytest.mark.parametrize("resource", ["account", "orders", "order", "authorization", "challenge"])
async def test_json_for_readers_that_only_search(resource: str, issuing: Proxy) -> None:
    """CLI-24, CLI-23, CLI-08, CLQ-08, ORD-11: compact, ASCII, the resource's own status first."""
    client = await issuing.account(contact=["mailto:ops@alpha.example"])
    issued = await client.obtain([NAME], issuing.responder)
    urls = await urls_of(issuing, client, issued.order)
    answer = await client.get(urls[resource])
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body == json.dumps(answer.json(), separators=(",", ":")).encode()
    assert b"\\" not in answer.body
    assert b"null" not in answer.body
    assert b"error" not in answer.body
    if resource != "orders":
        first = answer.body.index(b'"status"')
        own = answer.json()["status"]
        assert answer.body[first:].startswith(b'"status":"%s"' % own.encode())


async def test_authorization_challenge_and_order_agree(validating: Proxy) -> None:
    """CLI-15, CLI-19, CHL-07: whichever of them a client polls."""
    client = await validating.account()
    order = await validating.order(client, NAME)
    challenge = await validating.challenge(client, order)
    validating.responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
    answered = await client.answer(challenge["url"])
    assert answered.json()["url"] == challenge["url"]
    while (await client.get(challenge["url"])).json()["status"] == "processing":
        pass
    assert (await client.get(order.json()["authorizations"][0])).json()["status"] == "valid"
    assert (await client.get(order.location)).json()["status"] == "ready"


async def test_polling_is_cheap(web: Proxy) -> None:
    """CLI-16: twenty reads a second are no offence, and none is slow."""
    client = await web.account()
    order = await web.order(client, NAME)
    async with asyncio.timeout(60):
        answers = [await client.get(order.location) for _ in range(40)]
    assert {answer.status for answer in answers} == {200}


async def test_a_pool_of_nonces_in_any_order(web: Proxy) -> None:
    """CLI-02, CLI-03: from any answer, refusals included, used in whatever order and at the same time."""
    client = await web.account()
    order = await web.order(client, NAME)
    url = (await client.directory())["newNonce"]
    for _ in range(10):
        await client.send("HEAD", url)
        await client.send("POST", order.location, b"{}", {"Content-Type": "application/json"})
    client.nonces.reverse()
    answers = await asyncio.gather(*(client.get(order.location) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}


async def test_a_client_that_finalizes_before_it_proves(web: Proxy) -> None:
    """CLI-22: early drafts had no ready; cert-manager and certbot read the order again and go on."""
    client = await web.account()
    order = await web.order(client, NAME)
    assert_refused(
        await client.finalize(order.json()["finalize"], certificate_request([NAME])), 403, "orderNotReady"
    )
    assert (await client.get(order.location)).json() == order.json()


@pytest.mark.parametrize("spacing", ["{ }", " {}", "{}\n", "{\r\n\t}"])
async def test_white_space_in_an_empty_object(spacing: str, web: Proxy) -> None:
    """CLI-09: certbot writes its JSON for people."""
    client = await web.account()
    order = await web.order(client, NAME)
    challenge = await web.challenge(client, order)
    answer = await client.post(challenge["url"], None, Forgery(payload=spacing.encode()))
    assert (answer.status, answer.json()["status"]) == (200, "processing")
