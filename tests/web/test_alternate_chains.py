"""A16: other chains of a certificate (RFC 8555 §7.4.2)."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.wiring.serving import Role
from tests.support.acme_client import Answer
from tests.support.cross_signing import CrossSigned, cross_signed
from tests.support.held import der_chain, hold
from tests.support.http01_responder import Http01Responder
from tests.support.problems import assert_refused
from tests.support.proxies import BRISK
from tests.support.proxy import Plan, Proxy, Vault, hosted, proxy, tenant

NAMES = 'names.allow = ["*.twice.example"]\nchallenges = ["http-01"]'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crossed(openbao: OpenBao, hierarchy: Hierarchy, pki_directory: Path) -> CrossSigned:
    """Return a tenant whose authority two roots signed."""
    assert hierarchy.root.parent == pki_directory
    return await cross_signed(openbao, pki_directory, "twice", "twice.example")


@pytest.fixture(scope="module")
def plan(openbao: OpenBao, crossed: CrossSigned, name_server: int) -> Plan:
    """Return what a proxy is made of that knows both roots."""
    patient = {"server": "challenge_wait = 2\nfinalize_wait = 5\n", "validation": BRISK["validation"]}
    tenants = {"twice": tenant(NAMES, crossed.pki)}
    return Plan(tenants, Role.ALL, Vault(openbao.address, crossed.roots), name_server, patient)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def twice(
    tmp_path_factory: pytest.TempPathFactory, empty_valkey: Valkey, responder: Http01Responder, plan: Plan
) -> AsyncIterator[Proxy]:
    """Run it."""
    async with hosted(proxy(tmp_path_factory.mktemp("twice"), empty_valkey, responder, plan)) as running:
        yield running


def alternates(answer: Answer) -> list[str]:
    """Return the links to other chains; there is none to an issuer (CRT-05)."""
    links = answer.headers.getall("Link")  # type: ignore[attr-defined] # several fields of one name
    assert not any('rel="up"' in link for link in links)
    found = [re.fullmatch(r'<([^>]+)>;rel="alternate"', link) for link in links]
    return [match[1] for match in found if match]


async def test_the_chains_of_a_certificate_lead_to_each_other(twice: Proxy, crossed: CrossSigned) -> None:
    """CRT-01, CRT-02, CRT-04, CRT-05, CSR-14."""
    held = await hold(twice, "www.twice.example", tenant="twice")
    default = await held.client.get(held.url)
    assert alternates(default) == [f"{held.url}/1"]
    other = await held.client.get(f"{held.url}/1")
    assert other.status == 200
    assert other.headers["Content-Type"] == "application/pem-certificate-chain"
    assert alternates(other) == [held.url]
    chain = der_chain(other.body)
    assert chain == [held.leaf, crossed.other]
    assert other.body.count(b"-----BEGIN CERTIFICATE-----\n") == 2
    leaf, issuer = (x509.load_der_x509_certificate(der) for der in chain)
    leaf.verify_directly_issued_by(issuer)
    assert issuer.issuer.rfc4514_string() == "CN=another root"
    root = x509.load_pem_x509_certificates(crossed.roots.read_bytes())[1]
    issuer.verify_directly_issued_by(root)
    assert root.public_bytes(Encoding.DER) not in chain


@pytest.mark.parametrize("number", ["0", "2", "01", "-1", "1.0", "99", "100", "x", "1/1", "%31"])
async def test_there_is_no_other_number(twice: Proxy, number: str) -> None:
    """CSR-14."""
    held = await hold(twice, "www.twice.example", tenant="twice")
    assert_refused(await held.client.get(f"{held.url}/{number}"), 404, "malformed")


async def test_another_chain_is_as_private_as_the_first(twice: Proxy) -> None:
    """CRT-07, CRT-08, CRT-09."""
    held = await hold(twice, "www.twice.example", tenant="twice")
    stranger = await twice.account("twice")
    refused = assert_refused(await stranger.get(f"{held.url}/1"), 404, "malformed")
    assert refused == assert_refused(await stranger.get(f"{held.url[:-1]}x/1"), 404, "malformed")
    assert_refused(await held.client.send("GET", f"{held.url}/1"), 405, "malformed", posted=False)
    assert_refused(await held.client.post(f"{held.url}/1", {}), 400, "malformed")


async def test_a_chain_to_a_root_that_nobody_named_is_not_handed_out(
    tmp_path: Path, empty_valkey: Valkey, responder: Http01Responder, plan: Plan, crossed: CrossSigned
) -> None:
    """INV-2, CSR-14: and the certificate is delivered all the same."""
    narrow = replace(plan, vault=Vault(plan.vault.address, crossed.root))
    async with proxy(tmp_path, empty_valkey, responder, narrow) as once:
        held = await hold(once, "www.twice.example", tenant="twice")
        assert alternates(await held.client.get(held.url)) == []
        assert_refused(await held.client.get(f"{held.url}/1"), 404, "malformed")
