"""RES: what is too much, what breaks, and what may be asked for at all."""

import gzip
import json
import zlib

import pytest
import structlog

from tests.support.acme_jws import Forgery, sign
from tests.support.eventually import eventually
from tests.support.problems import assert_refused
from tests.support.proxy import PUBLIC_URL, Proxy
from tests.support.raw_http import RawAnswer, exchange, request
from tests.support.state import last_part

PATH = "/acme/alpha/new-order"
JOSE = "Content-Type: application/jose+json"
LIMIT = 65_536


def assert_raw(answer: RawAnswer, status: int) -> None:
    assert answer.status == status
    assert answer.all("Content-Type") == ["application/problem+json"]
    assert json.loads(answer.body)["type"] == "urn:ietf:params:acme:error:malformed"
    assert len(answer.all("Replay-Nonce")) == 1


async def test_a_body_is_measured_before_it_is_read(web: Proxy) -> None:
    """RES-02, HTTP-10, D12: a gigabyte that is only announced is refused at once."""
    announced = request("POST", PATH, JOSE, f"Content-Length: {1 << 30}", body=b"{")
    assert_raw(await exchange(web.origin, announced), 413)


async def test_a_body_without_an_end_is_cut(web: Proxy) -> None:
    """RES-02, HTTP-10: chunked, in chunks of a kilobyte."""
    chunk = b"400\r\n" + b" " * 0x400 + b"\r\n"
    fields = (JOSE, "Transfer-Encoding: chunked")
    within = request("POST", PATH, *fields, body=chunk * 64 + b"0\r\n\r\n")
    assert_raw(await exchange(web.origin, within), 400)
    beyond = request("POST", PATH, *fields, body=chunk * 65 + b"0\r\n\r\n")
    assert_raw(await exchange(web.origin, beyond), 413)


async def test_the_largest_body_that_is_taken(web: Proxy) -> None:
    """HTTP-10: the limit itself is within."""
    client = await web.account()
    url = (await client.directory())["newOrder"]
    payload = {"identifiers": [{"type": "dns", "value": "www.alpha.example"}]}
    header = {"nonce": await client.nonce(), "url": url, "kid": client.kid}
    body = sign(client.key, header, payload)
    jose = {"Content-Type": "application/jose+json"}
    full = body + b" " * (LIMIT - len(body))
    assert (await client.send("POST", url, full, jose)).status == 201
    assert_refused(await client.send("POST", url, full + b" ", jose), 413, "malformed")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_body_is_not_unpacked(coding: str, web: Proxy) -> None:
    """RES-02, HTTP-14: half a megabyte in some hundred octets."""
    bomb = b" " * 512_000
    packed = gzip.compress(bomb) if coding == "gzip" else zlib.compress(bomb)
    assert len(packed) < 1024
    fields = (JOSE, f"Content-Encoding: {coding}", f"Content-Length: {len(packed)}")
    assert_raw(await exchange(web.origin, request("POST", PATH, *fields, body=packed)), 415)


@pytest.mark.parametrize(
    ("kind", "resource"),
    [("account", "account"), ("account", "newOrder"), ("authorization", "authorization")],
)
async def test_a_broken_document_is_our_fault_and_stays_our_secret(
    kind: str, resource: str, web: Proxy, log: structlog.testing.LogCapture
) -> None:
    """RES-08, HTTP-16: 500 with a nonce and Retry-After, and not a word about what broke."""
    client = await web.account()
    order = await web.order(client, "www.alpha.example")
    urls = {
        "account": str(client.kid),
        "newOrder": (await client.directory())["newOrder"],
        "order": order.location,
        "authorization": order.json()["authorizations"][0],
    }
    id_ = last_part(urls[kind])
    before = await web.state.overwrite(kind, id_, b'{"canary": "redis://user:password@/var/lib"}')
    answer = await client.get(urls[resource])
    document = assert_refused(answer, 500, "serverInternal")
    await web.state.overwrite(kind, id_, before)
    assert document["detail"] == "the fault is here, not in the request: try again [ref INTERNAL]"
    assert set(document) == {"type", "status", "detail"}
    assert len(answer.headers["X-Request-Id"]) == 32
    # An operator finds it by the id.
    failed = [entry for entry in log.entries if entry["event"] == "request.failed"]
    log.entries[:] = [entry for entry in log.entries if entry["event"] != "request.failed"]
    assert len(failed) == 1
    assert "ValidationError" in failed[0]["exception"]
    # The same request works once the fault is mended: nothing else was changed.
    assert (await client.get(urls["account"])).status == 200


async def test_an_operators_pages_know_get_only(web: Proxy) -> None:
    """RES-09."""
    client = web.client()
    for path in ("/healthz", "/livez", "/readyz", "/metrics"):

        async def answers(path: str = path) -> bool:
            return (await client.send("GET", f"{PUBLIC_URL}{path}")).status == 200

        # The state's probe waits half a second for its answer.
        await eventually(answers)
        for method in ("POST", "PUT", "DELETE", "TRACE"):
            answer = await client.send(method, f"{PUBLIC_URL}{path}", b"" if method == "POST" else None)
            assert_refused(answer, 405, "malformed", posted=False)


async def test_labels_of_metrics_come_from_us(web: Proxy) -> None:
    """RES-10: a thousand names make no series."""
    client = web.client()

    async def series() -> int:
        return len((await client.send("GET", f"{PUBLIC_URL}/metrics")).body.splitlines())

    await client.send("POST", f"{PUBLIC_URL}/acme/tenant-x/new-order")
    await client.send("POST", f"{PUBLIC_URL}/x")
    await series()
    before = await series()
    for number in range(50):
        await client.send("POST", f"{PUBLIC_URL}/acme/tenant-{number}/new-order")
        await client.send("POST", f"{PUBLIC_URL}/x{number}", headers={"User-Agent": f"agent-{number}"})
    assert await series() == before


@pytest.mark.parametrize(
    "payload",
    [
        b"null",
        b"[]",
        b'"x"',
        b"5",
        b"true",
        b"{} {}",
        b"{,}",
        b"{'a':1}",
        b"NaN",
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
        b'{"a":"\\ud800"}',
    ],
)
async def test_payloads_that_are_no_object(payload: bytes, web: Proxy) -> None:
    """JWS-31, JWS-09."""
    client = await web.account()
    directory = await client.directory()
    order = await web.order(client, "www.alpha.example")
    authorization = order.json()["authorizations"][0]
    challenge = (await client.get(authorization)).json()["challenges"][0]["url"]
    async with web.state.unchanged():
        for url in (
            directory["newOrder"],
            str(client.kid),
            authorization,
            challenge,
            order.json()["finalize"],
        ):
            assert_refused(await client.post(url, None, Forgery(payload=payload)), 400, "malformed")
        fresh = web.client()
        answer = await fresh.post(directory["newAccount"], None, Forgery(payload=payload))
        assert_refused(answer, 400, "malformed")
