"""A8: the list of an account's orders (RFC 8555 §7.1.2.1)."""

import asyncio
import re

import pytest

from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_jws import Forgery
from tests.support.problems import assert_refused
from tests.support.proxy import Proxy
from tests.support.state import last_part

NAME = "www.alpha.example"


def next_page(answer: Answer) -> str | None:
    links = [value for name, value in answer.headers.items() if name == "Link"]
    found = [re.fullmatch(r'<([^>]*)>;rel="next"', link) for link in links]
    urls = [match[1] for match in found if match]
    assert len(urls) <= 1
    return urls[0] if urls else None


async def pages(client: AcmeClient) -> list[list[str]]:
    """Follow the links from the first page to the last."""
    listed: list[list[str]] = []
    url: str | None = f"{client.kid}/orders"
    while url:
        answer = await client.get(url)
        assert answer.status == 200
        assert set(answer.json()) == {"orders"}
        listed.append(answer.json()["orders"])
        url = next_page(answer)
    return listed


async def test_a_fresh_account_has_none(web: Proxy) -> None:
    """OLS-01, OLS-02: the list is there, and empty."""
    client = await web.account()
    url = (await client.get(str(client.kid))).json()["orders"]
    answer = await client.get(url)
    assert (answer.status, answer.json()) == (200, {"orders": []})
    assert next_page(answer) is None


async def test_orders_in_every_state_but_invalid(issuing: Proxy) -> None:
    """OLS-03: pending, ready and valid ones are listed; what failed, expired or was given up is not."""
    client = await issuing.account()
    pending = await issuing.order(client, NAME)
    ready = await issuing.ready(client, NAME)
    valid = (await client.obtain([NAME], issuing.responder)).order
    given_up, expired = await issuing.order(client, NAME), await issuing.order(client, NAME)
    await client.deactivate(given_up.json()["authorizations"][0])
    await issuing.state.change("order", last_part(expired.location), expires="2020-01-01T00:00:00Z")
    assert await pages(client) == [[pending.location, ready.location, valid.location]]


async def test_pages_have_neither_gaps_nor_repetitions(web: Proxy) -> None:
    """OLS-04, OLS-02, STA-13 (abuse): 250 orders that were placed at the same time."""
    client = await web.account()
    clients = [web.client(key=client.key) for _ in range(10)]

    async def place(other: AcmeClient) -> list[str]:
        other.kid = client.kid
        return [(await web.order(other, NAME)).location for _ in range(25)]

    placed = [url for urls in await asyncio.gather(*map(place, clients)) for url in urls]
    listed = await pages(client)
    assert [len(page) for page in listed] == [100, 100, 50]
    flat = [url for page in listed for url in page]
    assert len(set(flat)) == 250
    assert set(flat) == set(placed)
    assert await pages(client) == listed


@pytest.fixture(scope="module")
def many() -> int:
    """Return how many orders fill more than a page."""
    return 101


async def test_the_query_is_part_of_the_url(many: int, web: Proxy) -> None:
    """OLS-05, JWS-20, D2."""
    client = await web.account()
    for _ in range(many):
        await web.order(client, NAME)
    first = f"{client.kid}/orders"
    following = next_page(await client.get(first))
    assert following is not None
    assert following.startswith(f"{first}?cursor=")
    assert len((await client.get(following)).json()["orders"]) == 1
    for posted, signed in ((following, first), (first, following), (following, f"{following}&x=1")):
        answer = await client.get(posted, Forgery(override={"url": signed}))
        assert_refused(answer, 403, "unauthorized")


@pytest.mark.parametrize(
    "cursor", ["x", "-1", "1.5", "0x10", "1e3", "999999999999999999999", "../..", "*", "1;DEL"]
)
async def test_cursors_that_were_never_given_out(cursor: str, web: Proxy) -> None:
    """OLS-07."""
    client = await web.account()
    await web.order(client, NAME)
    answer = await client.get(f"{client.kid}/orders?cursor={cursor}")
    assert_refused(answer, 404, "malformed")


async def test_a_cursor_shows_ones_own_orders_only(web: Proxy) -> None:
    """OLS-04, OLS-07: whatever number stands in it."""
    alice, bob = await web.account(), await web.account()
    placed = [(await web.order(alice, NAME)).location for _ in range(3)]
    await web.order(bob, NAME)
    for cursor in ("0", "1", "2", "3", "100", "999999999"):
        shown = (await alice.get(f"{alice.kid}/orders?cursor={cursor}")).json()["orders"]
        assert set(shown) <= set(placed)


async def test_nobody_lists_the_orders_of_others(web: Proxy) -> None:
    """OLS-06, D4: as if there were no such account."""
    alice, bob = await web.account(), await web.account()
    await web.order(alice, NAME)
    foreign = await bob.get(f"{alice.kid}/orders")
    missing = await bob.get(f"{str(alice.kid)[:-33]}{'0' * 33}/orders")
    assert_refused(foreign, 404, "malformed")
    assert foreign.body == missing.body
