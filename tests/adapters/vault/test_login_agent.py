"""Somebody else keeps the token: Vault Agent's sink file, or a listener that adds it."""

from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import (
    AgentLogin,
    AppRoleLogin,
    Secret,
    SecretFile,
    TokenLogin,
    VaultConnection,
)
from acmeproxy.adapters.vault.login import Login
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.adapters.vault.logging_in import (
    NAMESPACE,
    entrance,
    got,
    kept,
    logging_in,
    mounted,
    put,
    revoke_tokens,
    write_role,
)
from tests.adapters.vault.scripted_vault import scripted_vault
from tests.support.bao_agent import bao_agent, bao_proxy
from tests.support.cutting_proxy import cutting_proxy
from tests.support.eventually import eventually
from tests.support.openbao import ALPHA, as_root, intent, tenant

BRIEF = timedelta(milliseconds=50)


@pytest_asyncio.fixture
async def approle(openbao: OpenBao, hierarchy: Hierarchy) -> AppRoleLogin:
    """Make an AppRole for the agent, whose tokens live briefly."""
    assert hierarchy.tenants
    mount = await mounted(openbao, "approle")
    await write_role(openbao, mount, "agent", token_ttl="2s", token_max_ttl="3s")
    role = await as_root(openbao, "GET", f"auth/{mount}/role/agent/role-id", NAMESPACE)
    secret = await as_root(openbao, "POST", f"auth/{mount}/role/agent/secret-id", NAMESPACE, {})
    return AppRoleLogin(role["data"]["role_id"], Secret(secret["data"]["secret_id"]), mount)


async def token(openbao: OpenBao, ttl: str = "1h") -> str:
    """Make a token as an agent would have one."""
    body = {"policies": ["acmeproxy"], "ttl": ttl}
    made = await as_root(openbao, "POST", "auth/token/create", NAMESPACE, body)
    return str(made["auth"]["client_token"])


async def accessor(keeper: Login) -> str:
    """Return which token is used; nobody is refused meanwhile."""
    answer = await keeper.ask("get", "auth/token/lookup-self")
    assert answer.status == 200, answer.reason
    assert answer.data
    return str(answer.data["accessor"])


async def test_a_sink_is_followed_through_the_lives_of_its_tokens(
    openbao: OpenBao, approle: AppRoleLogin, tmp_path: Path
) -> None:
    """The agent logs in anew before each token's last second, and we take the new one from its file."""
    async with bao_agent(openbao, approle, NAMESPACE, tmp_path) as sink:
        login = TokenLogin(SecretFile(sink), BRIEF)
        async with logging_in(openbao.address, login) as keeper, kept(keeper):
            first = await accessor(keeper)

            async def replaced() -> bool:
                return await accessor(keeper) != first

            await eventually(replaced)
            assert await entrance(keeper) == f"auth/{approle.mount}/login"


async def test_a_token_that_was_replaced_is_taken_before_the_old_one_is_refused(
    openbao: OpenBao, hierarchy: Hierarchy, tmp_path: Path
) -> None:
    assert hierarchy.tenants
    sink = tmp_path / "sink"
    first, second = await token(openbao), await token(openbao)
    put(sink, first)
    async with cutting_proxy(openbao.port) as proxy:
        login = TokenLogin(SecretFile(sink), BRIEF)
        async with logging_in(f"http://127.0.0.1:{proxy.port}", login) as keeper, kept(keeper):
            await proxy.until(first.encode())
            put(sink, second)
            await proxy.until(second.encode())

            async def second_is_used() -> bool:
                assert (await keeper.ask("get", "pki/roles/acme")).status == 200
                return second.encode() in proxy.requests[-1]

            await eventually(second_is_used)


async def test_garbage_in_the_sink_does_not_take_a_good_token_away(
    openbao: OpenBao, hierarchy: Hierarchy, tmp_path: Path
) -> None:
    assert hierarchy.tenants
    sink = tmp_path / "sink"
    put(sink, await token(openbao))
    async with cutting_proxy(openbao.port) as proxy:
        login = TokenLogin(SecretFile(sink), BRIEF)
        async with logging_in(f"http://127.0.0.1:{proxy.port}", login) as keeper, kept(keeper):
            await proxy.until(got(sink).encode())
            put(sink, "s.half-written")
            await proxy.until(b"s.half-written")
            assert (await keeper.ask("get", "pki/roles/acme")).status == 200


async def test_a_token_that_is_no_good_says_what_to_do(
    openbao: OpenBao, hierarchy: Hierarchy, tmp_path: Path
) -> None:
    assert hierarchy.tenants
    put(tmp_path / "sink", "s.nobody-made-this")
    async with logging_in(openbao.address, TokenLogin(SecretFile(tmp_path / "sink"), BRIEF)) as keeper:
        with pytest.raises(SigningDeferredError) as caught:
            await entrance(keeper)
    assert "Vault answered 403 'permission denied': the token is expired, revoked, used up" in str(
        caught.value
    )


async def test_a_listener_adds_the_token(
    openbao: OpenBao, hierarchy: Hierarchy, approle: AppRoleLogin, tmp_path: Path
) -> None:
    """None is sent by us; the listener refuses who does not send `X-Vault-Request`."""
    async with (
        bao_proxy(openbao, approle, NAMESPACE, tmp_path) as address,
        cutting_proxy(int(address.rpartition(":")[2])) as proxy,
    ):
        connection = VaultConnection(f"http://127.0.0.1:{proxy.port}", AgentLogin(), NAMESPACE)
        async with VaultSigner({ALPHA: connection}) as signer:
            wanted = intent(["agent.alpha.example"])
            signed = await signer.sign(tenant(hierarchy), wanted)
            assert signed.leaf
            assert [one.leaf for one in await signer.find(tenant(hierarchy), wanted)] == [signed.leaf]
            await signer.revoke(tenant(hierarchy), signed.leaf)
            assert await signer.health() == {ALPHA: "ok"}
        octets = b"".join(proxy.requests)
    assert b"X-Vault-Request: true\r\n" in octets
    assert b"X-Vault-Token" not in octets
    assert proxy.count(b"renew-self") == 0


async def test_what_a_listener_refuses_is_asked_once() -> None:
    """Its token is its own affair: we have no better one."""
    denied = http_answer(403, {"errors": ["permission denied"]})
    async with scripted_vault([], denied) as vault, logging_in(vault.address, AgentLogin()) as keeper:
        assert (await keeper.ask("get", "pki/roles/acme")).status == 403
        assert len(vault.requests) == 1


async def test_keeping_a_login_that_an_agent_has_asks_nothing() -> None:
    async with canned_vault(http_answer(200, {})) as vault:
        address = f"http://127.0.0.1:{vault.port}"
        async with logging_in(address, AgentLogin()) as keeper, kept(keeper):
            await keeper.ask("get", "sys/health")
        assert len(vault.requests) == 1


async def test_a_revoked_token_of_an_agent_is_replaced_by_the_agents_next(
    openbao: OpenBao, approle: AppRoleLogin, tmp_path: Path
) -> None:
    async with (
        bao_agent(openbao, approle, NAMESPACE, tmp_path) as sink,
        logging_in(openbao.address, TokenLogin(SecretFile(sink), BRIEF)) as keeper,
        kept(keeper),
    ):
        await accessor(keeper)
        await revoke_tokens(openbao, approle.mount)

        async def works_again() -> bool:
            try:
                return (await keeper.ask("get", "auth/token/lookup-self")).status == 200
            except SigningDeferredError:
                return False

        await eventually(works_again)
