"""External account binding: a MAC over the account's own key (A7: EAB-02..09, 13, 16; abuse ACC-05, 10)."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from acmeproxy.core import eab, jws
from acmeproxy.core.encoding import b64url_decode, b64url_encode
from acmeproxy.core.ids import AccountId
from acmeproxy.core.jwk import AccountKey
from tests.support import acme_keys
from tests.support.acme_jws import HONEST, ExternalAccount, Forgery, bind, flip_last_bit
from tests.support.refusals import refused

URL = "https://ca.example/acme/web/new-account"
KEY = acme_keys.generate()
SECRET = bytes(range(32))
GIVEN = ExternalAccount("kid-1", base64.urlsafe_b64encode(SECRET).decode().rstrip("="))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAC_KEY = eab.EabKey("kid-1", SECRET, NOW)


def parse(binding: object, url: str = URL, key: acme_keys.AccountKey = KEY) -> eab.Binding:
    return eab.parse(binding, url, AccountKey.parse(key.jwk))


def bound(forgery: Forgery = HONEST) -> object:
    return bind(GIVEN, KEY, URL, forgery)


def by_hand(algorithm: str, digest: str, payload: bytes) -> dict[str, str]:
    header = json.dumps({"alg": algorithm, "kid": "kid-1", "url": URL}).encode()
    protected, body = acme_keys.b64url(header), acme_keys.b64url(payload)
    mac = hmac.digest(SECRET, f"{protected}.{body}".encode(), digest)
    return {"protected": protected, "payload": body, "signature": acme_keys.b64url(mac)}


def test_the_mac_of_the_rfc_verifies() -> None:
    """RFC 7515 A.1."""
    vectors = json.loads((Path(__file__).parents[1] / "vectors" / "jose.json").read_text("utf-8"))
    vector: dict[str, str] = vectors["mac"]
    envelope = jws.from_members({name: vector[name] for name in ("protected", "payload", "signature")})
    key = eab.EabKey("k", b64url_decode(vector["key"]), datetime(2026, 1, 1, tzinfo=UTC))

    assert eab.Binding("k", envelope, "sha256").verify(key) is key


def test_an_honest_binding_is_accepted() -> None:
    binding = parse(bound())

    assert binding.kid == "kid-1"
    assert binding.verify(MAC_KEY) is MAC_KEY


@pytest.mark.parametrize(
    ("algorithm", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")]
)
def test_all_macs_of_the_family_are_taken(algorithm: str, digest: str) -> None:
    """EAB-03."""
    binding = parse(by_hand(algorithm, digest, json.dumps(KEY.jwk).encode()))

    assert binding.verify(MAC_KEY) is MAC_KEY


@pytest.mark.parametrize(
    "write",
    [
        lambda jwk: json.dumps(jwk, indent=2),
        lambda jwk: json.dumps(dict(reversed(jwk.items()))),
        lambda jwk: json.dumps({**jwk, "kid": "x", "alg": "ES256", "use": "sig"}),
        lambda jwk: " " + json.dumps(jwk, sort_keys=True) + "\n",
    ],
    ids=["spaced", "reversed", "with more members", "sorted"],
)
def test_the_same_key_in_other_words_is_the_same_key(write: Callable[[dict[str, str]], str]) -> None:
    """EAB-09, abuse ACC-05: compared by thumbprint, since clients differ in order and spacing."""
    assert parse(by_hand("HS256", "sha256", write(KEY.jwk).encode())).verify(MAC_KEY) is MAC_KEY


def _without(*names: str) -> Callable[[dict[str, Any]], object]:
    return lambda members: {key: value for key, value in members.items() if key not in names}


@pytest.mark.parametrize(
    "forgery",
    [
        pytest.param(Forgery(envelope=lambda m: ".".join(m.values())), id="EAB-02 compact"),
        pytest.param(Forgery(envelope=lambda m: [m]), id="EAB-02 list"),
        pytest.param(Forgery(envelope=json.dumps), id="EAB-02 text"),
        pytest.param(Forgery(envelope=lambda _: None), id="EAB-02 null"),
        pytest.param(Forgery(envelope=lambda _: {}), id="EAB-02 empty"),
        pytest.param(Forgery(envelope=_without("signature")), id="EAB-02 no signature"),
        pytest.param(Forgery(envelope=_without("payload")), id="EAB-02 no payload"),
        pytest.param(Forgery(envelope=lambda m: {**m, "protected": 1}), id="EAB-02 number"),
        pytest.param(Forgery(envelope=lambda m: {**m, "header": {}}), id="EAB-02 header"),
        pytest.param(Forgery(envelope=lambda m: {**m, "signatures": []}), id="EAB-02 signatures"),
        pytest.param(
            Forgery(envelope=lambda m: {**m, "signature": m["signature"] + "="}), id="EAB-02 padding"
        ),
        pytest.param(Forgery(protected=lambda t: t[:-1] + b',"kid":"other"}'), id="EAB-02 kid twice"),
        pytest.param(Forgery(override={"alg": "ES256"}), id="EAB-03 ES256"),
        pytest.param(Forgery(override={"alg": "none"}), id="EAB-03 none"),
        pytest.param(Forgery(override={"alg": "HS1"}), id="EAB-03 HS1"),
        pytest.param(Forgery(override={"alg": ["HS256"]}), id="EAB-03 list"),
        pytest.param(Forgery(remove=frozenset({"alg"})), id="EAB-03 missing"),
        pytest.param(Forgery(remove=frozenset({"kid"})), id="EAB-04 missing"),
        pytest.param(Forgery(override={"kid": 1}), id="EAB-04 number"),
        pytest.param(Forgery(override={"kid": ""}), id="EAB-04 empty"),
        pytest.param(Forgery(override={"kid": "k\u00e4y"}), id="EAB-04 not ASCII"),
        pytest.param(Forgery(override={"jwk": KEY.jwk}), id="EAB-04 jwk"),
        pytest.param(Forgery(override={"nonce": "bm9uY2U"}), id="EAB-05 nonce"),
        pytest.param(Forgery(override={"nonce": None}), id="EAB-05 null"),
        pytest.param(Forgery(override={"url": URL + "/"}), id="EAB-06 slash"),
        pytest.param(Forgery(override={"url": "https://ca.example/acme/web/directory"}), id="EAB-06 other"),
        pytest.param(Forgery(override={"url": None}), id="EAB-06 null"),
        pytest.param(Forgery(remove=frozenset({"url"})), id="EAB-06 missing"),
        pytest.param(Forgery(payload=b""), id="EAB-09 no key"),
        pytest.param(Forgery(payload=b"[]"), id="EAB-09 list"),
        pytest.param(Forgery(payload=b"{}"), id="EAB-09 empty"),
        pytest.param(Forgery(payload=json.dumps({**KEY.jwk, "d": "AA"}).encode()), id="EAB-09 private key"),
        pytest.param(Forgery(payload=json.dumps(acme_keys.generate().jwk).encode()), id="EAB-09 other key"),
        pytest.param(Forgery(override={"crit": ["x"], "x": 1}), id="EAB-16 crit"),
        pytest.param(Forgery(override={"crit": []}), id="EAB-16 empty crit"),
        pytest.param(Forgery(override={"b64": False}), id="EAB-16 b64"),
    ],
)
def test_a_binding_of_another_shape_is_refused(forgery: Forgery) -> None:
    with refused("malformed", "EAB-SHAPE"):
        parse(bound(forgery))


def test_the_outer_url_decides() -> None:
    """EAB-06: a binding for one directory is none for another."""
    with refused("malformed", "EAB-SHAPE"):
        parse(bound(), url="https://ca.example/acme/other/new-account")


def test_the_outer_key_decides() -> None:
    """EAB-09: somebody else's binding cannot be brought along."""
    with refused("malformed", "EAB-SHAPE"):
        parse(bound(), key=acme_keys.generate())


OTHER = eab.EabKey("kid-1", SECRET[::-1], MAC_KEY.created_at)


def test_an_unknown_kid_and_a_wrong_mac_look_the_same() -> None:
    """EAB-07, EAB-08, abuse ACC-10: kids cannot be told from one another."""
    seen = set()
    for forgery, key in (
        (HONEST, None),
        (HONEST, OTHER),
        (Forgery(signature=flip_last_bit), MAC_KEY),
        (Forgery(signature=lambda mac: mac[:16]), MAC_KEY),
        (Forgery(signature=lambda _: b""), MAC_KEY),
        (Forgery(override={"alg": "HS512"}), MAC_KEY),
    ):
        with refused("unauthorized", "EAB-REFUSED", 403) as refusal:
            parse(bound(forgery)).verify(key)
        seen.add(refusal.problem)

    assert len(seen) == 1


def test_the_key_of_an_unknown_kid_is_not_all_zeros() -> None:
    """What stands in for a key that does not exist opens nothing."""
    zeros = ExternalAccount("kid-1", "A" * 43)

    with refused("unauthorized", "EAB-REFUSED", 403):
        parse(bind(zeros, KEY, URL)).verify(None)


ONE = AccountId("one")
TWO = AccountId("two")


def test_a_key_binds_as_many_accounts_as_it_may() -> None:
    """EAB-13: the key of an account again is the same use, so that a lost answer costs none."""
    single = msgspec.structs.replace(MAC_KEY, uses=1)

    used = single.bind("thumbprint-1", ONE, NOW)

    assert used.accounts == {"thumbprint-1": ONE}
    assert used.bind("thumbprint-1", ONE, NOW) == used
    with refused("unauthorized", "EAB-REFUSED", 403):
        used.bind("thumbprint-2", TWO, NOW)


def test_a_key_without_a_number_binds_any() -> None:
    bound_twice = MAC_KEY.bind("thumbprint-1", ONE, NOW).bind("thumbprint-2", TWO, NOW)

    assert bound_twice.accounts == {"thumbprint-1": ONE, "thumbprint-2": TWO}


def test_a_key_ends_at_the_moment_that_it_names() -> None:
    ending = msgspec.structs.replace(MAC_KEY, expires_at=NOW)

    ending.bind("t", ONE, NOW - timedelta(microseconds=1))
    with refused("unauthorized", "EAB-REFUSED", 403):
        ending.bind("t", ONE, NOW)


def test_a_revoked_key_binds_nobody_more() -> None:
    """EAB-13; the first moment counts."""
    revoked = MAC_KEY.revoke(NOW)

    assert revoked.revoked_at == NOW
    assert revoked.revoke(NOW + timedelta(days=1)) is revoked
    with refused("unauthorized", "EAB-REFUSED", 403):
        revoked.bind("t", ONE, NOW)


def test_a_key_is_no_option_of_a_command_line() -> None:
    """EAB-14: 256 random bits, and certbot takes `--eab-hmac-key` with whatever comes out."""
    drawn = {eab.new_secret() for _ in range(2000)}
    assert len(drawn) == 2000
    assert {len(secret) for secret in drawn} == {32}
    # All of the alphabet of base64url but for the one.
    assert len({b64url_encode(secret)[0] for secret in drawn} - {"-"}) == 63
    assert not any(b64url_encode(secret).startswith("-") for secret in drawn)
