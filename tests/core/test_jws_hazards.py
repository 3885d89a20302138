"""What the JOSE library under us takes, and the gate must not: one test for each thing that was found in it.

Every request here is built so that josepy's own `JWS.verify()` returns true, or breaks with something that
would be our fault in the log. The gate answers all of them as the client's.
"""

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from acmeproxy.core import jws
from acmeproxy.core.jwk import AccountKey
from tests.support import acme_keys
from tests.support.acme_jws import Forgery, sign
from tests.support.refusals import refused

KEY = acme_keys.generate()
HEADER: dict[str, Any] = {"jwk": KEY.jwk, "nonce": "bm9uY2U", "url": "https://ca.example/"}


def flattened(header: dict[str, Any], signature: bytes, payload: str = "e30") -> bytes:
    protected = acme_keys.b64url(json.dumps(header).encode())
    return json.dumps(
        {"protected": protected, "payload": payload, "signature": acme_keys.b64url(signature)}
    ).encode()


def signed_by_hand(header: dict[str, Any], digest: hashes.HashAlgorithm, octets: int) -> bytes:
    """Sign with P-256, whatever `alg` says."""
    message = f"{acme_keys.b64url(json.dumps(header).encode())}.e30".encode()
    assert isinstance(KEY.private, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(KEY.private.sign(message, ec.ECDSA(digest)))
    return r.to_bytes(octets) + s.to_bytes(octets)


def test_no_signature_at_all_is_no_signature() -> None:
    """`signatures: []` verifies, since all of none are good."""
    with refused("malformed", "JWS-SHAPE"):
        jws.parse(json.dumps({"payload": "e30", "signatures": []}).encode())


def test_two_signatures_are_one_too_many() -> None:
    one = json.loads(sign(KEY, HEADER, {}))
    two = [{"protected": one["protected"], "signature": one["signature"]}] * 2

    with refused("malformed", "JWS-SHAPE"):
        jws.parse(json.dumps({"payload": one["payload"], "signatures": two}).encode())


def test_a_shared_secret_is_no_account_key() -> None:
    """HS256 with an `oct` jwk proves that the sender knows what he sent along."""
    header = {**HEADER, "alg": "HS256", "jwk": {"kty": "oct", "k": "c2VjcmV0"}}
    message = f"{acme_keys.b64url(json.dumps(header).encode())}.e30".encode()
    envelope = jws.parse(flattened(header, hmac.digest(b"secret", message, hashlib.sha256)))

    with refused("badSignatureAlgorithm", "JWS-ALGORITHM"):
        envelope.signer()


@pytest.mark.parametrize("name", ["kid", "url", "nonce", "jwk"])
def test_nothing_is_read_outside_the_signature(name: str) -> None:
    """A `kid` or `url` in the unprotected header can be changed by whoever forwards the request."""
    forged = Forgery(
        remove=frozenset({name}),
        envelope=lambda members: {**members, "header": {name: HEADER.get(name, "x")}},
    )

    with refused("malformed", "JWS-SHAPE"):
        jws.parse(sign(KEY, {**HEADER, "kid": "x"}, {}, forged))


@pytest.mark.parametrize(
    ("algorithm", "digest", "octets"), [("ES512", hashes.SHA512(), 66), ("ES384", hashes.SHA384(), 48)]
)
def test_a_curve_has_one_algorithm(algorithm: str, digest: hashes.HashAlgorithm, octets: int) -> None:
    """ES512 over a P-256 key, with a signature that is right but for the curve."""
    header = {**HEADER, "alg": algorithm}
    ours = AccountKey.parse(KEY.jwk)
    for width in (octets, 32):
        envelope = jws.parse(flattened(header, signed_by_hand(header, digest, width)))

        with refused("badPublicKey", "KEY-REFUSED"):
            envelope.signer()
        with refused("malformed", "JWS-SIGNATURE"):
            envelope.verify(ours)


def test_of_a_repeated_parameter_none_wins() -> None:
    """The last one would win: a check of the first would say nothing about the request."""
    forged = Forgery(protected=lambda text: text[:-1] + b',"url":"https://evil.example/"}')

    with refused("malformed", "JWS-SHAPE"):
        jws.parse(sign(KEY, HEADER, {}, forged))


@pytest.mark.parametrize("junk", ["=", "==", "!", "\n", " ", "."])
def test_base64url_is_nothing_but_its_alphabet(junk: str) -> None:
    """Padding and junk are skipped, so that one request has endless spellings."""
    forged = Forgery(envelope=lambda members: {**members, "signature": members["signature"] + junk})

    with refused("malformed", "JWS-SHAPE"):
        jws.parse(sign(KEY, HEADER, {}, forged))


@pytest.mark.parametrize("algorithm", ["none", "ES256K", "Ed25519", "HS1", ""])
def test_an_unknown_algorithm_is_an_answer_and_no_key_error(algorithm: str) -> None:
    envelope = jws.parse(flattened({**HEADER, "alg": algorithm}, b""))

    with refused("badSignatureAlgorithm", "JWS-ALGORITHM") as refusal:
        envelope.signer()
    assert refusal.problem.algorithms


def test_ed25519_works_although_the_library_lacks_it() -> None:
    """`EdDSA` is a KeyError and `OKP` unknown there; RFC 8555 §6.2 wants both."""
    key = acme_keys.generate("EdDSA")
    envelope = jws.parse(sign(key, {**HEADER, "jwk": key.jwk}, {}))

    signer = envelope.signer()

    assert signer.key is not None
    envelope.verify(signer.key)


def test_an_algorithm_for_another_kind_of_key_is_an_answer_and_no_type_error() -> None:
    """RS256 in the header of an account whose key is on a curve (D11)."""
    rsa = acme_keys.generate("RS256")
    envelope = jws.parse(sign(rsa, {"kid": "x", "nonce": "bm9uY2U", "url": "x"}, {}))

    with refused("malformed", "JWS-SIGNATURE"):
        envelope.verify(AccountKey.parse(KEY.jwk))


@pytest.mark.parametrize(
    "octets",
    [
        b"[]",
        b"null",
        b"1",
        b'{"protected":"e30","signature":""}',
        pytest.param(b"[" * 100_000, id="lists"),
        pytest.param(b'{"a":' * 100_000, id="objects"),
    ],
)
def test_no_json_is_a_fault_of_ours(octets: bytes) -> None:
    """A list, a missing payload, 100 000 brackets: TypeError, KeyError and RecursionError there."""
    with refused("malformed", "JWS-SHAPE"):
        jws.parse(octets)


@pytest.mark.parametrize("algorithm", acme_keys.ALGORITHMS)
def test_a_private_key_is_refused_as_such(algorithm: str) -> None:
    """With a `d` the library makes a private key, which then has no `verify`."""
    key = acme_keys.generate(algorithm)
    envelope = jws.parse(sign(key, {**HEADER, "jwk": {**key.jwk, "d": "AQAB"}}, {}))

    with refused("badPublicKey", "KEY-REFUSED"):
        envelope.signer()
