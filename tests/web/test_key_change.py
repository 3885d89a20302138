"""keyChange (RFC 8555 §7.3.5): KCH-01..14, KCH-16, KCH-17, ACC-11, ACC-12, K25."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_jws import Forgery, flip_last_bit, sign
from tests.support.acme_keys import ALGORITHMS, AccountKey, generate
from tests.support.proxy import Proxy

MALFORMED = "malformed"


async def test_the_new_key_is_live_and_the_old_one_dead_at_once(web: Proxy) -> None:
    """KCH-13, KCH-14: the URL, the contact and the orders of the account stay."""
    client = await web.account(contact=["mailto:ops@alpha.example"])
    order = await web.order(client, "a.alpha.example")
    old, new = client.key, generate()
    assert (await client.change_key(new)).status == 200

    account = await client.get(str(client.kid))
    assert (account.status, account.json()["contact"]) == (200, ["mailto:ops@alpha.example"])
    assert (await client.get(order.location)).json()["status"] == "pending"
    client.key = old
    assert (await client.get(str(client.kid))).error == MALFORMED


async def test_the_new_key_names_the_account_and_the_old_one_nobody(web: Proxy) -> None:
    """KCH-13, K25: whoever lost the answer asks by onlyReturnExisting which of the keys counts."""
    client = await web.account()
    old, new = client.key, generate()
    await client.change_key(new)
    found = await web.client(key=new).new_account(onlyReturnExisting=True)
    assert (found.status, found.location) == (200, client.kid)
    missing = await web.client(key=old).new_account(onlyReturnExisting=True)
    assert (missing.status, missing.error) == (400, "accountDoesNotExist")
    # Nobody's any more, it may register like any other key.
    again = await web.client(key=old).new_account()
    assert again.status == 201
    assert again.location != client.kid


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_any_kind_of_key_follows_any_other(web: Proxy, algorithm: str) -> None:
    """KCH-16."""
    client = await web.account()
    assert (await client.change_key(generate(algorithm))).status == 200
    assert (await client.get(str(client.kid))).status == 200


async def test_a_key_that_has_an_account_is_refused_with_where_it_leads(web: Proxy) -> None:
    """KCH-10: 409, the holder's URL, and both accounts as they were."""
    holder, client = await web.account(), await web.account()
    answer = await inner(client, holder.key)
    assert (answer.status, answer.error, answer.location) == (409, MALFORMED, holder.kid)
    assert (await client.get(str(client.kid))).status == 200
    assert (await holder.get(str(holder.kid))).status == 200


async def test_the_own_key_is_refused_likewise(web: Proxy) -> None:
    """KCH-11, D6."""
    client = await web.account()
    answer = await inner(client, client.key)
    assert (answer.status, answer.location) == (409, client.kid)


Change = Callable[[dict[str, Any], dict[str, Any], AcmeClient], None]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda h, _p, _c: h.update(nonce="AAAA"), id="KCH-04 an inner nonce"),
        pytest.param(lambda h, _p, _c: h.update(url=h["url"] + "/"), id="KCH-05 another inner url"),
        pytest.param(lambda h, _p, _c: h.pop("url"), id="KCH-05 no inner url"),
        pytest.param(lambda h, _p, c: h.update(kid=c.kid), id="KCH-03 an inner kid beside jwk"),
        pytest.param(lambda _h, p, _c: p.pop("account"), id="KCH-07 no account"),
        pytest.param(lambda _h, p, _c: p.pop("oldKey"), id="KCH-07 no oldKey"),
        pytest.param(lambda _h, p, _c: p.update(account=p["account"] + "0"), id="KCH-08 another account"),
        pytest.param(lambda _h, p, _c: p.update(oldKey=generate().jwk), id="KCH-09 another old key"),
        pytest.param(lambda _h, p, _c: p.update(oldKey="x"), id="KCH-09 no key"),
    ],
)
async def test_a_wrong_inner_request_is_refused_and_the_old_key_untouched(web: Proxy, change: Change) -> None:
    """KCH-03..09, ACC-11."""
    client = await web.account()
    answer = await inner(client, generate(), change)
    assert (answer.status, answer.error) == (400, MALFORMED)
    assert (await client.get(str(client.kid))).status == 200


async def test_members_of_the_old_key_may_come_in_any_order(web: Proxy) -> None:
    """KCH-09: compared by thumbprint."""
    client = await web.account()

    def reordered(_: dict[str, Any], payload: dict[str, Any], __: AcmeClient) -> None:
        payload["oldKey"] = dict(reversed(payload["oldKey"].items())) | {"use": "sig"}

    assert (await inner(client, generate(), reordered)).status == 200


async def test_the_inner_signature_must_be_the_new_keys(web: Proxy) -> None:
    """KCH-06."""
    client = await web.account()
    answer = await client.change_key(generate(), Forgery(signature=flip_last_bit))
    assert (answer.status, answer.error) == (400, MALFORMED)


async def test_it_is_the_account_that_asks(web: Proxy) -> None:
    """KCH-01: not a key of its own."""
    client = await web.account()
    url = (await client.directory())["keyChange"]
    answer = await client.post(url, {}, signer=generate())
    assert (answer.status, answer.error) == (400, MALFORMED)


async def test_a_weak_new_key_is_refused_as_such(web: Proxy) -> None:
    """KCH-12."""
    client = await web.account()

    def private(header: dict[str, Any], _: dict[str, Any], __: AcmeClient) -> None:
        header["jwk"] = {**header["jwk"], "d": "AAAA"}

    answer = await inner(client, generate(), private)
    assert (answer.status, answer.error) == (400, "badPublicKey")


async def test_of_two_accounts_after_one_key_one_gets_it(web: Proxy) -> None:
    """KCH-17, ACC-12: every key has at most one account, and every account one key."""
    clients = [await web.account() for _ in range(8)]
    wanted = generate()
    answers = await asyncio.gather(*(client.change_key(wanted) for client in clients))
    assert sorted(a.status for a in answers).count(200) == 1
    assert {a.status for a in answers} == {200, 409}
    readable = [(await client.get(str(client.kid))).status for client in clients]
    assert readable == [200] * 8
    found = await web.client(key=wanted).new_account(onlyReturnExisting=True)
    [winner] = [c for c, a in zip(clients, answers, strict=True) if a.status == 200]
    assert found.location == winner.kid


async def test_of_two_keys_for_one_account_the_other_stays_free(web: Proxy) -> None:
    """KCH-17, ACC-12: what was claimed in vain is nobody's."""
    for _ in range(5):
        client = await web.account()
        wanted = [generate() for _ in range(4)]
        twins = [web.client(key=client.key) for _ in wanted]
        for twin in twins:
            twin.kid = client.kid
            await twin.nonce()
        answers = await asyncio.gather(
            *(twin.change_key(key) for twin, key in zip(twins, wanted, strict=True))
        )
        assert [a.status for a in answers].count(200) == 1
        assert {a.status for a in answers} <= {200, 400, 409}
        for key, answer in zip(wanted, answers, strict=True):
            if answer.status != 200:
                assert (await web.client(key=key).new_account()).status == 201


async def inner(client: AcmeClient, new: AccountKey, change: Change | None = None) -> Answer:
    """Ask for a key change whose inner header and payload are changed first."""
    url = (await client.directory())["keyChange"]
    header: dict[str, Any] = {"jwk": new.jwk, "url": url}
    payload: dict[str, Any] = {"account": client.kid, "oldKey": client.key.jwk}
    if change:
        change(header, payload, client)
    return await client.post(url, json.loads(sign(new, header, payload)))
