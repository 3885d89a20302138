"""A2: the one shape of signed request that there is (RFC 8555 §6.2)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_jws import Forgery, JsonObject, flip_last_bit, sign
from tests.support.acme_keys import ALGORITHMS, b64url, generate, unb64url
from tests.support.hostile_http import hostile_http, response, say
from tests.support.problems import assert_refused
from tests.support.proxy import PUBLIC_URL, Proxy

ORDER = {"identifiers": [{"type": "dns", "value": "www.alpha.example"}]}


async def place(web: Proxy, forgery: Forgery) -> Answer:
    """Place an order with a forged request, which is good but for what was forged."""
    client = await web.account()
    return await client.post((await client.directory())["newOrder"], ORDER, forgery)


def set_member(name: str, change: Callable[[str], object]) -> Callable[[JsonObject], object]:
    return lambda envelope: {**envelope, name: change(envelope[name])}


def without(name: str) -> Callable[[JsonObject], object]:
    return lambda envelope: {member: value for member, value in envelope.items() if member != name}


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "text/plain",
        "application/jose",
        "application/jose+json2",
        "application/*",
        "",
        None,
    ],
)
async def test_other_media_types(media_type: str | None, web: Proxy) -> None:
    """JWS-01."""
    client = await web.account()
    async with web.state.unchanged():
        url = (await client.directory())["newOrder"]
        answer = await client.post(url, ORDER, Forgery(content_type=media_type))
        assert_refused(answer, 415, "malformed")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/JOSE+JSON",
        "application/jose+json; charset=utf-8",
        "application/jose+json;x=y",
        "Application/Jose+Json ; a=b",
    ],
)
async def test_the_media_type_in_other_spellings(media_type: str, web: Proxy) -> None:
    """JWS-01, CLI-07."""
    assert (await place(web, Forgery(content_type=media_type))).status == 201


SHAPES: dict[str, Callable[[JsonObject], object]] = {
    "JWS-02 compact": lambda e: ".".join((e["protected"], e["payload"], e["signature"])),
    "JWS-02 list": lambda e: [e],
    "JWS-02 null": lambda _: None,
    "JWS-03 general": lambda e: {
        "payload": e["payload"],
        "signatures": [{"protected": e["protected"], "signature": e["signature"]}],
    },
    "JWS-03 general beside flattened": lambda e: {
        **e,
        "signatures": [{"protected": e["protected"], "signature": e["signature"]}],
    },
    "JWS-03 no signatures": lambda e: {**e, "signatures": []},
    "JWS-04 two signatures": lambda e: {
        "payload": e["payload"],
        "signatures": [{"protected": e["protected"], "signature": e["signature"]}] * 2,
    },
    "JWS-05 empty header": lambda e: {**e, "header": {}},
    "JWS-05 header with kid": lambda e: {**e, "header": {"kid": "x"}},
    "JWS-05 header of another type": lambda e: {**e, "header": False},
    "JWS-06 no payload": without("payload"),
    "JWS-06 payload null": set_member("payload", lambda _: None),
    "JWS-06 payload object": set_member("payload", lambda _: ORDER),
    "JWS-02 no protected": without("protected"),
    "JWS-02 no signature": without("signature"),
    "JWS-02 signature number": set_member("signature", lambda _: 5),
    "JWS-02 protected object": set_member("protected", lambda p: json.loads(unb64url(p))),
}


@pytest.mark.parametrize("case", SHAPES)
async def test_other_shapes(case: str, web: Proxy) -> None:
    """JWS-02 to JWS-06, and nothing is changed by any of them."""
    client = await web.account()
    async with web.state.unchanged():
        url = (await client.directory())["newOrder"]
        assert_refused(await client.post(url, ORDER, Forgery(envelope=SHAPES[case])), 400, "malformed")


LAX: dict[str, Callable[[str], str]] = {
    "padded": lambda text: text + "=" * (-len(text) % 4 or 4),
    "one sign": lambda text: text + "=",
    "plus": lambda text: "+" + text[1:],
    "slash": lambda text: "/" + text[1:],
    "space": lambda text: text[:4] + " " + text[4:],
    "line": lambda text: text[:4] + "\n" + text[4:],
    "end of line": lambda text: text + "\r\n",
    "junk": lambda text: text[:4] + "!" + text[4:],
    "one letter": lambda text: text + "A" * ((1 - len(text)) % 4),
    "not ASCII": lambda text: text[:-1] + "ａ",  # noqa: RUF001 - it only looks plain
}


@pytest.mark.parametrize("name", ["protected", "payload", "signature"])
@pytest.mark.parametrize("case", LAX)
async def test_lax_base64url(case: str, name: str, web: Proxy) -> None:
    """JWS-07."""
    answer = await place(web, Forgery(envelope=set_member(name, LAX[case])))
    assert_refused(answer, 400, "malformed")


@pytest.mark.parametrize("name", ["protected", "payload", "signature"])
async def test_spare_bits(name: str, web: Proxy) -> None:
    """JWS-08: two texts of the same octets."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    def next_letter(text: str) -> str:
        other = text[:-1] + alphabet[alphabet.index(text[-1]) + 1]
        assert unb64url(other) == unb64url(text)
        return other

    # Lengths that leave spare bits: white space is free in JSON.
    padding = {"protected": Forgery(protected=lambda text: text + b" " * ((1 - len(text)) % 3))}
    octets = json.dumps(ORDER).encode()
    padding["payload"] = Forgery(payload=octets + b" " * ((1 - len(octets)) % 3))
    forgery = padding.get(name, Forgery())
    client = await web.account()
    url = (await client.directory())["newOrder"]
    assert (await client.post(url, ORDER, forgery)).status == 201
    spoilt = Forgery(
        protected=forgery.protected, payload=forgery.payload, envelope=set_member(name, next_letter)
    )
    assert_refused(await client.post(url, ORDER, spoilt), 400, "malformed")


@pytest.mark.parametrize(
    "header",
    [
        lambda text: text.replace(b'{"alg"', b'{"alg": "none", "alg"', 1),
        lambda text: text.replace(b'"nonce"', b'"nonce": "x", "nonce"', 1),
        lambda text: text[:-1] + b', "kid": "x"}',
        lambda text: b"[" + text + b"]",
        lambda _: b"null",
        lambda _: b"",
        lambda text: text + b"x",
        lambda text: text.replace(b"}", b', "x": NaN}'),
    ],
)
async def test_protected_headers_that_are_not_one_object(
    header: Callable[[bytes], bytes], web: Proxy
) -> None:
    """JWS-09."""
    assert_refused(await place(web, Forgery(protected=header)), 400, "malformed")


@pytest.mark.parametrize(
    ("name", "type_"),
    [("alg", "malformed"), ("nonce", "badNonce"), ("url", "malformed"), ("kid", "malformed")],
)
@pytest.mark.parametrize("value", [None, 5, ["ES256"], {}])
async def test_members_that_a_header_must_have(name: str, type_: str, value: object, web: Proxy) -> None:
    """JWS-10, JWS-33: absent, or of another type."""
    client = await web.account()
    forgery = Forgery(override={name: value}) if value is not None else Forgery(remove=frozenset({name}))
    async with web.state.unchanged():
        answer = await client.post((await client.directory())["newOrder"], ORDER, forgery)
        assert_refused(answer, 400, type_ if value is None else "malformed")


@pytest.mark.parametrize(
    "members",
    [
        {"crit": ["b64"]},
        {"crit": []},
        {"crit": ["alg"]},
        {"crit": ["x"]},
        {"crit": ["x"], "x": 1},
        {"crit": "x"},
        {"crit": None},
        {"crit": ["exp"], "exp": 1},
        {"b64": False},
        {"b64": False, "crit": ["b64"]},
        {"b64": "false"},
    ],
)
async def test_extensions_that_must_be_understood(members: dict[str, Any], web: Proxy) -> None:
    """JWS-21, JWS-22."""
    assert_refused(await place(web, Forgery(override=members)), 400, "malformed")


async def test_a_payload_that_is_not_encoded(web: Proxy) -> None:
    """JWS-22: raw, as RFC 7797 has it."""
    client = await web.account()
    url = (await client.directory())["newOrder"]
    header = {
        "alg": "ES256",
        "nonce": await client.nonce(),
        "url": url,
        "kid": client.kid,
        "b64": False,
        "crit": ["b64"],
    }
    protected, raw = b64url(json.dumps(header).encode()), json.dumps(ORDER)
    signature = b64url(client.key.sign(f"{protected}.{raw}".encode()))
    body = json.dumps({"protected": protected, "payload": raw, "signature": signature}).encode()
    answer = await client.send("POST", url, body, {"Content-Type": "application/jose+json"})
    assert_refused(answer, 400, "malformed")


@pytest.mark.parametrize(
    "members",
    [
        {"typ": "JWT"},
        {"cty": "json"},
        {"foo": 1},
        {"x5t": "x", "x5t#S256": 5},
        {"b64": True},
        {"zip": "DEF"},
        {"vendor": {"deep": [1]}},
    ],
)
async def test_members_that_mean_nothing_to_us(members: dict[str, Any], web: Proxy) -> None:
    """JWS-23, CLI-09."""
    assert (await place(web, Forgery(override=members))).status == 201


@pytest.mark.parametrize("name", ["jku", "x5u", "x5c"])
async def test_keys_from_elsewhere_are_not_fetched(name: str, web: Proxy) -> None:
    """JWS-24: the address is never asked, and the key is still the account's."""
    async with hostile_http(say(response(200, b"{}"))) as canary:
        value: object = f"http://127.0.0.1:{canary.port}/jwks"
        other = generate()
        client = await web.account()
        url = (await client.directory())["newOrder"]
        forgery = Forgery(override={name: [value] if name == "x5c" else value})
        assert (await client.post(url, ORDER, forgery)).status == 201
        stranger = AcmeClient(web.http, f"{PUBLIC_URL}/acme/alpha/directory", other, front=web.origin)
        stranger.kid = client.kid
        assert_refused(await stranger.post(url, ORDER, forgery), 400, "malformed")
        assert canary.connections == 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_spoilt_signature_changes_nothing(algorithm: str, web: Proxy) -> None:
    """JWS-25, D1."""
    client = await web.account(key=generate(algorithm))
    urls = await client.directory()
    async with web.state.unchanged():
        for forgery in (
            Forgery(signature=flip_last_bit),
            Forgery(signature=lambda _: b""),
            Forgery(signature=lambda s: s[1:]),
        ):
            assert_refused(await client.post(urls["newOrder"], ORDER, forgery), 400, "malformed")
            assert_refused(
                await client.post(str(client.kid), {"status": "deactivated"}, forgery), 400, "malformed"
            )
            fresh = generate(algorithm)
            answer = await client.post(urls["newAccount"], {}, forgery, signer=fresh)
            assert_refused(answer, 400, "malformed")
    assert (await client.get(str(client.kid))).status == 200


async def test_members_that_a_request_need_not_have(web: Proxy) -> None:
    """JWS-34, JWS-05, CLI-09: unknown ones, an empty header, white space, another order of members."""
    assert (await place(web, Forgery(envelope=lambda e: {"foo": 1, **e, "x": {"y": []}}))).status == 201
    assert (await place(web, Forgery(envelope=lambda e: {**e, "header": None}))).status == 201
    client = await web.account()
    url = (await client.directory())["newOrder"]
    header = {"url": url, "kid": client.kid, "nonce": await client.nonce()}
    pretty = Forgery(
        protected=lambda text: json.dumps(dict(reversed(json.loads(text).items())), indent=4).encode(),
        payload=json.dumps(ORDER, indent=4).encode(),
    )
    body = json.dumps(json.loads(sign(client.key, header, ORDER, pretty)), indent=4).encode()
    answer = await client.send("POST", url, body, {"Content-Type": "application/jose+json"})
    assert answer.status == 201
