"""Metadata goes to Vault where its own help says that it is taken, and nowhere else."""

import base64
import json
from typing import Final

import msgspec
import pytest
from structlog.testing import capture_logs

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.ids import AccountId, OrderId, TenantName
from acmeproxy.core.order import Intent
from acmeproxy.core.provenance import Provenance
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError, SigningRefusedError
from tests.adapters.vault.canned_vault import CannedVault, canned_vault, http_answer
from tests.support.cutting_proxy import cutting_proxy
from tests.support.openbao import connections, intent, tenant

CANNED: Final = Tenant(TenantName("canned"), VaultPlace("pki", "acme", issuer="issuing-1"), Names())
PROVENANCE: Final = Provenance(
    TenantName("canned"),
    AccountId("0a"),
    OrderId("0b"),
    "eab_1",
    (ChallengeType.DNS01, ChallengeType.HTTP01),
    {"team": "checkout"},
)
#: As Vault Enterprise 1.17 writes it, by its documentation.
LISTED: Final = (
    "## PARAMETERS\n\n    cert_metadata (string)\n\n        User supplied metadata\n\n    csr (string)\n"
)
ELSEWHERE: Final = (
    "## PARAMETERS\n\n    csr (string)\n\n        Not to be confused with cert_metadata (string)\n"
)


def wanted() -> Intent:
    return msgspec.structs.replace(intent(["a.example.org"]), provenance=PROVENANCE)


def to(vault: CannedVault) -> dict[TenantName, VaultConnection]:
    return {CANNED.name: VaultConnection(f"http://127.0.0.1:{vault.port}", TokenLogin(Secret("s.canned")))}


def both(status: int, said: str, text: str) -> bytes:
    """Return one answer to everything: help for who asks for that, and a refusal."""
    return http_answer(status, {"help": said, "data": {}, "errors": [text] if text else None})


async def test_it_is_sent_where_help_lists_it() -> None:
    async with canned_vault(both(200, LISTED, "")) as vault, VaultSigner(to(vault)) as signer:
        await signer.read_role(CANNED)
        vault.answer = http_answer(400, {"errors": ["no"]})
        with pytest.raises(SigningRefusedError):
            await signer.sign(CANNED, wanted())
        with pytest.raises(SigningRefusedError):
            await signer.sign(CANNED, intent(["a.example.org"]))
    asked, role, first, second = vault.requests[1:]
    assert asked.startswith(b"GET /v1/pki/issuer/issuing-1/sign/acme?help=1 HTTP/1.1\r\n")
    assert role.startswith(b"GET /v1/pki/roles/acme HTTP/1.1\r\n")
    sent = json.loads(first.partition(b"\r\n\r\n")[2])["cert_metadata"]
    assert json.loads(base64.b64decode(sent, validate=True)) == {
        "tenant": "canned",
        "account": "0a",
        "order": "0b",
        "eab_kid": "eab_1",
        "methods": ["dns-01", "http-01"],
        "tags": {"team": "checkout"},
    }
    # An intent of an older version has none.
    assert b"cert_metadata" not in second


async def test_help_is_asked_for_once_in_a_while() -> None:
    async with canned_vault(both(200, LISTED, "")) as vault, VaultSigner(to(vault)) as signer:
        for _ in range(3):
            await signer.read_role(CANNED)
    assert len([request for request in vault.requests if b"?help=1" in request]) == 1


@pytest.mark.parametrize("said", [ELSEWHERE, "", "cert_metadata"])
async def test_it_is_not_sent_where_help_does_not_list_it(said: str) -> None:
    async with canned_vault(both(200, said, "")) as vault, VaultSigner(to(vault)) as signer:
        await signer.read_role(CANNED)
        vault.answer = http_answer(400, {"errors": ["no"]})
        with pytest.raises(SigningRefusedError):
            await signer.sign(CANNED, wanted())
    assert b"cert_metadata" not in vault.requests[-1]


async def test_it_is_not_sent_before_help_was_read() -> None:
    async with canned_vault(http_answer(400, {"errors": ["no"]})) as vault, VaultSigner(to(vault)) as signer:
        with pytest.raises(SigningRefusedError):
            await signer.sign(CANNED, wanted())
    assert [request for request in vault.requests if b"cert_metadata" in request] == []


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, "1 error occurred:\n\t* permission denied\n\n"),
        (400, "metadata provided but no_store_metadata is true"),
    ],
)
async def test_where_it_is_refused_the_next_attempt_leaves_it_out(status: int, text: str) -> None:
    """Nothing was signed, and the order goes on without; the operator is told what to change."""
    async with canned_vault(both(200, LISTED, "")) as vault, VaultSigner(to(vault)) as signer:
        await signer.read_role(CANNED)
        vault.answer = http_answer(status, {"errors": [text]})
        with capture_logs() as logs, pytest.raises(SigningDeferredError):
            await signer.sign(CANNED, wanted())
        vault.answer = http_answer(400, {"errors": ["no"]})
        with pytest.raises(SigningRefusedError):
            await signer.sign(CANNED, wanted())
    assert b"cert_metadata" not in vault.requests[-1]
    [told] = [entry for entry in logs if entry["event"] == "vault refused metadata"]
    assert "cert_metadata" in told["mend"]


async def test_openbao_takes_none_and_gets_none(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    async with (
        cutting_proxy(openbao.port) as proxy,
        VaultSigner(connections(hierarchy, proxy.port)) as signer,
    ):
        role = await signer.read_role(tenant(hierarchy))
        assert role is not None
        assert (role.name, role.allowed_domains, role.max_ttl) == ("acme", ("alpha.example",), 720 * 3600)
        ordered = msgspec.structs.replace(intent(["www.alpha.example"]), provenance=PROVENANCE)
        await signer.sign(tenant(hierarchy), ordered)
        assert proxy.count(b"/sign/acme?help=1") == 1
        assert proxy.count(b"cert_metadata") == 0
