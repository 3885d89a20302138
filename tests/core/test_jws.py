"""The envelope: one flattened JWS, and nothing that only looks like one (A2: JWS-02..09, 25, 26, 34)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core import jws
from acmeproxy.core.jwk import AccountKey
from acmeproxy.core.problem import AcmeError
from tests.support import acme_keys
from tests.support.acme_jws import HONEST, Forgery, flip_last_bit, sign
from tests.support.refusals import refused

KEY = acme_keys.generate()
URL = "https://ca.example/acme/web/new-account"
Members = dict[str, Any]


def header() -> Members:
    return {"jwk": KEY.jwk, "nonce": "bm9uY2U", "url": URL}


def body(forgery: Forgery = HONEST, payload: object = None, key: acme_keys.AccountKey = KEY) -> bytes:
    return sign(key, {**header(), "jwk": key.jwk}, payload, forgery)


@pytest.mark.parametrize("algorithm", acme_keys.ALGORITHMS)
def test_an_honest_request_is_believed(algorithm: str) -> None:
    """JWS-13, JWS-14, JWS-15."""
    key = acme_keys.generate(algorithm)

    envelope = jws.parse(body(payload={"contact": []}, key=key))
    signer = envelope.signer()

    assert (signer.algorithm, signer.kid) == (algorithm, None)
    assert signer.key is not None
    assert signer.key.thumbprint == key.thumbprint
    envelope.verify(signer.key)
    envelope.check_url(URL)
    assert envelope.nonce == "bm9uY2U"
    assert json.loads(envelope.payload) == {"contact": []}


def test_an_empty_payload_is_post_as_get() -> None:
    """JWS-28."""
    envelope = jws.parse(body())

    assert envelope.payload == b""
    envelope.verify(AccountKey.parse(KEY.jwk))


def test_further_members_mean_nothing() -> None:
    """JWS-34, JWS-05: `header` may be null, which is no header."""
    forged = Forgery(envelope=lambda members: {**members, "foo": 1, "header": None})

    jws.parse(body(forged)).verify(AccountKey.parse(KEY.jwk))


def _without(name: str) -> Callable[[Members], object]:
    return lambda members: {key: value for key, value in members.items() if key != name}


def _with(**more: object) -> Callable[[Members], object]:
    return lambda members: {**members, **more}


def _general(members: Members) -> Members:
    return {"protected": members["protected"], "signature": members["signature"]}


def _compact(members: Members) -> object:
    return ".".join(members[name] for name in ("protected", "payload", "signature"))


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(_compact, id="JWS-02 compact"),
        pytest.param(lambda members: [members], id="JWS-02 list"),
        pytest.param(lambda _: None, id="JWS-02 null"),
        pytest.param(lambda _: {}, id="JWS-02 empty"),
        pytest.param(
            lambda members: {"payload": members["payload"], "signatures": [_general(members)]},
            id="JWS-03 general",
        ),
        pytest.param(
            lambda members: {"payload": members["payload"], "signatures": [_general(members)] * 2},
            id="JWS-04 two signatures",
        ),
        pytest.param(lambda members: {**members, "signatures": [_general(members)]}, id="JWS-04 both forms"),
        pytest.param(_with(signatures=[]), id="JWS-04 no signatures"),
        pytest.param(_with(signatures=None), id="JWS-04 null signatures"),
        pytest.param(_with(header={}), id="JWS-05 empty header"),
        pytest.param(_with(header={"kid": "x"}), id="JWS-05 kid outside"),
        pytest.param(_with(header="x"), id="JWS-05 text"),
        pytest.param(_with(header=False), id="JWS-05 false"),
        pytest.param(_without("payload"), id="JWS-06 no payload"),
        pytest.param(_with(payload=None), id="JWS-06 null payload"),
        pytest.param(_with(payload={}), id="JWS-06 object"),
        pytest.param(_without("protected"), id="JWS-02 no protected"),
        pytest.param(_without("signature"), id="JWS-02 no signature"),
        pytest.param(_with(protected={"alg": "ES256"}), id="JWS-02 header not encoded"),
        pytest.param(_with(signature=["AA"]), id="JWS-02 list of signatures"),
        pytest.param(_with(protected=1), id="JWS-02 number"),
    ],
)
def test_other_serializations_are_refused(forge: Callable[[Members], object]) -> None:
    with refused("malformed", "JWS-SHAPE"):
        jws.parse(body(Forgery(envelope=forge)))


@pytest.mark.parametrize("name", ["protected", "payload", "signature"])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: text + "=", id="JWS-07 padding"),
        pytest.param(lambda text: text + "==", id="JWS-07 more padding"),
        pytest.param(lambda text: "+" + text[1:], id="JWS-07 plus"),
        pytest.param(lambda text: "/" + text[1:], id="JWS-07 slash"),
        pytest.param(lambda text: text + "\n", id="JWS-07 line end"),
        pytest.param(lambda text: text[:4] + "\r\n" + text[4:], id="JWS-07 line break"),
        pytest.param(lambda text: " " + text, id="JWS-07 space"),
        pytest.param(lambda text: text[:4] + "!" + text[4:], id="JWS-07 junk"),
        pytest.param(lambda text: text[: len(text) // 4 * 4] + "AB", id="JWS-08 spare bits"),
        pytest.param(lambda text: text[: len(text) // 4 * 4] + "A", id="JWS-07 half an octet"),
        pytest.param(lambda _: "é", id="JWS-07 not ASCII"),
    ],
)
def test_lax_base64url_is_refused(name: str, spoil: Callable[[str], str]) -> None:
    """Abuse JWS-09: two texts with one meaning would be two log lines of one request."""
    forged = Forgery(envelope=lambda members: {**members, name: spoil(members[name])})

    with refused("malformed", "JWS-SHAPE"):
        jws.parse(body(forged, payload={}))


@pytest.mark.parametrize(
    "protected",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"x"', id="text"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"alg":"ES256","alg":"none"}', id="JWS-09 twice"),
        pytest.param(b'{"alg":"ES256","\\u0061lg":"none"}', id="JWS-09 twice, escaped"),
        pytest.param(b'{"jwk":{"kty":"EC","kty":"RSA"}}', id="JWS-09 twice, inside"),
        pytest.param(b"\xff{}", id="HTTP-06 not UTF-8"),
        pytest.param(b"{}{}", id="two"),
        pytest.param(b'{"a":' * 5000, id="nested"),
    ],
)
def test_a_protected_header_is_one_plain_object(protected: bytes) -> None:
    with refused("malformed", "JWS-SHAPE"):
        jws.parse(body(Forgery(protected=lambda _: protected)))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"a.b.c",
        b"{",
        b"[]",
        b"{}",
        b"\xff\xfe",
        pytest.param(b"[" * 100_000, id="lists"),
        pytest.param(b'{"payload":' * 20_000, id="objects"),
        b'{"protected":"","protected":"","payload":"","signature":""}',
    ],
)
def test_a_body_that_is_no_jws_is_refused(octets: bytes) -> None:
    """HTTP-06, HTTP-10."""
    with refused("malformed", "JWS-SHAPE"):
        jws.parse(octets)


@given(
    st.binary(max_size=200)
    | st.dictionaries(st.text(max_size=9), st.text(max_size=9)).map(lambda d: json.dumps(d).encode())
)
def test_no_body_breaks_the_gate(octets: bytes) -> None:
    with refused("malformed", "JWS-SHAPE"):
        jws.parse(octets)


@pytest.mark.parametrize("algorithm", acme_keys.ALGORITHMS)
@pytest.mark.parametrize(
    "spoil",
    [
        flip_last_bit,
        lambda signature: signature[:-1],
        lambda signature: signature + b"\0",
        lambda signature: bytes(len(signature)),
        lambda _: b"",
    ],
    ids=["flipped", "short", "long", "zero", "none"],
)
def test_a_wrong_signature_is_refused(algorithm: str, spoil: Callable[[bytes], bytes]) -> None:
    """JWS-25 (D1)."""
    key = acme_keys.generate(algorithm)
    envelope = jws.parse(body(Forgery(signature=spoil), key=key))

    with refused("malformed", "JWS-SIGNATURE"):
        envelope.verify(AccountKey.parse(key.jwk))


def test_what_is_signed_is_what_was_sent() -> None:
    """JWS-25: a payload put under another request's signature."""
    other = json.loads(body(payload={"onlyReturnExisting": True}))["payload"]
    envelope = jws.parse(body(Forgery(envelope=_with(payload=other)), payload={}))

    with refused("malformed", "JWS-SIGNATURE"):
        envelope.verify(AccountKey.parse(KEY.jwk))


def test_a_key_takes_no_signature_of_another() -> None:
    envelope = jws.parse(body())

    with refused("malformed", "JWS-SIGNATURE"):
        envelope.verify(AccountKey.parse(acme_keys.generate().jwk))


@pytest.mark.parametrize("alg", ["RS256", "ES384", "ES512", "EdDSA", "none", "HS256", None, 1])
def test_a_key_verifies_with_its_own_algorithm_only(alg: object) -> None:
    """JWS-27, D11, abuse JWS-02: the account's key decides, never the header."""
    envelope = jws.parse(body(Forgery(override={"alg": alg})))

    with refused("malformed", "JWS-SIGNATURE") as refusal:
        envelope.verify(AccountKey.parse(KEY.jwk))

    assert refusal.detail == "the account's key signs with ES256 [ref JWS-SIGNATURE]"


def test_an_error_says_no_more_than_it_must() -> None:
    with pytest.raises(AcmeError) as caught:
        jws.parse(b'{"protected":"s3cret!","payload":"","signature":""}')

    assert "s3cret" not in str(caught.value)
