"""A1: what holds for every resource, below the signature."""

import gzip
import re
from collections.abc import Iterator

import pytest

from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_jws import Forgery, sign
from tests.support.acme_keys import generate
from tests.support.acme_urls import POST_ONLY, urls_of
from tests.support.problems import assert_refused
from tests.support.proxy import PUBLIC_URL, Proxy
from tests.support.raw_http import exchange, request

BASE = f"{PUBLIC_URL}/acme/alpha"
JOSE = "Content-Type: application/jose+json"


def urls_in(value: object) -> Iterator[str]:
    """Return every text in JSON that could be meant as a URL."""
    if isinstance(value, str):
        if "/" in value:
            yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from urls_in(member)
    elif isinstance(value, list):
        for element in value:
            yield from urls_in(element)


def emitted(answer: Answer) -> Iterator[str]:
    """Return every URL of an answer, of its fields and its body."""
    yield from (value for name, value in answer.headers.items() if name == "Location")
    for name, value in answer.headers.items():
        if name == "Link":
            yield value.partition(">")[0].removeprefix("<")
    if "json" in answer.headers.get("Content-Type", ""):
        yield from urls_in(answer.json())


async def test_every_url_is_absolute_and_https(issuing: Proxy) -> None:
    """HTTP-01, DIR-12: from the directory to the chain, in bodies and in fields."""
    client = await issuing.account(contact=["mailto:ops@alpha.example"])
    await client.obtain(["www.alpha.example"], issuing.responder)
    await client.get(f"{client.kid}/orders")
    await client.get(f"{BASE}/order/none")
    found = {url for answer in client.answers for url in emitted(answer)}
    ids = "[0-9a-f]{32,33}"
    kinds = {
        re.sub(ids, "ID", url.removeprefix(BASE)) for url in found if url.startswith("https://acme.example/")
    }
    assert {url for url in found if not url.startswith(f"{BASE}/")} == set()
    assert kinds >= {
        "/directory",
        "/new-nonce",
        "/new-account",
        "/new-order",
        "/account/ID",
        "/account/ID/orders",
        "/order/ID",
        "/order/ID/finalize",
        "/authorization/ID",
        "/challenge/ID/http-01",
        "/certificate/ID",
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "81"},
        {"Forwarded": "host=evil.example;proto=http"},
        {"X-Forwarded-Prefix": "/evil", "X-Original-URL": "/evil", "X-Rewrite-URL": "/evil"},
    ],
)
async def test_urls_come_from_the_configuration(fields: dict[str, str], web: Proxy) -> None:
    """HTTP-02: what is emitted, and what the signed url and kid are compared with."""
    client = await web.account()
    plain = await client.send("GET", f"{BASE}/directory")
    deceived = await client.send("GET", f"{BASE}/directory", headers=fields)
    assert deceived.body == plain.body
    body = sign(client.key, {"nonce": await client.nonce(), "url": client.kid, "kid": client.kid}, None)
    answer = await client.send(
        "POST", str(client.kid), body, {"Content-Type": "application/jose+json", **fields}
    )
    assert (answer.status, answer.location) == (200, client.kid)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "OPTIONS"])
@pytest.mark.parametrize("resource", POST_ONLY)
async def test_resources_that_take_post_only(resource: str, method: str, web: Proxy) -> None:
    """HTTP-03, HTTP-04, CRT-08, RES-09: also with a field that asks for another method than the line's."""
    client = await web.account()
    url = (await urls_of(web, client))[resource]
    answer = await client.send(method, url, headers={"X-HTTP-Method-Override": "POST"})
    if method == "HEAD":
        assert (answer.status, answer.headers["Content-Type"]) == (405, "application/problem+json")
    else:
        assert_refused(answer, 405, "malformed", posted=False)
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("directory", "PUT", "GET, HEAD, POST"),
        ("new-nonce", "DELETE", "GET, HEAD, POST"),
    ],
)
async def test_resources_that_take_get_too(path: str, method: str, allowed: str, web: Proxy) -> None:
    """HTTP-04."""
    answer = await web.client().send(method, f"{BASE}/{path}")
    assert_refused(answer, 405, "malformed", posted=False)
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("resource", [*POST_ONLY, "directory", "newNonce"])
async def test_a_slash_more_is_another_url_and_no_redirect(resource: str, web: Proxy) -> None:
    """HTTP-05, CLI-28."""
    client = await web.account()
    urls = {**await client.directory(), "directory": f"{BASE}/directory", **await urls_of(web, client)}
    for url in (f"{urls[resource]}/", urls[resource].replace("/acme/", "//acme/")):
        assert_refused(await client.get(url), 404, "malformed")
        assert_refused(await client.send("GET", url), 404, "malformed", posted=False)


@pytest.mark.parametrize("part", ["body", "protected", "payload"])
async def test_octets_that_are_not_utf8(part: str, web: Proxy) -> None:
    """HTTP-06."""
    client = await web.account()
    url = (await client.directory())["newOrder"]
    async with web.state.unchanged():
        if part == "body":
            body = sign(client.key, {"nonce": await client.nonce(), "url": url, "kid": client.kid}, {})
            body = body.replace(b'{"', b'{"\xff": 1, "', 1)
            answer = await client.send("POST", url, body, {"Content-Type": "application/jose+json"})
        elif part == "protected":
            forgery = Forgery(protected=lambda text: text.replace(b"{", b'{"x":"\xff",', 1))
            answer = await client.post(url, {}, forgery)
        else:
            answer = await client.post(url, {}, Forgery(payload=b'{"identifiers":[],"x":"\xff"}'))
        assert_refused(answer, 400, "malformed")


async def test_browsers_may_come_from_anywhere(web: Proxy) -> None:
    """HTTP-08, RES-09."""
    client = web.client()
    for path in ("directory", "new-nonce", "new-account", "new-order", "order/x"):
        asked = {"Origin": "https://ui.example", "Access-Control-Request-Method": "POST"}
        asked["Access-Control-Request-Headers"] = "content-type"
        answer = await client.send("OPTIONS", f"{BASE}/{path}", headers=asked)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
    answer = await client.send("GET", f"{BASE}/directory", headers={"Origin": "https://ui.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert exposed >= {"Link", "Replay-Nonce", "Location", "Retry-After"}


async def test_a_client_need_not_say_what_it_is(web: Proxy) -> None:
    """HTTP-09, CLI-32."""
    client = web.client()
    url = (await client.directory())["newAccount"]
    body = sign(client.key, {"nonce": await client.nonce(), "url": url, "jwk": client.key.jwk}, {})
    path = url.removeprefix(PUBLIC_URL)
    answer = await exchange(
        web.origin, request("POST", path, JOSE, f"Content-Length: {len(body)}", body=body)
    )
    assert answer.status == 201


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 10_000 + b"]" * 10_000, id="deep list"),
        pytest.param(b'{"a":' * 8_000 + b"1" + b"}" * 8_000, id="deep object"),
        pytest.param(
            b'{"protected":"e30","payload":"","signature":"","x":' + b'{"a":' * 17 + b"1" + b"}" * 18,
            id="17 levels",
        ),
        pytest.param(b'{"x":' + b"9" * 60_000 + b"}", id="long number"),
        pytest.param(b"", id="empty"),
    ],
)
async def test_json_that_is_a_load_is_refused(body: bytes, web: Proxy) -> None:
    """HTTP-10, RES-02."""
    answer = await web.client().send(
        "POST", f"{BASE}/new-order", body, {"Content-Type": "application/jose+json"}
    )
    assert_refused(answer, 400, "malformed")


@pytest.mark.parametrize(
    "path",
    ["/", "/acme", "/acme/", "/acme/nope", "/acme/alpha", "/acme/alpha/", "/acme/alpha/nope", "/nope"],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_paths_that_lead_nowhere(path: str, method: str, web: Proxy) -> None:
    """HTTP-11: a problem document, with a nonce for a POST."""
    answer = await web.client().send(method, f"{PUBLIC_URL}{path}", b"" if method == "POST" else None)
    assert_refused(answer, 404, "malformed", posted=method == "POST")


@pytest.mark.parametrize("tenant", ["nobody", "ALPHA", "alpha.", "alph%61", "..", "alpha%2f..%2fbeta"])
@pytest.mark.parametrize("resource", ["directory", "new-nonce", "new-account", "new-order", "order/x"])
async def test_tenants_that_are_not_configured(resource: str, tenant: str, web: Proxy) -> None:
    """HTTP-11, TEN-02: a tenant is looked up in a table, by its exact name."""
    url = f"{PUBLIC_URL}/acme/{tenant}/{resource}"
    assert_refused(await web.client().send("POST", url, b"{}"), 404, "malformed")


async def test_languages_are_not_looked_at(web: Proxy) -> None:
    """HTTP-13."""
    client = web.client()
    answers = [
        await client.send("POST", f"{BASE}/order/x", headers={"Accept-Language": language})
        for language in ("xx", "de, en;q=0.1", "")
    ]
    assert len({answer.body for answer in answers}) == 1
    assert all("Content-Language" not in answer.headers for answer in answers)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x-nothing", "gzip, identity"])
async def test_encoded_bodies_are_refused(coding: str, web: Proxy) -> None:
    """HTTP-14, RES-02: whether they can be decoded or not."""
    client = await web.account()
    url = (await client.directory())["newOrder"]
    body = sign(client.key, {"nonce": await client.nonce(), "url": url, "kid": client.kid}, {})
    fields = (JOSE, f"Content-Encoding: {coding}")
    packed = gzip.compress(body)
    answer = await exchange(
        web.origin,
        request("POST", url.removeprefix(PUBLIC_URL), *fields, f"Content-Length: {len(packed)}", body=packed),
    )
    assert (answer.status, answer.all("Content-Type")) == (415, ["application/problem+json"])
    assert len(answer.all("Replay-Nonce")) == 1


async def test_ids_are_chance_and_say_nothing(web: Proxy) -> None:
    """HTTP-15: 128 bits that two objects do not share, and no name in any URL."""
    urls: list[dict[str, str]] = []
    key = generate()
    for client in (await web.account(), await web.account(key=key), await web.account("beta", key)):
        order = await web.order(client, "shared.example")
        urls.append(await urls_of(web, client, order))
    for resource in POST_ONLY[2:-1]:
        ids = [bytes.fromhex(re.findall("[0-9a-f]{32}(?=/|$)", url[resource])[0]) for url in urls]
        for one, other in ((0, 1), (1, 2), (0, 2)):
            differ = int.from_bytes(ids[one]) ^ int.from_bytes(ids[other])
            assert differ.bit_count() >= 32
    assert all("shared" not in url for found in urls for url in found.values())


def test_the_client_of_these_tests_shares_nothing_with_the_server() -> None:
    """A misreading of the RFC in the server must not be repeated here."""
    assert not [name for name in vars(AcmeClient) if "acmeproxy" in repr(vars(AcmeClient)[name])]
