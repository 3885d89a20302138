"""A request may name the whole URL as its target (RFC 9112 §3.2.2), whoever it names (HTTP-02)."""

import pytest

from tests.support.acme_jws import sign
from tests.support.proxy import Proxy
from tests.support.raw_http import exchange, request


@pytest.mark.parametrize("authority", ["https://acme.example", "http://127.0.0.1:1", "http://evil.example"])
async def test_the_whole_url_as_target(web: Proxy, authority: str) -> None:
    client = await web.account()
    url = str(client.kid)
    body = sign(client.key, {"nonce": await client.nonce(), "url": url, "kid": url}, None)
    target = authority + url.removeprefix("https://acme.example")
    fields = ("Content-Type: application/jose+json", f"Content-Length: {len(body)}")
    answer = await exchange(web.origin, request("POST", target, *fields, body=body))
    assert answer.status == 200
    assert b"evil.example" not in answer.body
    assert all("evil.example" not in value for _, value in answer.fields)
