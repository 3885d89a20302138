"""A2: which algorithms sign, and that each key has one (RFC 8555 §6.2, RFC 7518 §3)."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.support.acme_jws import Forgery
from tests.support.acme_keys import ALGORITHMS, AccountKey, b64url, generate
from tests.support.problems import assert_refused
from tests.support.proxy import Proxy

ORDER = {"identifiers": [{"type": "dns", "value": "www.alpha.example"}]}
LIST = ["RS256", "ES256", "ES384", "ES512", "EdDSA"]
KEYS = {algorithm: generate(algorithm) for algorithm in ALGORITHMS}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_certificate_by_every_algorithm(algorithm: str, issuing: Proxy) -> None:
    """JWS-13, JWS-14, JWS-15, CHL-15: from the account to the chain."""
    client = await issuing.account(key=KEYS[algorithm])
    issued = await client.obtain(["www.alpha.example"], issuing.responder)
    assert issued.order.json()["status"] == "valid"
    assert issued.chain.startswith(b"-----BEGIN CERTIFICATE-----\n")


@pytest.mark.parametrize(
    "algorithm",
    [
        "none",
        "NONE",
        "nOnE",
        "HS256",
        "HS384",
        "HS512",
        "PS256",
        "PS512",
        "RS1",
        "RS512",
        "ES256K",
        "RSA-OAEP",
        "",
        "es256",
        "A" * 5000,
    ],
)
async def test_other_algorithms_are_told_which_ones_work(algorithm: str, web: Proxy) -> None:
    """JWS-11, JWS-12, PRB-08, JWS-01 (abuse)."""
    client = await web.account()
    urls = await client.directory()
    async with web.state.unchanged():
        forgery = Forgery(
            override={"alg": algorithm}, signature=lambda _: b"" if algorithm == "none" else b"x" * 64
        )
        for answer in (
            await client.post(urls["newOrder"], ORDER, forgery),
            await client.post(urls["newAccount"], {}, forgery, signer=generate()),
        ):
            assert assert_refused(answer, 400, "badSignatureAlgorithm")["algorithms"] == LIST


async def test_a_public_key_is_no_shared_secret(web: Proxy) -> None:
    """JWS-11: HS256 keyed with what everybody knows, and a key that is meant to be one."""
    client = await web.account()
    public = client.key.jwk["x"].encode()
    mac = hmac.new(public, b"", hashlib.sha256).digest()
    forgery = Forgery(override={"alg": "HS256"}, signature=lambda _: mac)
    async with web.state.unchanged():
        answer = await client.post((await client.directory())["newOrder"], ORDER, forgery)
        assert_refused(answer, 400, "badSignatureAlgorithm")
        symmetric = Forgery(
            override={"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}, signature=lambda _: mac
        )
        answer = await client.post((await client.directory())["newAccount"], {}, symmetric, signer=client.key)
        assert_refused(answer, 400, "badSignatureAlgorithm")
        dressed = Forgery(override={"alg": "ES256", "jwk": {"kty": "oct", "k": "AAAA"}})
        answer = await client.post((await client.directory())["newAccount"], {}, dressed, signer=client.key)
        assert_refused(answer, 400, "badPublicKey")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("claimed", ALGORITHMS)
async def test_a_key_has_one_algorithm(claimed: str, algorithm: str, web: Proxy) -> None:
    """JWS-27, D11, JWS-02 (abuse): only the diagonal passes."""
    client = await web.account(key=KEYS[algorithm])
    forgery = Forgery(override={"alg": claimed})
    by_key = await client.post((await client.directory())["newAccount"], {}, forgery, signer=client.key)
    by_account = await client.get(str(client.kid), forgery)
    if claimed == algorithm:
        assert (by_key.status, by_account.status) == (200, 200)
    else:
        assert_refused(by_key, 400, "badPublicKey")
        assert_refused(by_account, 400, "malformed")


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
async def test_ecdsa_signatures_are_two_numbers_of_full_width(algorithm: str, web: Proxy) -> None:
    """JWS-26: DER, trimmed and padded forms are refused, zeros and too large numbers too."""
    client = await web.account(key=KEYS[algorithm])
    private = client.key.private
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    signer: ec.EllipticCurvePrivateKey = private
    digest = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384(), "ES512": hashes.SHA512()}[algorithm]
    half = (private.key_size + 7) // 8

    class Der(AccountKey):
        def sign(self, message: bytes) -> bytes:
            return signer.sign(message, ec.ECDSA(digest))

    honest, client.key = client.key, Der(private)
    assert_refused(await client.get(str(client.kid)), 400, "malformed")
    client.key = honest
    for spoil in (
        lambda s: s[:-1],
        lambda s: s + b"\0",
        lambda s: b"\0" + s[:half] + b"\0" + s[half:],
        lambda s: s[half:] + s[:half],
        lambda _: bytes(2 * half),
        lambda _: b"\xff" * 2 * half,
        lambda _: b"",
    ):
        assert_refused(await client.get(str(client.kid), Forgery(signature=spoil)), 400, "malformed")
    assert (await client.get(str(client.kid))).status == 200


@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA512()])  # noqa: S303 - that it is refused is the point
async def test_rsa_signatures_are_pkcs1_over_sha256(digest: hashes.HashAlgorithm, web: Proxy) -> None:
    """JWS-15, JWS-25."""
    client = await web.account(key=KEYS["RS256"])
    private = client.key.private
    assert isinstance(private, rsa.RSAPrivateKey)
    signer: rsa.RSAPrivateKey = private

    class Other(AccountKey):
        def sign(self, message: bytes) -> bytes:
            return signer.sign(message, padding.PKCS1v15(), digest)

    class Pss(AccountKey):
        def sign(self, message: bytes) -> bytes:
            return signer.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())

    for key in (Other(private), Pss(private)):
        client.key = key
        assert_refused(await client.get(str(client.kid)), 400, "malformed")


async def test_a_signature_of_another_account_is_none(web: Proxy) -> None:
    """JWS-25, JWS-14 (abuse)."""
    alice, bob = await web.account(), await web.account()
    async with web.state.unchanged():
        answer = await alice.post(
            str(alice.kid), {"contact": []}, Forgery(signature=lambda _: bob.key.sign(b"x"))
        )
        assert_refused(answer, 400, "malformed")
        bob.kid = alice.kid
        assert_refused(await bob.get(str(alice.kid)), 400, "malformed")


def test_the_keys_of_these_tests_differ() -> None:
    assert len({b64url(key.thumbprint.encode()) for key in KEYS.values()}) == 5
