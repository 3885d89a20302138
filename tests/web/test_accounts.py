"""A8: accounts are read, changed and closed (RFC 8555 §7.3.2, §7.3.6)."""

import asyncio

import pytest

from tests.support.acme_csr import certificate_request
from tests.support.acme_jws import Forgery
from tests.support.acme_keys import b64url, generate
from tests.support.acme_urls import urls_of
from tests.support.eventually import eventually
from tests.support.problems import assert_refused
from tests.support.proxy import PUBLIC_URL, Proxy
from tests.support.state import last_part

OPS = "mailto:ops@alpha.example"
NAME = "www.alpha.example"


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"x":1}', b'{"contact":null}'])
async def test_reading(payload: bytes, web: Proxy) -> None:
    """ACC-01, ACC-02: dehydrated reads with an empty object."""
    client = await web.account(contact=[OPS])
    async with web.state.unchanged():
        answer = await client.post(str(client.kid), None, Forgery(payload=payload))
    assert (answer.status, answer.location) == (200, client.kid)
    assert answer.json() == {
        "status": "valid",
        "contact": [OPS],
        "orders": f"{client.kid}/orders",
        "termsOfServiceAgreed": True,
    }


async def test_other_contacts(web: Proxy) -> None:
    """ACC-03: the whole list is replaced, an empty one clears it, and the answer shows what is kept."""
    client = await web.account(contact=[OPS])
    for contact in (["mailto:a@alpha.example", "mailto:b@alpha.example"], [OPS], []):
        answer = await client.post(str(client.kid), {"contact": contact})
        assert (answer.status, answer.json()["contact"]) == (200, contact)
        assert (await client.get(str(client.kid))).body == answer.body


@pytest.mark.parametrize("status", [5, True, {}, ["deactivated"]])
async def test_a_status_that_is_no_text_is_refused(status: object, web: Proxy) -> None:
    """JWS-33, abuse JWS-11: nothing is coerced, and nothing changes."""
    client = await web.account()
    async with web.state.unchanged():
        answer = await client.post(str(client.kid), {"status": status})
    assert (answer.status, answer.error) == (400, "malformed")


@pytest.mark.parametrize("agreed", ["true", 1, [], {}])
async def test_an_agreement_that_is_no_truth_value_is_refused(agreed: object, web: Proxy) -> None:
    """JWS-33, abuse JWS-11; where there are terms it is no agreement (NAC-07)."""
    client = web.client()
    answer = await client.new_account(termsOfServiceAgreed=agreed)
    assert (answer.status, answer.error) == (400, "malformed")


@pytest.mark.parametrize(
    "members",
    [
        {"orders": "https://evil.example/"},
        {"termsOfServiceAgreed": False},
        {"termsOfServiceAgreed": "no"},
        {"externalAccountBinding": {}},
        {"id": "x", "tenant": "beta", "key": generate().jwk, "thumbprint": "x"},
        {"createdAt": "2020-01-01T00:00:00Z", "closed_at": None, "eab_kid": "x"},
        {"status": "valid"},
        {"status": "revoked"},
        {"status": "foo"},
        {"status": "Deactivated"},
        {"status": ""},
        {"status": None},
    ],
)
async def test_what_no_owner_can_change(members: dict[str, object], web: Proxy) -> None:
    """ACC-04, ACC-05, ACC-15 (abuse), JWS-11 (abuse): ignored, and no error."""
    client = await web.account(contact=[OPS])
    before = await client.get(str(client.kid))
    async with web.state.unchanged():
        answer = await client.post(str(client.kid), members)
        assert (answer.status, answer.body) == (200, before.body)


@pytest.mark.parametrize("payload", [None, {}, {"contact": []}, {"status": "deactivated"}])
async def test_nobody_touches_another_account(payload: object, web: Proxy) -> None:
    """ACC-06, D4: neither reads nor changes it, and cannot tell whether it is there."""
    alice, bob = await web.account(contact=[OPS]), await web.account()
    missing = f"{PUBLIC_URL}/acme/alpha/account/{'0' * 33}"
    async with web.state.unchanged():
        foreign = await bob.post(str(alice.kid), payload)
        nobodys = await bob.post(missing, payload)
        assert_refused(foreign, 404, "malformed")
        assert foreign.body == nobodys.body
    assert (await alice.get(str(alice.kid))).json()["contact"] == [OPS]


async def test_closing(web: Proxy) -> None:
    """ACC-07: at once, with the whole object."""
    client = await web.account(contact=[OPS])
    answer = await client.deactivate()
    assert (answer.status, answer.location) == (200, client.kid)
    assert answer.json()["status"] == "deactivated"
    assert answer.json()["contact"] == [OPS]


@pytest.mark.parametrize("status", ["deactivated", "revoked"])
async def test_a_closed_account_does_nothing_any_more(status: str, web: Proxy) -> None:
    """ACC-08, ACC-11, ACC-12, ACC-02 (abuse), D5: every resource answers 401, and nothing changes."""
    client = await web.account()
    urls = await urls_of(web, client)
    directory = await client.directory()
    if status == "deactivated":
        await client.deactivate()
    else:
        closed = {"status": "revoked", "closed_at": "2026-01-01T00:00:00Z"}
        await web.state.change("account", last_part(str(client.kid)), **closed)
    order = {"identifiers": [{"type": "dns", "value": NAME}]}
    csr = {"csr": b64url(certificate_request([NAME]))}
    asked: list[tuple[str, object]] = [
        (urls["account"], None),
        (urls["account"], {}),
        (urls["account"], {"status": "valid"}),
        (urls["account"], {"status": "deactivated"}),
        (urls["account"], {"contact": []}),
        (urls["orders"], None),
        (urls["newOrder"], order),
        (urls["order"], None),
        (urls["finalize"], csr),
        (urls["authorization"], None),
        (urls["authorization"], {"status": "deactivated"}),
        (urls["challenge"], None),
        (urls["challenge"], {}),
        (urls["certificate"], None),
        (f"{PUBLIC_URL}/acme/alpha/directory", None),
        (directory["newNonce"], None),
        *((directory[name], {}) for name in ("keyChange", "revokeCert", "newAuthz") if name in directory),
    ]
    async with web.state.unchanged():
        for url, payload in asked:
            document = assert_refused(await client.post(url, payload), 401, "unauthorized")
            assert status in document["detail"]


async def test_two_changes_at_once_are_both_whole(web: Proxy) -> None:
    """ACC-03: one of them wins, or both in turn; a contact list is never a mixture."""
    client = await web.account()
    lists = [[f"mailto:{letter}{number}@alpha.example" for number in range(3)] for letter in "abcdefgh"]
    clients = [web.client(key=client.key) for _ in lists]
    for other in clients:
        other.kid = client.kid
    answers = await asyncio.gather(
        *(other.post(str(client.kid), {"contact": wish}) for other, wish in zip(clients, lists, strict=True))
    )
    for answer, wish in zip(answers, lists, strict=True):
        if answer.status == 200:
            assert answer.json()["contact"] == wish
        else:
            assert_refused(answer, 503, "serverInternal")
    assert 200 in {answer.status for answer in answers}
    assert (await client.get(str(client.kid))).json()["contact"] in lists


async def test_closing_while_a_challenge_is_looked_at(validating: Proxy) -> None:
    """ACC-09, STA-06 (abuse): what is seen afterwards is discarded."""
    client = await validating.account()
    order = await validating.order(client, NAME)
    challenge = await validating.challenge(client, order)
    await client.answer(challenge["url"])
    validating.responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
    await client.deactivate()
    id_ = last_part(order.json()["authorizations"][0])

    async def dropped() -> bool:
        return not await validating.state.is_due(id_)

    await eventually(dropped)
    document = await validating.state.document("authorization", id_)
    [challenge] = [one for one in document["challenges"] if one["type"] == "http-01"]
    assert challenge["status"] in {"processing", "invalid"}
    assert "validated_at" not in challenge
