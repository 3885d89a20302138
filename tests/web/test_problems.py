"""A5: problem documents, beside what `assert_refused` holds of every one (RFC 8555 §6.7)."""

import pytest

from acmeproxy.core.reference import Reference
from tests.support.hostile_http import hostile_http, repeat, response, say
from tests.support.http01_responder import Http01Responder
from tests.support.problems import TYPES, URN, assert_problem, assert_refused
from tests.support.proxies import TERMS
from tests.support.proxy import Proxy


@pytest.mark.parametrize("reference", Reference)
def test_every_problem_that_we_have_is_registered(reference: Reference) -> None:
    """PRB-02, PRB-04: no type of our own under the ACME namespace, and the statuses of table 0.3."""
    assert reference.status in TYPES[reference.type]


async def test_terms_come_with_their_link(web: Proxy) -> None:
    """PRB-09, NAC-07."""
    client = web.client("terms")
    answer = await client.new_account(termsOfServiceAgreed=False)
    document = assert_refused(answer, 403, "userActionRequired")
    assert document["instance"] == TERMS
    links = [value for name, value in answer.headers.items() if name == "Link"]
    assert f'<{TERMS}>;rel="terms-of-service"' in links


GOOD, BAD, WORSE = "www.alpha.example", "www.elsewhere.example", "-bad-.alpha.example"


async def test_each_bad_name_has_its_subproblem(web: Proxy) -> None:
    """PRB-05, PRB-06, PRB-07: in the client's spelling, so that it can drop the name."""
    client = await web.account()
    async with web.state.unchanged():
        two = assert_refused(
            await client.new_order([GOOD, BAD.upper(), "b.elsewhere.example"]), 400, "rejectedIdentifier"
        )
        one = assert_refused(await client.new_order([GOOD, BAD.upper()]), 400, "rejectedIdentifier")
        mixed = await client.new_order([GOOD, BAD, WORSE])
        assert mixed.status == 400
    assert [sub["identifier"] for sub in two["subproblems"]] == [
        {"type": "dns", "value": BAD.upper()},
        {"type": "dns", "value": "b.elsewhere.example"},
    ]
    assert [sub["identifier"]["value"] for sub in one["subproblems"]] == [BAD.upper()]
    assert BAD in one["detail"]
    kinds = [sub["type"].removeprefix(URN) for sub in mixed.json()["subproblems"]]
    assert kinds == ["rejectedIdentifier", "malformed"]


async def test_no_member_without_a_value(web: Proxy) -> None:
    """PRB-12, CLI-23: an empty error is an error to acme.sh and uacme."""
    client = await web.account()
    order = await web.order(client, GOOD)
    authorization = await client.get(order.json()["authorizations"][0])
    challenge = await client.get(authorization.json()["challenges"][0]["url"])
    for answer in (order, authorization, challenge):
        assert "error" not in answer.json()
        assert b"null" not in answer.body


HOSTILE = {
    "binary": response(200, bytes(range(256))),
    "html": response(200, b"<script>alert(1)</script> canary-of-the-target"),
    "status": response("500 canary-of-the-target", b"canary-of-the-target"),
    "field": response(404, b"", "X-Canary: canary-of-the-target"),
    "redirect": response(302, b"", "Location: http://canary-of-the-target.internal:8200/v1/sys"),
    "junk": b"canary-of-the-target\r\n\r\n",
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_nothing_that_a_target_says_is_repeated(
    case: str, validating: Proxy, responder: Http01Responder
) -> None:
    """PRB-11, INV-10, PRB-02: errors of challenge, authorization and order are ours to the last letter."""
    client = await validating.account()
    order = await validating.order(client, "www.alpha.example")
    challenge = await validating.challenge(client, order)
    async with responder.paused(), hostile_http(say(HOSTILE[case]), port=responder.port):
        answered = await client.answer(challenge["url"])
        settled = await client.settled(challenge["url"], answered)
    assert settled.json()["status"] == "invalid"
    shown = [settled, await client.get(order.json()["authorizations"][0]), await client.get(order.location)]
    for answer in shown:
        assert b"canary" not in answer.body
        assert b"<script" not in answer.body
        assert answer.body.isascii()
    assert_problem(settled.json()["error"])
    assert_problem(shown[1].json()["challenges"][0]["error"])
    error = shown[2].json()["error"]
    assert_problem(error)
    assert error["subproblems"][0]["identifier"] == {"type": "dns", "value": "www.alpha.example"}


async def test_a_target_that_never_ends_is_left(validating: Proxy, responder: Http01Responder) -> None:
    """PRB-11, CHL-20: a body without an end costs neither memory nor the client's patience."""
    client = await validating.account()
    order = await validating.order(client, "www.alpha.example")
    challenge = await validating.challenge(client, order)
    async with responder.paused(), hostile_http(repeat(b"x" * 65536, response(200)), port=responder.port):
        settled = await client.settled(challenge["url"], await client.answer(challenge["url"]))
    assert settled.json()["status"] == "invalid"
    assert len(settled.body) < 2000
