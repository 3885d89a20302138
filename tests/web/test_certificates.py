"""A16: certificate chains (RFC 8555 §7.4.2, §9.1)."""

import itertools
import re

import pytest
import pytest_asyncio
from cryptography import x509

from acmeproxy.adapters.vault.provisioning import Hierarchy
from tests.support.acme_client import AcmeClient, Issued
from tests.support.acme_jws import Forgery, sign
from tests.support.problems import assert_refused
from tests.support.proxy import Proxy

NAME = "www.alpha.example"
BLOCK = (
    rb"-----BEGIN CERTIFICATE-----\n"
    rb"(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{1,64}={0,2}\n"
    rb"-----END CERTIFICATE-----\n"
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def held(issuing: Proxy) -> tuple[AcmeClient, Issued]:
    """Return a client and what it got."""
    client = await issuing.account()
    return client, await client.obtain([NAME], issuing.responder)


async def test_a_chain_is_strict_pem(held: tuple[AcmeClient, Issued]) -> None:
    """CRT-01, CRT-02, CLI-08: certificates only, lines of 64, LF, nothing between and nothing around."""
    client, issued = held
    answer = await client.get(issued.order.json()["certificate"])
    assert answer.headers["Content-Type"] == "application/pem-certificate-chain"
    assert re.fullmatch(rb"(?:%s)+" % BLOCK, answer.body)
    assert int(answer.headers["Content-Length"]) == len(answer.body)


async def test_every_certificate_certifies_the_one_before(
    held: tuple[AcmeClient, Issued], hierarchy: Hierarchy
) -> None:
    """CRT-02, CRT-03, FIN-19: leaf first, up to the root and without it."""
    _, issued = held
    chain = x509.load_pem_x509_certificates(issued.chain)
    assert len(chain) >= 2
    assert chain[0].public_key() == issued.key.public_key()
    for child, issuer in itertools.pairwise(chain):
        child.verify_directly_issued_by(issuer)
    root = x509.load_pem_x509_certificate(hierarchy.root.read_bytes())
    chain[-1].verify_directly_issued_by(root)
    assert root not in chain


async def test_nothing_leads_upwards(held: tuple[AcmeClient, Issued]) -> None:
    """CRT-05, CLI-27: acmez appends what it finds there."""
    client, issued = held
    answer = await client.get(issued.order.json()["certificate"])
    links = [value for name, value in answer.headers.items() if name == "Link"]
    assert not [link for link in links if 'rel="up"' in link]


async def test_a_chain_never_changes(held: tuple[AcmeClient, Issued], issuing: Proxy) -> None:
    """CRT-06, CRT-12: the same octets for ever; a renewal has another URL."""
    client, issued = held
    url = issued.order.json()["certificate"]
    assert {(await client.get(url)).body for _ in range(3)} == {issued.chain}
    renewed = await client.obtain([NAME], issuing.responder)
    assert renewed.order.json()["certificate"] != url
    assert renewed.chain != issued.chain
    assert (await client.get(url)).body == issued.chain


async def test_it_is_its_owners_only(held: tuple[AcmeClient, Issued], issuing: Proxy) -> None:
    """CRT-07, D4: also before the same key at another tenant."""
    client, issued = held
    url = issued.order.json()["certificate"]
    bob, elsewhere = await issuing.account(), await issuing.account("beta", client.key)
    foreign, missing = await bob.get(url), await bob.get(url[:-32] + "0" * 32)
    assert_refused(foreign, 404, "malformed")
    assert foreign.body == missing.body
    there = url.replace("/alpha/", "/beta/")
    assert_refused(await elsewhere.get(there), 404, "malformed")
    assert_refused(await elsewhere.get(url), 400, "malformed")


@pytest.mark.parametrize("payload", [b"{}", b"null", b"x", b'{"accept":"der"}'])
async def test_it_is_only_read(payload: bytes, held: tuple[AcmeClient, Issued], issuing: Proxy) -> None:
    """CRT-08, CRT-09, JWS-29."""
    client, issued = held
    url = issued.order.json()["certificate"]
    async with issuing.state.unchanged():
        assert_refused(await client.post(url, None, Forgery(payload=payload)), 400, "malformed")
        assert_refused(await client.send("GET", url), 405, "malformed", posted=False)


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/pem-certificate-chain",
        "application/json",
        "application/pkix-cert",
        "text/html",
        "",
    ],
)
async def test_there_is_one_form(accept: str, held: tuple[AcmeClient, Issued]) -> None:
    """CRT-10: whatever a client would like, and whatever its library says for it."""
    client, issued = held
    url = issued.order.json()["certificate"]
    body = sign(client.key, {"nonce": await client.nonce(), "url": url, "kid": client.kid}, None)
    answer = await client.send("POST", url, body, {"Content-Type": "application/jose+json", "Accept": accept})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/pem-certificate-chain")
    assert answer.body == issued.chain


async def test_a_closed_account_reads_nothing_and_its_certificate_stays(issuing: Proxy) -> None:
    """ACC-10, ACC-08: what was issued is neither revoked nor forgotten."""
    client = await issuing.account()
    issued = await client.obtain([NAME], issuing.responder)
    url = issued.order.json()["certificate"]
    before = await issuing.state.document("certificate", url[-32:])
    await client.deactivate()
    assert_refused(await client.get(url), 401, "unauthorized")
    assert await issuing.state.document("certificate", url[-32:]) == before
