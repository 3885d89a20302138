"""A node whose store is behind is not believed when it has no certificate (VLT-10, INV-5)."""

import asyncio
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.openbao import openbao
from acmeproxy.adapters.vault.client import INDEX_HEADER
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.provisioning import provision
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.canned_vault import TOKEN_WITHOUT_END, http_answer
from tests.adapters.vault.scripted_vault import ScriptedVault, scripted_vault
from tests.support.cutting_proxy import cutting_proxy
from tests.support.eventually import eventually
from tests.support.openbao import ALPHA, connections, intent, tenant

TENANT = Tenant(TenantName("behind"), VaultPlace("pki", "web", ""), Names(("*",)))
LOOKUP = (b"lookup-self", http_answer(200, TOKEN_WITHOUT_END))
WRITTEN = http_answer(204, b"", f"{INDEX_HEADER}: as-far-as-this")
LOOKED = (b"LIST /v1/pki/certs/detailed", b"GET /v1/pki/cert/")
SCRIPT = [LOOKUP, (b"cubbyhole", WRITTEN)]
BEHIND = (
    http_answer(412, {"errors": ["required index state not present"]}),
    http_answer(429, {"errors": []}, "Retry-After: 1"),
)
NOTHING = http_answer(404, {"errors": []})


def signer_at(vault: ScriptedVault) -> VaultSigner:
    return VaultSigner({TENANT.name: VaultConnection(vault.address, TokenLogin(Secret("a-token")))})


async def test_a_look_up_asks_for_a_store_that_is_as_new_as_a_write(tmp_path: Path) -> None:
    """The index is that of raft; tests/web/test_vault_cluster.py has what a node says that is behind it."""
    async with openbao(tmp_path, persistent=True) as server:
        hierarchy = await asyncio.to_thread(
            provision, server.address, server.root_token, tmp_path, {ALPHA: ("alpha.example",)}
        )
        async with cutting_proxy(server.port) as proxy:
            through = {ALPHA: connections(hierarchy, proxy.port)[ALPHA]}
            async with VaultSigner(through) as signer:
                wanted = intent(["www.alpha.example"])
                signed = await signer.sign(tenant(hierarchy), wanted)
                [found] = await signer.find(tenant(hierarchy), wanted)
    assert found.leaf == signed.leaf
    reads = [request for request in proxy.requests if request.startswith(LOOKED)]
    assert len(reads) == 2
    assert all(INDEX_HEADER.encode() in read for read in reads)


async def test_nothing_found_behind_is_no_reason_to_sign_again() -> None:
    async with (
        scripted_vault(SCRIPT, BEHIND[1]) as vault,
        signer_at(vault) as signer,
    ):
        with pytest.raises(SigningDeferredError, match="Vault answered 429"):
            await signer.find(TENANT, intent(["a.example"]))
        listed = [request for request in vault.requests if request.startswith(b"LIST")]
    assert all(f"{INDEX_HEADER}: as-far-as-this".encode() in request for request in listed)


@pytest.mark.parametrize("behind", BEHIND)
async def test_a_node_that_is_a_moment_behind_is_waited_for(behind: bytes) -> None:
    async with scripted_vault(SCRIPT, behind) as vault, signer_at(vault) as signer:
        looking = asyncio.create_task(signer.find(TENANT, intent(["a.example"])))

        async def asked_again() -> bool:
            return sum(request.startswith(b"LIST") for request in vault.requests) > 1

        await eventually(asked_again)
        vault.otherwise = NOTHING
        assert await looking == ()


async def test_a_quota_is_not_taken_for_a_node_that_is_behind() -> None:
    quota = http_answer(429, {"errors": ['request path "pki": rate limit quota exceeded']})
    async with scripted_vault(SCRIPT, quota) as vault, signer_at(vault) as signer:
        with pytest.raises(SigningDeferredError, match="rate limit quota exceeded"):
            await signer.find(TENANT, intent(["a.example"]))
        assert sum(request.startswith(b"LIST") for request in vault.requests) == 1


@pytest.mark.parametrize("status", [412, 429, 500, 503])
async def test_nothing_is_looked_for_while_nobody_can_write(status: int) -> None:
    """A standby that lost its leader still reads what it has."""
    away = http_answer(status, {"errors": ["no leader"] if status >= 500 else []})
    async with scripted_vault([LOOKUP, (b"cubbyhole", away)], NOTHING) as vault, signer_at(vault) as signer:
        with pytest.raises(SigningDeferredError):
            await signer.find(TENANT, intent(["a.example"]))
        assert not [request for request in vault.requests if request.startswith(b"LIST")]


@pytest.mark.parametrize(
    "answer", [http_answer(204, b""), http_answer(403, {"errors": ["1 error occurred"]})]
)
async def test_a_server_without_an_index_is_asked_without(answer: bytes) -> None:
    async with scripted_vault([LOOKUP, (b"cubbyhole", answer)], NOTHING) as vault, signer_at(vault) as signer:
        assert await signer.find(TENANT, intent(["a.example"])) == ()
        assert not [request for request in vault.requests if INDEX_HEADER.encode() in request]
