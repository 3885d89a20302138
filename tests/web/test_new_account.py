"""A7: newAccount (RFC 8555 §7.3)."""

import json
from typing import Any

import pytest

from tests.support.acme_client import AcmeClient
from tests.support.acme_jws import Forgery
from tests.support.acme_keys import generate
from tests.support.problems import assert_refused
from tests.support.proxies import TERMS
from tests.support.proxy import Proxy

OPS = "mailto:ops@alpha.example"


async def assert_nobody(client: AcmeClient) -> None:
    """Make sure that the client's key has no account."""
    assert_refused(await client.new_account(onlyReturnExisting=True), 400, "accountDoesNotExist")


async def test_a_new_one(web: Proxy) -> None:
    """NAC-01, NAC-02, NAC-15, OLS-01, EAB-11."""
    client = web.client()
    answer = await client.new_account(contact=[OPS])
    assert answer.status == 201
    assert answer.json() == {
        "status": "valid",
        "contact": [OPS],
        "orders": f"{answer.location}/orders",
        "termsOfServiceAgreed": True,
    }
    assert (await client.get(answer.location)).body == answer.body


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"contact":[]}',
        b'{"termsOfServiceAgreed":false,"contact":null}',
        b'{"onlyReturnExisting":false}',
    ],
)
async def test_the_least_that_is_asked_for(payload: bytes, web: Proxy) -> None:
    """NAC-12, NAC-02: without contact and without terms, where the tenant has none."""
    client = web.client()
    answer = await client.new_account(forgery=Forgery(payload=payload))
    assert answer.status == 201
    assert answer.json() == {"status": "valid", "contact": [], "orders": f"{answer.location}/orders"}


async def test_what_is_ours_to_say_is_ignored(web: Proxy) -> None:
    """NAC-02, NAC-08, JWS-32."""
    client = web.client()
    answer = await client.new_account(
        orders="https://evil.example/", status="revoked", id="x", key={}, createdAt="x", initialIp="x", junk=1
    )
    assert answer.status == 201
    shown = {
        "status": "valid",
        "contact": [],
        "orders": f"{answer.location}/orders",
        "termsOfServiceAgreed": True,
    }
    assert answer.json() == shown


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"contact": ["mailto:other@alpha.example"]},
        {"contact": ["tel:+1"]},
        {"contact": ["mailto:" + "x" * 1000] * 20},
        {"termsOfServiceAgreed": False},
        {"externalAccountBinding": {"protected": "!", "payload": "", "signature": ""}},
        {"externalAccountBinding": "broken"},
        {"status": "deactivated"},
        {"onlyReturnExisting": True, "contact": ["tel:+1"], "externalAccountBinding": 5},
        {"onlyReturnExisting": True},
    ],
)
async def test_a_key_that_has_one_finds_it_unchanged(members: dict[str, Any], web: Proxy) -> None:
    """NAC-03, NAC-04, NAC-06, CLI-12: nothing of the request is looked at."""
    client = web.client()
    created = await client.new_account(contact=[OPS])
    async with web.state.unchanged():
        found = await client.new_account(**members)
        assert (found.status, found.location, found.body) == (200, created.location, created.body)


async def test_only_looking_makes_none(web: Proxy) -> None:
    """NAC-05, ACC-04 (abuse): also where one would need terms or a binding, and for another tenant's."""
    key = generate()
    elsewhere = await web.account("beta", key)
    async with web.state.unchanged():
        for tenant in ("alpha", "terms", "bound"):
            client = web.client(tenant, key)
            await assert_nobody(client)
            await assert_nobody(client)
    assert (await elsewhere.get(str(elsewhere.kid))).status == 200


@pytest.mark.parametrize("agreed", [False, None, "true", 1, [True], {}])
async def test_consent_is_true_and_nothing_else(agreed: object, web: Proxy) -> None:
    """NAC-07, D10, JWS-11 (abuse)."""
    client = web.client("terms")
    async with web.state.unchanged():
        answer = await client.new_account(termsOfServiceAgreed=agreed)
        assert_refused(answer, 403, "userActionRequired")
        absent = await client.new_account(forgery=Forgery(payload=b'{"contact":[]}'))
        assert_refused(absent, 403, "userActionRequired")
        await assert_nobody(client)


async def test_consent_is_kept_and_the_terms_are_linked(web: Proxy) -> None:
    """NAC-15, NAC-01: on 201 and on 200."""
    client = web.client("terms")
    for status in (201, 200):
        answer = await client.new_account()
        assert answer.status == status
        assert answer.json()["termsOfServiceAgreed"] is True
        assert f'<{TERMS}>;rel="terms-of-service"' in [v for n, v in answer.headers.items() if n == "Link"]


CONTACTS: list[tuple[object, str]] = [
    (["tel:+1"], "unsupportedContact"),
    (["http://x"], "unsupportedContact"),
    (["https://x", OPS], "unsupportedContact"),
    (["javascript:alert(1)"], "unsupportedContact"),
    (["data:text/html,x"], "unsupportedContact"),
    (["ops@alpha.example"], "unsupportedContact"),
    ([""], "unsupportedContact"),
    (["\u202emailto:a@b.example"], "unsupportedContact"),
    (["mailto:"], "invalidContact"),
    (["mailto:x"], "invalidContact"),
    (["mailto:@alpha.example"], "invalidContact"),
    (["mailto:a@"], "invalidContact"),
    (["mailto:a@b@c.example"], "invalidContact"),
    (["mailto:ä@alpha.example"], "invalidContact"),
    (["mailto:a@bücher.example"], "invalidContact"),
    (["mailto:a@alpha.example?subject=x"], "invalidContact"),
    (["mailto:a@alpha.example?bcc=b@alpha.example"], "invalidContact"),
    (["mailto:a@alpha.example,b@alpha.example"], "invalidContact"),
    (["mailto:a@alpha.example%0d%0aBcc:b@alpha.example"], "invalidContact"),
    (["mailto:a@alpha.example\r\nBcc:b@alpha.example"], "invalidContact"),
    (["mailto: a@alpha.example"], "invalidContact"),
    (["mailto:A B <a@alpha.example>"], "invalidContact"),
    (["mailto:a@alpha..example"], "invalidContact"),
    (["mailto:a@-alpha.example"], "invalidContact"),
    (["mailto:" + "x" * 400 + "@alpha.example"], "invalidContact"),
    ([OPS] * 100, "invalidContact"),
    ([OPS, "mailto:x"], "invalidContact"),
]


@pytest.mark.parametrize(("contact", "type_"), CONTACTS)
async def test_contacts_that_are_refused(contact: object, type_: str, web: Proxy) -> None:
    """NAC-09 to NAC-13, ACC-03, ACC-14 (abuse): at the beginning and as an update; none is stored."""
    client, fresh = await web.account(contact=[OPS]), web.client()
    async with web.state.unchanged():
        new = assert_refused(await fresh.new_account(contact=contact), 400, type_)
        updated = assert_refused(await client.post(str(client.kid), {"contact": contact}), 400, type_)
        await assert_nobody(fresh)
    assert new == updated
    if type_ == "unsupportedContact":
        assert "mailto" in new["detail"]


@pytest.mark.parametrize(
    "contact",
    [
        [],
        [OPS],
        ["MAILTO:ops@alpha.example"],
        ["mailto:first.last+acme@alpha.example"],
        [f"mailto:ops{number}@alpha.example" for number in range(10)],
        ["mailto:o'brien@alpha.example"],
    ],
)
async def test_contacts_that_are_taken_come_back_word_for_word(contact: list[str], web: Proxy) -> None:
    """NAC-12, NAC-02, ACC-03."""
    client, other = web.client(), await web.account()
    assert (await client.new_account(contact=contact)).json()["contact"] == contact
    assert (await other.post(str(other.kid), {"contact": contact})).json()["contact"] == contact


@pytest.mark.parametrize("tenant", ["alpha", "terms", "bound"])
async def test_the_key_of_a_closed_account_is_spent(tenant: str, web: Proxy) -> None:
    """NAC-14, D5: neither reactivated nor made anew, nor shown to somebody who only looks."""
    client = await web.account()
    closed = await client.deactivate()
    assert closed.json()["status"] == "deactivated"
    async with web.state.unchanged():
        assert_refused(await client.new_account(), 401, "unauthorized")
        assert_refused(await client.new_account(onlyReturnExisting=True), 401, "unauthorized")
        assert_refused(await client.new_account(contact=["tel:+1"]), 401, "unauthorized")
    # Another tenant knows nothing of it.
    if tenant == "terms":
        assert (await web.client(tenant, client.key).new_account()).status == 201


async def test_who_may_not_know_is_not_told_that_an_account_is_closed(web: Proxy) -> None:
    """NAC-14, conformance 0.5: the status is told to nobody but the key's holder."""
    client = await web.account()
    await client.deactivate()
    thief = web.client()
    thief.kid = client.kid
    assert_refused(await thief.get(str(client.kid)), 400, "malformed")


async def test_the_body_is_what_json_readers_of_clients_can_take(web: Proxy) -> None:
    """CLI-24: compact, no escaped slashes, the first status is its own."""
    body = (await web.client().new_account(contact=[OPS])).body
    assert b"\\/" not in body
    assert body.startswith(b'{"status":"valid"')
    assert json.loads(body)
