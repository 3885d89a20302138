"""A2: who signs: an account by its URL, or a key of its own; and for which URL (RFC 8555 §6.2, §6.4)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.acme_csr import certificate_request
from tests.support.acme_jws import Forgery
from tests.support.acme_keys import b64url, generate
from tests.support.acme_urls import NOBODYS, OWNED, urls_of
from tests.support.problems import assert_refused
from tests.support.proxy import PUBLIC_URL, Proxy

ORDER = {"identifiers": [{"type": "dns", "value": "www.alpha.example"}]}
DIRECTORY = f"{PUBLIC_URL}/acme/alpha/directory"


def payload_for(resource: str) -> object:
    csr = b64url(certificate_request(["www.alpha.example"]))
    return {"newOrder": ORDER, "challenge": {}, "finalize": {"csr": csr}, "account": {"contact": []}}.get(
        resource
    )


@pytest.mark.parametrize("resource", ["newOrder", *OWNED, "directory", "newNonce"])
async def test_a_key_of_its_own_is_not_enough(resource: str, web: Proxy) -> None:
    """JWS-17, JWS-04 (abuse): everything but newAccount wants kid, also when the account's own key signs."""
    client = await web.account()
    urls = {**await client.directory(), **await urls_of(web, client), "directory": DIRECTORY}
    async with web.state.unchanged():
        for key in (client.key, generate()):
            answer = await client.post(urls[resource], payload_for(resource), signer=key)
            assert_refused(answer, 400, "malformed")


async def test_new_account_wants_the_key_itself(web: Proxy) -> None:
    """JWS-17."""
    client = await web.account()
    async with web.state.unchanged():
        answer = await client.post((await client.directory())["newAccount"], {})
        assert_refused(answer, 400, "malformed")


async def test_not_both_and_not_neither(web: Proxy) -> None:
    """JWS-16, JWS-03 (abuse): no key is picked of two."""
    client, stranger = await web.account(), generate()
    urls = await client.directory()
    async with web.state.unchanged():
        for key in (client.key, stranger):
            both = Forgery(override={"jwk": key.jwk, "kid": client.kid})
            assert_refused(await client.post(urls["newOrder"], ORDER, both), 400, "malformed")
            assert_refused(await client.post(urls["newAccount"], {}, both, signer=key), 400, "malformed")
        neither = Forgery(remove=frozenset({"kid", "jwk"}))
        assert_refused(await client.post(urls["newOrder"], ORDER, neither), 400, "malformed")
        assert_refused(await client.post(urls["newAccount"], {}, neither, signer=stranger), 400, "malformed")


KIDS: dict[str, tuple[Callable[[str], object], str]] = {
    "a slash more": (lambda kid: f"{kid}/", "accountDoesNotExist"),
    "two slashes": (lambda kid: kid.replace("/account/", "/account//"), "accountDoesNotExist"),
    "its orders": (lambda kid: f"{kid}/orders", "accountDoesNotExist"),
    "a query": (lambda kid: f"{kid}?x", "accountDoesNotExist"),
    "a fragment": (lambda kid: f"{kid}#x", "accountDoesNotExist"),
    "upper case": (lambda kid: kid[:-33] + kid[-33:].upper() + "A", "accountDoesNotExist"),
    "escaped": (lambda kid: f"{kid[:-1]}%{ord(kid[-1]):x}", "accountDoesNotExist"),
    "white space": (lambda kid: f"{kid} ", "accountDoesNotExist"),
    "end of line": (lambda kid: f"{kid}\n", "accountDoesNotExist"),
    "nobody": (lambda kid: f"{kid[:-32]}{NOBODYS}", "accountDoesNotExist"),
    "dots": (lambda kid: f"{kid}/../{kid.rpartition('/')[2]}", "accountDoesNotExist"),
    "http": (lambda kid: kid.replace("https", "http"), "malformed"),
    "upper-case host": (lambda kid: kid.replace("acme.example", "ACME.example"), "malformed"),
    "port": (lambda kid: kid.replace("acme.example", "acme.example:443"), "malformed"),
    "other host": (lambda kid: kid.replace("acme.example", "evil.example"), "malformed"),
    "other tenant": (lambda kid: kid.replace("/alpha/", "/beta/"), "malformed"),
    "only the id": (lambda kid: kid.rpartition("/")[2], "malformed"),
    "only the path": (lambda kid: kid.removeprefix(PUBLIC_URL), "malformed"),
    "an order": (lambda kid: kid.replace("/account/", "/order/"), "malformed"),
    "empty": (lambda _: "", "malformed"),
    "a list": (lambda kid: [kid], "malformed"),
}


@pytest.mark.parametrize("case", KIDS)
async def test_kid_is_the_accounts_url_to_the_byte(case: str, web: Proxy) -> None:
    """JWS-18, JWS-19, JWS-05 (abuse)."""
    client = await web.account()
    change, type_ = KIDS[case]
    async with web.state.unchanged():
        forgery = Forgery(override={"kid": change(str(client.kid))})
        answer = await client.post((await client.directory())["newOrder"], ORDER, forgery)
        assert_refused(answer, 400, type_)


URLS: dict[str, Callable[[str], str]] = {
    "other resource": lambda url: url.replace("new-order", "new-account"),
    "a slash more": lambda url: f"{url}/",
    "two slashes": lambda url: url.replace("/new", "//new"),
    "a query": lambda url: f"{url}?",
    "a fragment": lambda url: f"{url}#",
    "http": lambda url: url.replace("https", "http"),
    "upper-case host": lambda url: url.replace("acme.example", "ACME.example"),
    "port": lambda url: url.replace("acme.example", "acme.example:443"),
    "other host": lambda url: url.replace("acme.example", "evil.example"),
    "other tenant": lambda url: url.replace("/alpha/", "/beta/"),
    "escaped": lambda url: url.replace("new-order", "new%2Dorder"),
    "dots": lambda url: url.replace("/new-order", "/./new-order"),
    "only the path": lambda url: url.removeprefix(PUBLIC_URL),
    "white space": lambda url: f"{url} ",
    "empty": lambda _: "",
}


@pytest.mark.parametrize("case", URLS)
async def test_url_is_the_one_posted_to_to_the_byte(case: str, web: Proxy) -> None:
    """JWS-20, D2."""
    client = await web.account()
    url = (await client.directory())["newOrder"]
    async with web.state.unchanged():
        answer = await client.post(url, ORDER, Forgery(override={"url": URLS[case](url)}))
        assert_refused(answer, 403, "unauthorized")
        answer = await client.post(
            (await client.directory())["newAccount"], {}, Forgery(override={"url": url}), signer=generate()
        )
        assert_refused(answer, 403, "unauthorized")


@pytest.mark.parametrize("spelling", ["new%2Dorder", "new-orde%72", "%6eew-order"])
async def test_an_escaped_spelling_is_no_url_of_ours(spelling: str, web: Proxy) -> None:
    """JWS-20: posted to as it is signed, or signed as it was handed out."""
    client = await web.account()
    url = (await client.directory())["newOrder"]
    other = url.replace("new-order", spelling)
    async with web.state.unchanged():
        assert_refused(await client.post(other, ORDER), 404, "malformed")
        assert_refused(await client.post(other, ORDER, Forgery(override={"url": url})), 404, "malformed")


@pytest.mark.parametrize(
    "resource", ["account", "orders", "order", "authorization", "challenge", "directory", "newNonce"]
)
async def test_what_can_be_read(resource: str, web: Proxy) -> None:
    """JWS-28, DIR-04, NON-05, ACC-01, OLS-02, ORD-01, AUZ-01: an empty payload reads and changes nothing."""
    client = await web.account()
    urls = {**await client.directory(), **await urls_of(web, client), "directory": DIRECTORY}
    async with web.state.unchanged():
        answer = await client.get(urls[resource])
        assert answer.status == (204 if resource == "newNonce" else 200)


@pytest.mark.parametrize("resource", ["orders", "order", "directory", "newNonce"])
@pytest.mark.parametrize("payload", [b"{}", b"null", b'""', b" ", b'{"status":"canceled"}', b"[]"])
async def test_what_can_only_be_read(resource: str, payload: bytes, web: Proxy) -> None:
    """JWS-29, ORD-07, CRT-09, JWS-19 (abuse)."""
    client = await web.account()
    urls = {**await client.directory(), **await urls_of(web, client), "directory": DIRECTORY}
    async with web.state.unchanged():
        answer = await client.post(urls[resource], None, Forgery(payload=payload))
        assert_refused(answer, 400, "malformed")


@pytest.mark.parametrize("resource", ["newAccount", "newOrder", "finalize"])
async def test_what_cannot_be_read(resource: str, web: Proxy) -> None:
    """JWS-30, FIN-23."""
    client = await web.account()
    urls = {**await client.directory(), **await urls_of(web, client)}
    signer = generate() if resource == "newAccount" else None
    async with web.state.unchanged():
        assert_refused(await client.post(urls[resource], None, signer=signer), 400, "malformed")


async def test_unknown_members_are_ignored_everywhere(web: Proxy) -> None:
    """JWS-32, CLI-10, CLI-11, CHL-04: they change nothing and are never shown."""
    client = web.client()
    urls = await client.directory()
    junk: dict[str, Any] = {"resource": "new-order", "x": 1, "_links": {"self": "y"}, "keyAuthorization": "z"}
    answers = [await client.new_account(**junk)]
    answers.append(await client.post(urls["newOrder"], {**ORDER, **junk}))
    place = await urls_of(web, client, answers[-1])
    answers.append(await client.post(str(client.kid), junk))
    answers.append(await client.post(place["challenge"], junk))
    answers.append(await client.post(place["authorization"], {"status": "deactivated", **junk}))
    assert [answer.status for answer in answers] == [201, 201, 200, 200, 200]
    for answer in answers:
        assert not set(junk) & set(answer.json())


WRONG_TYPES: list[tuple[str, object]] = [
    ("newOrder", {"identifiers": {}}),
    ("newOrder", {"identifiers": "www.alpha.example"}),
    ("newOrder", {"identifiers": ["www.alpha.example"]}),
    ("newOrder", {"identifiers": [{"type": "dns", "value": ["www.alpha.example"]}]}),
    ("newOrder", {**ORDER, "notBefore": 5}),
    ("newOrder", {**ORDER, "notAfter": {}}),
    ("newAccount", {"contact": "mailto:a@alpha.example"}),
    ("newAccount", {"contact": [5]}),
    ("newAccount", {"contact": {"0": "mailto:a@alpha.example"}}),
    ("newAccount", {"onlyReturnExisting": "true"}),
    ("newAccount", {"onlyReturnExisting": 1}),
    ("newAccount", {"externalAccountBinding": "x"}),
    ("account", {"contact": "mailto:a@alpha.example"}),
    ("account", {"contact": [None]}),
    ("authorization", {"status": ["deactivated"]}),
    ("authorization", {"status": 5}),
    ("finalize", {"csr": 5}),
    ("finalize", {"csr": ["x"]}),
    ("finalize", {"csr": None}),
]


@pytest.mark.parametrize(("resource", "payload"), WRONG_TYPES)
async def test_wrong_types_are_refused_and_not_made_to_fit(
    resource: str, payload: object, web: Proxy
) -> None:
    """JWS-33, JWS-11 (abuse)."""
    client = await web.account()
    urls = {**await client.directory(), **await urls_of(web, client)}
    signer = generate() if resource == "newAccount" else None
    async with web.state.unchanged():
        assert_refused(await client.post(urls[resource], payload, signer=signer), 400, "malformed")
