"""What a real mount shows to anybody, and what it says when it cannot."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.x509 import ocsp as reference

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.vault.client import Gate, VaultClient
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy, provision
from acmeproxy.adapters.vault.public_mount import PublicMount
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core import ocsp
from acmeproxy.core.ocsp import CertId, Fault
from acmeproxy.services.flights import AwayError, UnfitError
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.support.openbao import ALPHA, BETA, as_root, connections, intent, tenant

SPACE = "admin/alpha"
NEVER_ISSUED = 0x1393B2184DFB7C2881D8A572A8593AB63507C50D


@pytest_asyncio.fixture
async def gate() -> AsyncIterator[Gate]:
    made = Gate(4)
    yield made
    made.close()


def mounted(gate: Gate, port: int, mount: str = "pki", namespace: str = SPACE) -> PublicMount:
    """Return a mount that is asked without a token."""
    connection = VaultConnection(f"http://127.0.0.1:{port}", TokenLogin(Secret("")), namespace)
    return PublicMount(VaultClient(connection, gate), mount)


@pytest_asyncio.fixture
async def mount(gate: Gate, openbao: OpenBao, hierarchy: Hierarchy) -> PublicMount:
    assert hierarchy.tenants[ALPHA].place.namespace == SPACE
    return mounted(gate, openbao.port)


async def issuing(mount: PublicMount) -> x509.Certificate:
    found = await mount.issuers()
    return x509.load_der_x509_certificate(found.by_id[found.default].certificate)


def status_of(der: bytes) -> str:
    return reference.load_der_ocsp_response(der).certificate_status.name


async def test_every_issuer_is_shown_with_its_chain(mount: PublicMount, hierarchy: Hierarchy) -> None:
    """vault.md §1: the issuing CA is the default; those above it are there without their keys."""
    found = await mount.issuers()
    names = {
        x509.load_der_x509_certificate(one.certificate).subject.rfc4514_string(): (one.signs, len(one.chain))
        for one in found.by_id.values()
    }
    assert names == {
        "CN=acmeproxy development alpha CA": (True, 3),
        "CN=acmeproxy development signing CA": (False, 2),
        "CN=acmeproxy development root": (False, 1),
    }
    default = found.by_id[found.default]
    assert default.chain[0] == default.certificate
    root = x509.load_pem_x509_certificate(hierarchy.root.read_bytes())
    assert x509.load_der_x509_certificate(default.chain[2]) == root


async def test_lists_are_shown_and_none_of_issuers_without_a_key(mount: PublicMount) -> None:
    found = await mount.issuers()
    for delta in (False, True):
        der = await mount.revocation_list(found.default, delta=delta)
        assert der is not None
        crl = x509.load_der_x509_crl(der)
        assert crl.issuer == (await issuing(mount)).subject
        assert [e.oid for e in crl.extensions].count(x509.DeltaCRLIndicator.oid) == int(delta)
    keyless = next(one.id for one in found.by_id.values() if not one.signs)
    assert await mount.revocation_list(keyless, delta=False) is None


async def test_the_responder_answers_every_hash_and_a_number_that_was_never_issued_is_good(
    mount: PublicMount,
) -> None:
    """vault.md §3: Vault does not look whether it issued a number."""
    for names in ocsp.issuer_hashes(await issuing(mount)):
        answer = await mount.status(ocsp.encode_request(CertId(names, NEVER_ISSUED)))
        assert status_of(answer) == "GOOD"


async def test_a_revocation_is_answered_at_once(
    mount: PublicMount, openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))
        leaf = x509.load_der_x509_certificate(signed.leaf)
        names = ocsp.issuer_hashes(await issuing(mount))[0]
        request = ocsp.encode_request(CertId(names, leaf.serial_number))
        assert status_of(await mount.status(request)) == "GOOD"
        await signer.revoke(tenant(hierarchy), signed.leaf)
        assert status_of(await mount.status(request)) == "REVOKED"


async def test_of_another_mounts_certificates_vault_knows_nothing(
    gate: Gate, mount: PublicMount, openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """VLT-16: `unknown`, signed by the mount that was asked."""
    assert hierarchy.tenants[BETA].place.namespace == "admin/beta"
    other = mounted(gate, openbao.port, namespace="admin/beta")
    names = ocsp.issuer_hashes(await issuing(other))[0]
    assert status_of(await mount.status(ocsp.encode_request(CertId(names, NEVER_ISSUED)))) == "UNKNOWN"


@pytest.mark.parametrize(("path", "namespace"), [("nowhere", SPACE), ("pki", "admin/nobody")])
async def test_a_mount_that_is_not_there_is_away(
    gate: Gate, openbao: OpenBao, hierarchy: Hierarchy, path: str, namespace: str
) -> None:
    """403 and 404 without a token are also what a mount says that is being loaded."""
    assert namespace not in {pki.place.namespace for pki in hierarchy.tenants.values()} or path != "pki"
    mount = mounted(gate, openbao.port, path, namespace)
    for asking in (
        mount.issuers(),
        mount.revocation_list("default", delta=False),
        mount.status(ocsp.encode_request(CertId(ocsp.IssuerHash("sha1", b"n" * 20, b"k" * 20), 5))),
    ):
        with pytest.raises(AwayError, match=r"Vault answered 40[34]"):
            await asking


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http_answer(500, {"errors": ["unable to find PKI issuer for reference: x"]}), UnfitError),
        (http_answer(400, {"errors": ["no"]}), UnfitError),
        (
            http_answer(500, {"errors": ["local node not active but active cluster node not found"]}),
            AwayError,
        ),
        (http_answer(404, {"errors": ["no handler for route"]}), AwayError),
        (http_answer(503, b"<html>"), AwayError),
    ],
    ids=["no issuer", "bad request", "no leader", "no mount", "gateway"],
)
async def test_what_is_wrong_with_one_thing_is_told_from_a_mount_that_is_away(
    gate: Gate, answer: bytes, kind: type[AwayError]
) -> None:
    for delta in (False, True):
        async with canned_vault(answer) as vault:
            with pytest.raises(AwayError) as raised:
                await mounted(gate, vault.port).revocation_list("x", delta=delta)
        assert type(raised.value) is kind
    async with canned_vault(answer) as vault:
        with pytest.raises(AwayError) as raised:
            await mounted(gate, vault.port).status(b"a request")
    assert type(raised.value) is kind


@pytest.mark.parametrize("path", ["../sys", "pki/../x", "", "a//b", "pki?x"])
async def test_a_mount_is_a_path_of_plain_names(gate: Gate, path: str) -> None:
    """INV-4."""
    with pytest.raises(ValueError, match="is not a name"):
        mounted(gate, 1, path)


async def test_a_responder_that_is_switched_off_and_a_seal_are_told_apart(tmp_path: Path, gate: Gate) -> None:
    async with running_openbao(tmp_path) as own:
        suffixes = {"alpha": ("alpha.example",)}
        await asyncio.to_thread(provision, own.address, own.root_token, tmp_path, suffixes)
        mount = mounted(gate, own.port)
        request = ocsp.encode_request(CertId(ocsp.issuer_hashes(await issuing(mount))[0], 5))
        assert await mount.status(b"junk") == Fault.MALFORMED_REQUEST.value
        await as_root(own, "POST", "pki/config/crl", SPACE, {"ocsp_disable": True})
        assert await mount.status(request) == Fault.UNAUTHORIZED.value
        await as_root(own, "PUT", "sys/seal")
        for asking in (
            mount.issuers(),
            mount.status(request),
            mount.revocation_list("default", delta=False),
        ):
            with pytest.raises(AwayError, match="Vault answered 503 'Vault is sealed'"):
                await asking


async def test_nobody_at_the_address_is_away(gate: Gate) -> None:
    with pytest.raises(AwayError, match="ConnectionError"):
        await mounted(gate, 1).issuers()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http_answer(200, b"x" * (64 * 1024 + 1)), "more than 65536 octets"),
        (http_answer(502, b"<html>a gateway</html>"), "Vault answered 502"),
        (http_answer(307, b"", "Location: http://127.0.0.1:1/"), "Vault answered 307"),
        (http_answer(429, {"errors": ["request path: rate limit quota exceeded"]}), "Vault answered 429"),
    ],
    ids=["endless", "gateway", "redirect", "quota"],
)
async def test_what_is_no_status_is_not_taken_for_one(gate: Gate, answer: bytes, reason: str) -> None:
    async with canned_vault(answer) as vault:
        with pytest.raises(AwayError, match=reason):
            await mounted(gate, vault.port).status(b"a request")
        [asked] = vault.requests
    head = asked.lower()
    assert b"content-type: application/ocsp-request" in head
    assert b"x-vault-token" not in head
