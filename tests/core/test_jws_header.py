"""The protected header: who signed, how, for which URL (A2: JWS-10..12, 16, 18, 20..24, 27; NON-09, 18)."""

from typing import Any

import pytest

from acmeproxy.core import jws
from acmeproxy.core.jwk import AccountKey
from tests.support import acme_keys
from tests.support.acme_jws import Forgery, sign
from tests.support.refusals import refused

KEYS = {algorithm: acme_keys.generate(algorithm) for algorithm in acme_keys.ALGORITHMS}
KEY = KEYS["ES256"]
URL = "https://ca.example/acme/web/orders/1?cursor=2"
KID = "https://ca.example/acme/web/account/1"


def envelope(override: dict[str, Any], *remove: str, key: acme_keys.AccountKey = KEY) -> jws.Envelope:
    """Return a request signed by `key` with the header of a new account, changed."""
    header = {"jwk": key.jwk, "nonce": "bm9uY2U", "url": URL}
    return jws.parse(sign(key, header, {}, Forgery(override=override, remove=frozenset(remove))))


def test_a_kid_is_kept_as_it_is() -> None:
    """JWS-18: to be compared with the account's URL to the byte, so nothing is made of it here."""
    assert envelope({"kid": KID + "/../2"}, "jwk").signer() == jws.Signer("ES256", kid=KID + "/../2")


def test_a_key_of_its_own_is_parsed() -> None:
    assert envelope({}).signer() == jws.Signer("ES256", key=AccountKey.parse(KEY.jwk))


@pytest.mark.parametrize("name", ["typ", "cty", "jku", "x5u", "x5c", "x5t", "x5t#S256", "zip", "foo"])
def test_unknown_parameters_mean_nothing(name: str) -> None:
    """JWS-23, JWS-24: no key is fetched from anywhere or taken from a certificate."""
    request = envelope({name: "https://canary.example/key"})

    request.verify(AccountKey.parse(KEY.jwk))
    assert request.signer().key == AccountKey.parse(KEY.jwk)


@pytest.mark.parametrize(
    "algorithm",
    [
        *("none", "None", "NONE", "nOnE", "HS256", "HS512", "dir", ""),
        *("PS256", "PS512", "RS1", "RS384", "RS512", "ES256K", "Ed25519", "Ed448", "es256", "ES256 "),
    ],
)
@pytest.mark.parametrize("jwk", [KEY.jwk, {"kty": "oct", "k": "c2VjcmV0"}], ids=["EC", "oct"])
def test_other_algorithms_are_refused_with_the_list_of_ours(algorithm: str, jwk: dict[str, str]) -> None:
    """JWS-11, JWS-12, PRB-08, abuse JWS-01: before anybody looks at the key."""
    with refused("badSignatureAlgorithm", "JWS-ALGORITHM") as refusal:
        envelope({"alg": algorithm, "jwk": jwk}).signer()

    assert refusal.problem.algorithms == ("RS256", "ES256", "ES384", "ES512", "EdDSA")


@pytest.mark.parametrize("header", acme_keys.ALGORITHMS)
@pytest.mark.parametrize("key", acme_keys.ALGORITHMS)
def test_only_the_keys_own_algorithm_passes(header: str, key: str) -> None:
    """JWS-27, abuse JWS-02: the whole product of algorithms and keys; only its diagonal passes."""
    request = envelope({"alg": header}, key=KEYS[key])

    if header == key:
        assert request.signer().algorithm == key
        return
    with refused("badPublicKey", "KEY-REFUSED"):
        request.signer()


@pytest.mark.parametrize(
    ("override", "remove"),
    [
        pytest.param({}, ["alg"], id="JWS-10 no alg"),
        pytest.param({"alg": None}, [], id="JWS-10 alg null"),
        pytest.param({"alg": ["ES256"]}, [], id="JWS-10 alg list"),
        pytest.param({}, ["jwk"], id="JWS-10 neither jwk nor kid"),
        pytest.param({"jwk": None}, [], id="JWS-10 jwk null"),
        pytest.param({"kid": KID}, [], id="JWS-16 both"),
        pytest.param({"kid": "", "jwk": KEY.jwk}, [], id="JWS-16 both, kid empty"),
        pytest.param({"kid": 1}, ["jwk"], id="kid number"),
        pytest.param({"kid": [KID]}, ["jwk"], id="kid list"),
        pytest.param({"jwk": [KEY.jwk]}, [], id="jwk list"),
        pytest.param({"jwk": "x"}, [], id="jwk text"),
        pytest.param({"crit": ["b64"]}, [], id="JWS-21 b64"),
        pytest.param({"crit": []}, [], id="JWS-21 empty"),
        pytest.param({"crit": ["alg"]}, [], id="JWS-21 of the RFC"),
        pytest.param({"crit": ["x"]}, [], id="JWS-21 not there"),
        pytest.param({"crit": ["x"], "x": 1}, [], id="JWS-21 unknown"),
        pytest.param({"crit": "x"}, [], id="JWS-21 text"),
        pytest.param({"crit": None}, [], id="JWS-21 null"),
        pytest.param({"b64": False, "crit": ["b64"]}, [], id="JWS-22 b64"),
        pytest.param({"b64": False}, [], id="JWS-22 b64 alone"),
        pytest.param({"b64": None}, [], id="JWS-22 b64 null"),
        pytest.param({"b64": 0}, [], id="JWS-22 b64 number"),
    ],
)
def test_a_header_that_leaves_a_choice_is_refused(override: dict[str, Any], remove: list[str]) -> None:
    """Abuse JWS-03: nobody picks one of two keys."""
    with refused("malformed", "JWS-HEADER"):
        envelope(override, *remove).signer()


def test_b64_true_changes_nothing() -> None:
    assert envelope({"b64": True}).signer().key is not None


def test_a_refused_key_is_refused_as_a_key() -> None:
    """KEY-01."""
    with refused("badPublicKey", "KEY-REFUSED"):
        envelope({"jwk": {**KEY.jwk, "d": "AA"}}).signer()


@pytest.mark.parametrize(
    "posted_to",
    [
        "https://ca.example/acme/web/orders/2?cursor=2",
        "https://ca.example/acme/web/orders/1",
        "https://ca.example/acme/web/orders/1?cursor=",
        "https://ca.example/acme/web/orders/1/?cursor=2",
        "https://ca.example/acme//web/orders/1?cursor=2",
        "http://ca.example/acme/web/orders/1?cursor=2",
        "https://ca.example:443/acme/web/orders/1?cursor=2",
        "https://CA.example/acme/web/orders/1?cursor=2",
        "https://ca.example/acme/web/orders/%31?cursor=2",
        "https://ca.example/acme/web/orders/1?cursor=2#",
        "",
    ],
)
def test_the_signed_url_is_compared_to_the_byte(posted_to: str) -> None:
    """JWS-20 (D2), OLS-05."""
    request = envelope({})

    request.check_url(URL)
    with refused("unauthorized", "JWS-URL", 403):
        request.check_url(posted_to)


@pytest.mark.parametrize(
    ("override", "remove"),
    [({}, ["url"]), ({"url": None}, []), ({"url": [URL]}, []), ({"url": {"a": URL}}, [])],
)
def test_a_url_is_a_string(override: dict[str, Any], remove: list[str]) -> None:
    """JWS-10."""
    with refused("malformed", "JWS-HEADER"):
        envelope(override, *remove).check_url(URL)


def test_no_nonce_is_an_empty_one() -> None:
    """NON-09: so that it is answered like any other nonce that cannot be used."""
    assert envelope({}, "nonce").nonce == ""


@pytest.mark.parametrize(
    "nonce", [5, None, True, ["bm9uY2U"], "a=b", "bm9uY2U=", "bm9uY2U\n", "a b", "A", "\u00e9"]
)
def test_a_nonce_is_base64url(nonce: object) -> None:
    """NON-18 (D3)."""
    with refused("malformed", "JWS-HEADER"):
        _ = envelope({"nonce": nonce}).nonce
