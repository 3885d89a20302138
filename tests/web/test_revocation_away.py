"""A revocation that Vault has not heard of yet: noted, said so, and done as soon as it is back (K22)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.x509 import ocsp

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.vault.provisioning import provision
from acmeproxy.wiring.serving import Role
from tests.support.eventually import eventually
from tests.support.held import Held, hold
from tests.support.http01_responder import Http01Responder
from tests.support.openbao import as_root
from tests.support.problems import assert_refused
from tests.support.proxies import BRISK
from tests.support.proxy import Plan, Proxy, Vault, proxy, tenant
from tests.support.vault_looks import revoked_in_store, status_by_ocsp

PKI = "admin/alpha/pki"


@pytest_asyncio.fixture(loop_scope="session")
async def own(tmp_path: Path) -> AsyncIterator[OpenBao]:
    """Run an OpenBao that may be sealed."""
    async with running_openbao(tmp_path) as server:
        yield server


@pytest.fixture
def plan(own: OpenBao, tmp_path: Path, name_server: int) -> Plan:
    """Return what a proxy is made of that does not wait long."""
    hierarchy = provision(own.address, own.root_token, tmp_path, {"alpha": ("alpha.example",)})
    policy = 'names.allow = ["*.alpha.example"]\nchallenges = ["http-01"]'
    more = {
        "server": "challenge_wait = 2\nfinalize_wait = 5\nrevoke_wait = 0.3\n",
        "validation": BRISK["validation"],
        "vault": "timeout = 2\n",
    }
    tenants = {"alpha": tenant(policy, hierarchy.tenants["alpha"])}
    return Plan(tenants, Role.ALL, Vault(own.address, hierarchy.root), name_server, more)


async def asked_in_vain(running: Proxy, own: OpenBao) -> Held:
    """Get a certificate, seal Vault, and ask for the revocation."""
    held = await hold(running, "www.alpha.example")
    await as_root(own, "PUT", "sys/seal")
    answer = await held.client.revoke(held.leaf, 4)
    assert_refused(answer, 503, "serverInternal")
    assert answer.headers["Retry-After"] == "5"
    return held


async def test_while_vault_is_sealed_no_client_is_told_that_it_is_revoked(
    tmp_path: Path, empty_valkey: Valkey, responder: Http01Responder, plan: Plan, own: OpenBao
) -> None:
    """K22, REV-20, VLT: 503 until it is, and then the worker has done it by itself."""
    async with proxy(tmp_path, empty_valkey, responder, plan) as running:
        held = await asked_in_vain(running, own)
        assert_refused(await held.client.revoke(held.leaf, 4), 503, "serverInternal")
        shown = (await running.client().send("GET", await renewal_url(held))).json()
        assert (
            shown["suggestedWindow"]["end"]
            < (await running.state.document("certificate", held.id))["revoking_at"]
        )
        long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        await running.state.change("certificate", held.id, revoking_at=long_ago)
        answer = await held.client.revoke(held.leaf, 4)
        assert_refused(answer, 503, "serverInternal")
        assert answer.headers["Retry-After"] == "30"

        await own.unseal()

        async def done() -> bool:
            return "revoked_at" in await running.state.document("certificate", held.id)

        await eventually(done)
        assert await status_by_ocsp(own, PKI, held.chain) is ocsp.OCSPCertStatus.REVOKED
        assert_refused(await held.client.revoke(held.leaf, 4), 400, "alreadyRevoked")


async def test_a_process_that_dies_takes_no_revocation_with_it(
    tmp_path: Path, empty_valkey: Valkey, responder: Http01Responder, plan: Plan, own: OpenBao
) -> None:
    """K22: the intent is older than the call, so another process makes it."""
    async with proxy(tmp_path, empty_valkey, responder, plan) as dying:
        held = await asked_in_vain(dying, own)
    await own.unseal()
    assert not await revoked_in_store(own, PKI, held.leaf)

    async with proxy(tmp_path, empty_valkey, responder, plan):
        await eventually(lambda: revoked_in_store(own, PKI, held.leaf))


async def test_a_web_role_waits_for_the_worker(
    tmp_path: Path, empty_valkey: Valkey, responder: Http01Responder, plan: Plan, own: OpenBao
) -> None:
    """K22, INV-14: it holds no token of Vault's, and its answer comes with the worker's."""
    patient = replace(plan, more={**plan.more, "server": "finalize_wait = 5\nrevoke_wait = 20\n"})
    async with proxy(tmp_path, empty_valkey, responder, patient) as running:
        held = await hold(running, "www.alpha.example")
        async with proxy(tmp_path, empty_valkey, responder, replace(patient, role=Role.WEB)) as web:
            account = web.client(key=held.client.key)
            account.kid = held.client.kid
            assert (await account.revoke(held.leaf, 4)).status == 200
    assert await revoked_in_store(own, PKI, held.leaf)


async def renewal_url(held: Held) -> str:
    """Return where to ask when to renew it."""
    base: str = (await held.client.directory())["renewalInfo"]
    return f"{base}/{held.identifier}"
