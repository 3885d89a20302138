"""A7: external account binding (RFC 8555 §7.3.4)."""

import asyncio
import hmac
import json
import re
from collections.abc import Callable

import pytest
import pytest_asyncio

from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_jws import ExternalAccount, Forgery, JsonObject, bind, flip_last_bit
from tests.support.acme_keys import AccountKey, b64url, generate, unb64url
from tests.support.problems import assert_refused
from tests.support.proxy import Proxy

URL = "https://acme.example/acme/bound/new-account"


@pytest_asyncio.fixture(loop_scope="session")
async def external(web: Proxy) -> ExternalAccount:
    """Return what an operator gave out for the tenant that demands it."""
    return await web.eab_key("bound")


async def register(client: AcmeClient, binding: object) -> Answer:
    return await client.new_account(externalAccountBinding=binding)


async def assert_nobody(client: AcmeClient) -> None:
    """EAB-12."""
    assert_refused(await client.new_account(onlyReturnExisting=True), 400, "accountDoesNotExist")


async def test_a_good_one(web: Proxy, external: ExternalAccount) -> None:
    """EAB-09, EAB-10, NAC-01: the binding is shown word for word, now and later."""
    client = web.client("bound")
    binding = bind(external, client.key, URL)
    created = await register(client, binding)
    assert created.status == 201
    assert created.json()["externalAccountBinding"] == binding
    assert (await client.get(str(client.kid))).json()["externalAccountBinding"] == binding
    assert (await client.new_account()).json()["externalAccountBinding"] == binding


async def test_without_one(web: Proxy) -> None:
    """EAB-01, EAB-12, ACC-08 (abuse)."""
    client = web.client("bound")
    async with web.state.unchanged():
        assert_refused(await client.new_account(), 403, "externalAccountRequired")
        assert_refused(await register(client, None), 403, "externalAccountRequired")
        await assert_nobody(client)


def without(*names: str) -> Forgery:
    return Forgery(remove=frozenset(names))


#: What is wrong with the inner JWS, which is a MAC over the account's key.
BROKEN: dict[str, tuple[Forgery, int, str]] = {
    "EAB-02 compact": (Forgery(envelope=lambda e: ".".join(map(str, e.values()))), 400, "malformed"),
    "EAB-02 a number": (Forgery(envelope=lambda _: 5), 400, "malformed"),
    "EAB-02 empty": (Forgery(envelope=lambda _: {}), 400, "malformed"),
    "EAB-02 a list": (Forgery(envelope=lambda e: [e]), 400, "malformed"),
    "EAB-02 protected a number": (Forgery(envelope=lambda e: {**e, "protected": 5}), 400, "malformed"),
    "EAB-02 padded": (Forgery(envelope=lambda e: {**e, "signature": e["signature"] + "="}), 400, "malformed"),
    "EAB-02 header": (Forgery(envelope=lambda e: {**e, "header": {}}), 400, "malformed"),
    "EAB-02 signatures": (Forgery(envelope=lambda e: {**e, "signatures": []}), 400, "malformed"),
    "EAB-02 duplicate member": (Forgery(protected=lambda t: t[:-1] + b', "kid": "x"}'), 400, "malformed"),
    "EAB-03 ES256": (Forgery(override={"alg": "ES256"}), 400, "malformed"),
    "EAB-03 none": (Forgery(override={"alg": "none"}, signature=lambda _: b""), 400, "malformed"),
    "EAB-03 absent": (without("alg"), 400, "malformed"),
    "EAB-03 a list": (Forgery(override={"alg": ["HS256"]}), 400, "malformed"),
    "EAB-04 no kid": (without("kid"), 400, "malformed"),
    "EAB-04 a number": (Forgery(override={"kid": 5}), 400, "malformed"),
    "EAB-04 empty": (Forgery(override={"kid": ""}), 400, "malformed"),
    "EAB-04 not ASCII": (Forgery(override={"kid": "ä"}), 400, "malformed"),
    "EAB-04 jwk": (Forgery(override={"jwk": generate().jwk}), 400, "malformed"),
    "EAB-05 nonce": (Forgery(override={"nonce": "AAAA"}), 400, "malformed"),
    "EAB-06 other url": (
        Forgery(override={"url": URL.replace("new-account", "directory")}),
        400,
        "malformed",
    ),
    "EAB-06 other tenant": (Forgery(override={"url": URL.replace("bound", "alpha")}), 400, "malformed"),
    "EAB-06 no url": (without("url"), 400, "malformed"),
    "EAB-07 unknown kid": (Forgery(override={"kid": "eab_0123456789abcdef"}), 403, "unauthorized"),
    "EAB-08 one bit": (Forgery(signature=flip_last_bit), 403, "unauthorized"),
    "EAB-08 cut": (Forgery(signature=lambda mac: mac[:16]), 403, "unauthorized"),
    "EAB-08 empty": (Forgery(signature=lambda _: b""), 403, "unauthorized"),
    "EAB-09 other key": (Forgery(payload=json.dumps(generate().jwk).encode()), 400, "malformed"),
    "EAB-09 no key": (Forgery(payload=b"{}"), 400, "malformed"),
    "EAB-09 empty": (Forgery(payload=b""), 400, "malformed"),
    "EAB-16 crit": (Forgery(override={"crit": ["x"]}), 400, "malformed"),
    "EAB-16 crit empty": (Forgery(override={"crit": []}), 400, "malformed"),
    "EAB-16 b64": (Forgery(override={"b64": False}), 400, "malformed"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_ones(case: str, web: Proxy, external: ExternalAccount) -> None:
    """EAB-02 to EAB-09, EAB-12, EAB-16, ACC-05 (abuse): and no account comes of it."""
    forgery, status, type_ = BROKEN[case]
    client = web.client("bound")
    async with web.state.unchanged():
        answer = await register(client, bind(external, client.key, URL, forgery))
        assert_refused(answer, status, type_)
        await assert_nobody(client)
    assert (await register(client, bind(external, client.key, URL))).status == 201


async def test_what_is_wrong_with_kid_or_mac_is_not_told_apart(web: Proxy, external: ExternalAccount) -> None:
    """EAB-07, EAB-08, ACC-10 (abuse): unknown, of another tenant, or a wrong MAC, also of a revoked key."""
    elsewhere = await web.eab_key("alpha")
    revoked = await web.eab_key("bound")
    await web.state.change("eab}", revoked.kid, revoked_at="2026-01-01T00:00:00Z")
    bindings: list[Callable[[AccountKey], object]] = [
        lambda key: bind(external, key, URL, Forgery(override={"kid": "eab_" + "0" * 32})),
        lambda key: bind(external, key, URL, Forgery(signature=flip_last_bit)),
        lambda key: bind(elsewhere, key, URL),
        lambda key: bind(revoked, key, URL, Forgery(signature=flip_last_bit)),
        lambda key: bind(ExternalAccount(external.kid, elsewhere.hmac_key), key, URL),
        lambda key: bind(ExternalAccount("eab_" + "0" * 32, b64url(bytes(32))), key, URL),
    ]
    bodies = set()
    for make in bindings:
        client = web.client("bound")
        answer = await register(client, make(client.key))
        assert_refused(answer, 403, "unauthorized")
        await assert_nobody(client)
        bodies.add(answer.body)
    assert len(bodies) == 1


async def test_a_revoked_key_binds_nobody(web: Proxy) -> None:
    """EAB-13: who knows its secret may know that it has ended."""
    revoked = await web.eab_key("bound")
    await web.state.change("eab}", revoked.kid, revoked_at="2026-01-01T00:00:00Z")
    client = web.client("bound")
    async with web.state.unchanged():
        assert_refused(await register(client, bind(revoked, client.key, URL)), 403, "unauthorized")
        await assert_nobody(client)


@pytest.mark.parametrize(
    "write",
    [
        lambda jwk: json.dumps(dict(reversed(jwk.items()))),
        lambda jwk: json.dumps(jwk, indent=4),
        lambda jwk: json.dumps({"kid": "x", "alg": "ES256", **jwk}),
    ],
)
async def test_a_key_is_compared_and_not_its_text(
    write: Callable[[JsonObject], str], web: Proxy, external: ExternalAccount
) -> None:
    """EAB-09, ACC-05 (abuse)."""
    client = web.client("bound")
    forgery = Forgery(payload=write(client.key.jwk).encode())
    assert (await register(client, bind(external, client.key, URL, forgery))).status == 201


@pytest.mark.parametrize(
    ("algorithm", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")]
)
async def test_macs(algorithm: str, digest: str, web: Proxy, external: ExternalAccount) -> None:
    """EAB-03, CLI-31: and one that names another algorithm than it is made with is wrong."""
    client = web.client("bound")
    plain = bind(external, client.key, URL, Forgery(override={"alg": algorithm}))
    assert isinstance(plain, dict)
    signed = f"{plain['protected']}.{plain['payload']}".encode()
    mac = hmac.digest(unb64url(external.hmac_key), signed, digest)
    if algorithm != "HS256":
        assert_refused(await register(client, plain), 403, "unauthorized")
    assert (await register(client, {**plain, "signature": b64url(mac)})).status == 201


async def test_keys_as_operators_get_them(external: ExternalAccount) -> None:
    """EAB-14: unpadded base64url of 256 random bits."""
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", external.hmac_key)
    assert len(unb64url(external.hmac_key)) == 32
    assert external.kid.isascii()
    assert len(set(unb64url(external.hmac_key))) > 16


async def test_a_tenant_that_demands_none_checks_what_it_is_given(web: Proxy) -> None:
    """EAB-11: what was not verified is never shown."""
    external = await web.eab_key("alpha")
    url = URL.replace("bound", "alpha")
    client = web.client("alpha")
    async with web.state.unchanged():
        broken = bind(external, client.key, url, Forgery(signature=flip_last_bit))
        assert_refused(await register(client, broken), 403, "unauthorized")
        await assert_nobody(client)
    good = bind(external, client.key, url)
    assert (await register(client, good)).json()["externalAccountBinding"] == good
    plain = await web.client("alpha").new_account()
    assert "externalAccountBinding" not in plain.json()


async def test_a_binding_is_for_ever(web: Proxy, external: ExternalAccount) -> None:
    """EAB-15: an update neither adds one nor changes one."""
    bound, plain = web.client("bound"), await web.account()
    await register(bound, bind(external, bound.key, URL))
    async with web.state.unchanged():
        for client in (bound, plain):
            before = await client.get(str(client.kid))
            other = bind(external, client.key, URL)
            for value in (other, None, {}, "x"):
                answer = await client.post(str(client.kid), {"externalAccountBinding": value})
                assert (answer.status, answer.body) == (200, before.body)


async def test_one_key_by_many_at_once_gets_one_account(web: Proxy, external: ExternalAccount) -> None:
    """EAB-13, KEY-09."""
    key = generate()
    clients = [web.client("bound", key) for _ in range(20)]
    binding = bind(external, key, URL)
    answers = await asyncio.gather(*(register(client, binding) for client in clients))
    statuses = [answer.status for answer in answers]
    assert statuses.count(201) == 1
    for answer in answers:
        if answer.status not in {200, 201}:
            # Too many wrote to the key's record at once: nothing was done, and the client asks again.
            assert_refused(answer, 503, "serverInternal")
    again = await register(clients[0], binding)
    assert again.status == 200
    assert {answer.location for answer in answers if answer.status in {200, 201}} == {again.location}
