"""A3: which keys an account may have, and that a key is one key however it is written (RFC 7638)."""

import asyncio
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519

from tests.support.acme_csr import certificate_request
from tests.support.acme_jws import Forgery
from tests.support.acme_keys import AccountKey, b64url, generate, unb64url
from tests.support.problems import assert_refused
from tests.support.proxy import Proxy
from tests.support.state import documents

RSA = generate("RS256")
EC = generate()
ED = generate("EdDSA")


def rsa_jwk(bits: int, exponent: int = 65537) -> dict[str, str]:
    """Return the JWK of a modulus of that length, of which nobody knows the factors."""
    n = (1 << (bits - 1)) | 0x1234567 | 1
    return {
        "kty": "RSA",
        "n": b64url(n.to_bytes((bits + 7) // 8)),
        "e": b64url(exponent.to_bytes(4).lstrip(b"\0")),
    }


def point(x: int, y: int, size: int = 32) -> dict[str, str]:
    return {"x": b64url(x.to_bytes(size)), "y": b64url(y.to_bytes(size))}


P = 2**256 - 2**224 + 2**192 + 2**96 - 1
BAD: dict[str, tuple[AccountKey, dict[str, Any]]] = {
    "KEY-01 RSA-1024": (RSA, rsa_jwk(1024)),
    "KEY-02 RSA-512": (RSA, rsa_jwk(512)),
    "KEY-02 RSA-2047": (RSA, rsa_jwk(2047)),
    "KEY-02 RSA-8193": (RSA, rsa_jwk(8193)),
    "KEY-02 RSA-16384": (RSA, rsa_jwk(16384)),
    "JWS-13 (abuse) RSA-32768": (RSA, rsa_jwk(32768)),
    "KEY-02 exponent 1": (RSA, {**RSA.jwk, "e": "AQ"}),
    "KEY-02 exponent 2": (RSA, {**RSA.jwk, "e": "Ag"}),
    "KEY-02 exponent 3": (RSA, {**RSA.jwk, "e": "Aw"}),
    "KEY-02 exponent of 65 bits": (RSA, {**RSA.jwk, "e": "AQAAAAAAAAAB"}),
    "KEY-02 even modulus": (RSA, {**RSA.jwk, "n": b64url(unb64url(RSA.jwk["n"])[:-1] + b"\0")}),
    "KEY-03 zero": (EC, {**EC.jwk, **point(0, 0)}),
    "KEY-03 not on the curve": (EC, {**EC.jwk, **point(1, 1)}),
    "KEY-03 coordinate out of range": (EC, {**EC.jwk, "x": b64url(P.to_bytes(32))}),
    "KEY-03 y of another point": (EC, {**EC.jwk, "y": generate().jwk["y"]}),
    "KEY-04 Ed448": (
        ED,
        {
            "kty": "OKP",
            "crv": "Ed448",
            "x": b64url(ed448.Ed448PrivateKey.generate().public_key().public_bytes_raw()),
        },
    ),
    "KEY-04 X25519": (
        ED,
        {
            "kty": "OKP",
            "crv": "X25519",
            "x": b64url(x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()),
        },
    ),
    "KEY-04 31 octets": (ED, {**ED.jwk, "x": b64url(bytes(31))}),
    "KEY-08 31 octets": (EC, {**EC.jwk, "x": b64url(bytes(31))}),
    "KEY-08 33 octets": (EC, {**EC.jwk, "x": b64url(b"\0" + unb64url(EC.jwk["x"]))}),
    "KEY-08 P-521 in 65 octets": (generate("ES512"), {"kty": "EC", "crv": "P-521", **point(1, 1, 65)}),
    "KEY-05 EC d": (EC, {**EC.jwk, "d": b64url(bytes(32))}),
    "KEY-05 RSA p": (RSA, {**RSA.jwk, "p": "AQAB"}),
    "KEY-05 RSA oth": (RSA, {**RSA.jwk, "oth": []}),
    "KEY-05 k": (EC, {**EC.jwk, "k": "AAAA"}),
    "KEY-12 use": (EC, {**EC.jwk, "use": "enc"}),
    "KEY-12 alg": (EC, {**EC.jwk, "alg": "ES384"}),
    "KEY-12 alg of the other kind": (RSA, {**RSA.jwk, "alg": "PS256"}),
    "curve unknown": (EC, {**EC.jwk, "crv": "secp256k1"}),
    "type unknown": (EC, {**EC.jwk, "kty": "ec"}),
    "no y": (EC, {name: value for name, value in EC.jwk.items() if name != "y"}),
    "n padded": (RSA, {**RSA.jwk, "n": RSA.jwk["n"] + "="}),
    "e a number": (RSA, {**RSA.jwk, "e": 65537}),
}


@pytest.mark.parametrize("case", BAD)
async def test_keys_that_are_refused(case: str, web: Proxy) -> None:
    """KEY-01 to KEY-05, KEY-08, KEY-12: with a reason, and before any signature is looked at."""
    key, jwk = BAD[case]
    client = web.client()
    async with web.state.unchanged():
        forgery = Forgery(override={"jwk": jwk})
        answer = await client.post((await client.directory())["newAccount"], {}, forgery, signer=key)
        assert_refused(answer, 400, "badPublicKey")


async def test_private_members_are_kept_nowhere(web: Proxy, log: structlog.testing.LogCapture) -> None:
    """KEY-05: neither in the state nor in a log nor in the answer."""
    secret = b64url(b"canary-of-a-private-key-32-octet")
    client = web.client()
    forgery = Forgery(override={"jwk": {**EC.jwk, "d": secret}})
    answer = await client.post((await client.directory())["newAccount"], {}, forgery, signer=EC)
    assert_refused(answer, 400, "badPublicKey")
    assert secret.encode() not in answer.body
    assert secret.encode() not in repr(await web.state.everything()).encode()
    assert secret not in repr(log.entries)


SAME: dict[str, tuple[AccountKey, dict[str, Any]]] = {
    "KEY-06 reordered": (EC, dict(reversed(EC.jwk.items()))),
    "KEY-06 extra members": (
        EC,
        {"kid": "x", "use": "sig", "alg": "ES256", "x5c": ["AA"], "key_ops": ["verify"], **EC.jwk},
    ),
    "KEY-07 zeros before n": (RSA, {**RSA.jwk, "n": b64url(b"\0\0" + unb64url(RSA.jwk["n"]))}),
    "KEY-07 zeros before e": (RSA, {**RSA.jwk, "e": "AAEAAQ"}),
    "KEY-06 Ed25519": (ED, {"alg": "EdDSA", **dict(reversed(ED.jwk.items()))}),
}


@pytest.mark.parametrize("case", SAME)
async def test_a_key_is_one_key_however_it_is_written(case: str, web: Proxy) -> None:
    """KEY-06, KEY-07, JWS-15 (abuse)."""
    key, jwk = SAME[case]
    client = await web.account(key=key)
    forgery = Forgery(override={"jwk": jwk})
    again = await client.post((await client.directory())["newAccount"], {}, forgery, signer=key)
    assert (again.status, again.location) == (200, client.kid)


async def test_coordinates_keep_their_leading_zeros(validating: Proxy) -> None:
    """KEY-07, CHL-15, erratum 7565: the proof of such a key is found."""
    key = generate()
    while unb64url(key.jwk["x"])[0] != 0:
        key = generate()
    client = await validating.account(key=key)
    await validating.ready(client, "zero.alpha.example")


async def test_many_at_once_get_one_account(web: Proxy) -> None:
    """KEY-09, ACC-03 (abuse): fifty requests, one account."""
    key = generate()
    clients = [web.client(key=key) for _ in range(50)]
    await asyncio.gather(*(client.nonce() for client in clients))
    for client in clients:
        await client.send("HEAD", (await client.directory())["newNonce"])
    before = documents(await web.state.everything(), "account")
    answers = await asyncio.gather(*(client.new_account() for client in clients))
    assert sorted(answer.status for answer in answers) == [200] * 49 + [201]
    assert len({answer.location for answer in answers}) == 1
    assert len({answer.body for answer in answers}) == 1
    after = documents(await web.state.everything(), "account")
    assert len(after) == len(before) + 1


async def test_no_accounts_key_is_certified(validating: Proxy) -> None:
    """KEY-10, FIN-08: neither one's own nor anybody else's."""
    client, stranger = await validating.account(), await validating.account()
    order = await validating.ready(client, "www.alpha.example")
    for key in (client.key, stranger.key):
        csr = certificate_request(["www.alpha.example"], key.private)
        assert_refused(await client.finalize(order.json()["finalize"], csr), 400, "badCSR")
    assert (await client.get(order.location)).json()["status"] == "ready"


async def test_no_certified_key_becomes_an_accounts(issuing: Proxy) -> None:
    """KEY-11."""
    client = await issuing.account()
    issued = await client.obtain(["www.alpha.example"], issuing.responder)
    other = issuing.client(key=AccountKey(issued.key))
    answer = await other.new_account()
    assert_refused(answer, 400, "badPublicKey")
    assert_refused(await other.new_account(onlyReturnExisting=True), 400, "accountDoesNotExist")


@pytest.mark.parametrize(
    "key",
    [
        AccountKey(rsa.generate_private_key(65537, 3072)),
        AccountKey(ec.generate_private_key(ec.SECP384R1())),
        AccountKey(ec.generate_private_key(ec.SECP521R1())),
    ],
    ids=["RSA-3072", "P-384", "P-521"],
)
async def test_stronger_keys_are_welcome(key: AccountKey, web: Proxy) -> None:
    """KEY-02."""
    assert (await web.client(key=key).new_account()).status == 201
