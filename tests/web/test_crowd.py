"""More requests at once than the server was made for (HTTP-12, RAT-07)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.valkey import Valkey
from tests.support.eventually import eventually
from tests.support.http01_responder import Http01Responder
from tests.support.problems import assert_refused
from tests.support.proxies import NAMES
from tests.support.proxy import Plan, Proxy, hosted, proxy, tenant
from tests.support.state import last_part

PATIENCE = 5


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small(
    tmp_path_factory: pytest.TempPathFactory, empty_valkey: Valkey, responder: Http01Responder
) -> AsyncIterator[Proxy]:
    """Run a proxy that answers one request at a time, and lets those to challenges wait."""
    more = {"server": f"max_requests = 1\nchallenge_wait = {PATIENCE}\n"}
    plan = Plan({"alpha": tenant(NAMES)}, more=more)
    async with hosted(proxy(tmp_path_factory.mktemp("small"), empty_valkey, responder, plan)) as running:
        yield running


async def test_who_comes_when_all_hands_are_full_is_sent_away(small: Proxy) -> None:
    """RAT-07, HTTP-12: 503 and a time to come back, a nonce, and none was used up; `/healthz` answers."""
    client = await small.account()
    order = await small.order(client, "www.alpha.example")
    challenge = await small.challenge(client, order)
    spare = [await client.nonce(), await client.nonce()]
    # Nobody works, so that this is under way until its patience ends.
    client.nonces = spare
    waiting = asyncio.create_task(client.answer(challenge["url"]))
    authorization = last_part(order.json()["authorizations"][0])

    async def under_way() -> bool:
        stored = await small.state.document("authorization", authorization)
        return any(one.get("status") == "processing" for one in stored["challenges"])

    await eventually(under_way)
    busy = await client.get(order.location)
    assert not waiting.done()

    document = assert_refused(busy, 503, "rateLimited")
    assert document["detail"] == "too many requests at once, try again in 2 s [ref BUSY]"
    assert busy.headers["Retry-After"] == "2"
    for path in ("healthz", "livez", "metrics"):
        async with small.http.get(f"{small.origin}/{path}") as answer:
            assert answer.status == 200, path
    async with small.http.get(f"{small.origin}/readyz") as answer:
        # Whatever it says of the state, it is no refusal.
        assert "redis" in await answer.json()
    assert (await small.client().send("GET", f"{small.origin}/acme/alpha/directory")).status == 503

    assert (await waiting).status == 200
    assert (await client.get(order.location)).status == 200


async def test_a_body_that_does_not_come_keeps_nobody_out(small: Proxy) -> None:
    """Slow senders are many and cost nothing; only what is worked on counts."""
    client = await small.account()
    host, _, port = small.origin.removeprefix("http://").rpartition(":")
    head = (
        "POST /acme/alpha/new-order HTTP/1.1\r\nHost: acme.example\r\n"
        "Content-Type: application/jose+json\r\nContent-Length: 1000\r\n\r\n{"
    )
    slow = [await asyncio.open_connection(host, int(port)) for _ in range(5)]
    try:
        for _, writer in slow:
            writer.write(head.encode())
            await writer.drain()
        await small.order(client, "www.alpha.example")
    finally:
        for _, writer in slow:
            writer.close()


async def test_requests_that_failed_are_no_longer_under_way(small: Proxy) -> None:
    client = await small.account()
    for _ in range(5):
        assert_refused(await client.new_order(["elsewhere.example"]), 400, "rejectedIdentifier")
        assert_refused(
            await client.send("GET", small.origin + "/acme/alpha/nowhere"), 404, "malformed", posted=False
        )
    await small.order(client, "www.alpha.example")
