"""The fields of every answer, good or bad (conformance 0.4)."""

import pytest

from tests.support.acme_client import Answer
from tests.support.acme_csr import certificate_request
from tests.support.acme_keys import b64url
from tests.support.acme_urls import OWNED, urls_of
from tests.support.problems import assert_refused
from tests.support.proxy import PUBLIC_URL, Proxy
from tests.support.raw_http import exchange, request

JSON = "application/json"
PEM = "application/pem-certificate-chain"
INDEX = f'<{PUBLIC_URL}/acme/alpha/directory>;rel="index"'


def links(answer: Answer) -> list[str]:
    return [value for name, value in answer.headers.items() if name == "Link"]


def fields(answer: Answer) -> tuple[int, str | None, bool, list[str], str | None]:
    """Return what the matrix is about: status, media type, nonce or none, links, location."""
    get = answer.headers.get
    return answer.status, get("Content-Type"), get("Replay-Nonce") is not None, links(answer), get("Location")


async def test_the_matrix_of_a_whole_life(issuing: Proxy) -> None:
    """HTTP-07, NON-12, CHL-06, ORD-05, CRT-01, CRT-05, CLI-25, CLI-26: one row a resource."""
    client = issuing.client()
    directory = f"{PUBLIC_URL}/acme/alpha/directory"
    urls = await client.directory()
    assert fields(await client.send("GET", directory)) == (200, JSON, False, [], None)
    assert fields(await client.send("HEAD", urls["newNonce"])) == (200, None, True, [INDEX], None)
    assert fields(await client.send("GET", urls["newNonce"])) == (204, None, True, [INDEX], None)
    created, found = await client.new_account(), await client.new_account()
    kid = str(client.kid)
    assert fields(created) == (201, JSON, True, [INDEX], kid)
    assert fields(found) == (200, JSON, True, [INDEX], kid)
    assert fields(await client.get(directory)) == (200, JSON, True, [], None)
    assert fields(await client.get(urls["newNonce"])) == (204, None, True, [INDEX], None)
    assert fields(await client.get(kid)) == (200, JSON, True, [INDEX], kid)
    assert fields(await client.get(f"{kid}/orders")) == (200, JSON, True, [INDEX], None)

    order = await client.new_order(["www.alpha.example"])
    assert fields(order) == (201, JSON, True, [INDEX], order.location)
    place = await urls_of(issuing, client, order)
    up = f'<{place["authorization"]}>;rel="up"'
    pending = await client.get(place["challenge"])
    assert fields(pending) == (200, JSON, True, [up, INDEX], place["challenge"])
    shown = await client.get(place["authorization"])
    assert fields(shown) == (200, JSON, True, [INDEX], place["authorization"])

    token = pending.json()["token"]
    issuing.responder.tokens[token] = client.key.key_authorization(token)
    answered = await client.answer(place["challenge"])
    assert fields(answered) == (200, JSON, True, [up, INDEX], place["challenge"])
    await client.settled(place["challenge"])
    finalized = await client.finalize(place["finalize"], certificate_request(["www.alpha.example"]))
    assert fields(finalized) == (200, JSON, True, [INDEX], order.location)
    done = await client.settled(order.location)
    assert fields(done) == (200, JSON, True, [INDEX], order.location)
    chain = await client.get(done.json()["certificate"])
    assert fields(chain) == (200, PEM, True, [INDEX], None)
    assert all("Retry-After" not in answer.headers for answer in (done, chain, shown, pending))


@pytest.mark.parametrize("resource", [*OWNED, "newOrder", "directory", "newNonce", "newAccount"])
async def test_every_refusal_carries_them_too(resource: str, web: Proxy) -> None:
    """HTTP-07, NON-13, NON-10, PRB-01, CLI-02: whatever is wrong, the nonce of the answer is good."""
    client = await web.account()
    urls = {**await client.directory(), **await urls_of(web, client)}
    url = {**urls, "directory": f"{PUBLIC_URL}/acme/alpha/directory"}[resource]
    jose = {"Content-Type": "application/jose+json"}
    refused = [
        assert_refused(await client.send("POST", url, b"{}", {"Content-Type": JSON}), 415, "malformed"),
        assert_refused(await client.send("POST", url, b"{}", jose), 400, "malformed"),
        assert_refused(await client.send("POST", url, b"x" * 65_537, jose), 413, "malformed"),
        assert_refused(await client.send("POST", f"{url}/x/y/z", b"{}", jose), 404, "malformed"),
    ]
    assert len({document["detail"] for document in refused}) == 4
    for answer in client.answers[-4:]:
        if resource != "directory" or answer.status == 404:
            assert links(answer) == [INDEX]
        assert answer.headers["Content-Type"] == "application/problem+json"
    good = await client.get(str(client.kid))
    assert good.status == 200


async def test_there_is_one_nonce_and_one_link_a_line(web: Proxy) -> None:
    """NON-04, NON-07 (CLQ-06), CLQ-05, CLI-25: as the octets on the wire."""
    client = await web.account()
    path = str((await client.directory())["newNonce"]).removeprefix(PUBLIC_URL)
    for method, status in (("HEAD", 200), ("GET", 204)):
        answer = await exchange(web.origin, request(method, path))
        assert (answer.status, answer.body) == (status, b"")
        assert answer.all("Cache-Control") == ["no-store"]
        assert len(answer.all("Replay-Nonce")) == 1
        assert answer.all("Link") == [INDEX]
        assert answer.all("Content-Type") == []


@pytest.mark.parametrize("resource", ["order", "authorization", "challenge"])
async def test_what_is_not_finished_says_when_to_ask_again(resource: str, web: Proxy) -> None:
    """HTTP-12, ORD-06, AUZ-13, CHL-12, CLI-16, CLI-17, CLQ-04: whole seconds, and small."""
    client = await web.account()
    order = await web.order(client, "www.alpha.example")
    urls = await urls_of(web, client, order)
    assert "Retry-After" not in (await client.get(urls[resource])).headers
    await client.answer(urls["challenge"])
    if resource == "order":
        authorization = await web.state.document("authorization", urls["authorization"][-32:])
        [offered] = [one for one in authorization["challenges"] if one["type"] == "http-01"]
        challenge = offered | {
            "status": "valid",
            "validated_at": "2026-01-01T00:00:00Z",
        }
        await web.state.change("authorization", urls["authorization"][-32:], challenges=[challenge])
        finalized = await client.post(
            urls["finalize"], {"csr": b64url(certificate_request(["www.alpha.example"]))}
        )
        assert (finalized.json()["status"], finalized.headers["Retry-After"]) == ("processing", "1")
    answer = await client.get(urls[resource])
    assert answer.status == 200
    assert answer.headers["Retry-After"] == "1"


async def test_answers_are_for_their_reader_only(issuing: Proxy) -> None:
    """CRT-11, NON-04: nothing of an account is kept by anybody between."""
    client = await issuing.account()
    await client.obtain(["www.alpha.example"], issuing.responder)
    for answer in client.answers[1:]:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
