import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import AppRoleLogin, Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.services.ports import SigningDeferredError
from tests.support.cutting_proxy import Cut, CuttingProxy, cutting_proxy
from tests.support.openbao import ALPHA, as_root, connections, intent, tenant

LOGIN = b"POST /v1/auth/approle/login"
RENEWAL = b"POST /v1/auth/token/renew-self"
LOOK_UP = b"GET /v1/auth/token/lookup-self"


async def revoke_all_tokens(openbao: OpenBao) -> None:
    listed = await as_root(openbao, "LIST", "auth/token/accessors", "admin/alpha")
    for accessor in listed["data"]["keys"]:
        await as_root(openbao, "POST", "auth/token/revoke-accessor", "admin/alpha", {"accessor": accessor})


async def approle(openbao: OpenBao, name: str, **body: object) -> AppRoleLogin:
    """Make an AppRole of our own with the proxy's policy."""
    path = f"auth/approle/role/{name}"
    await as_root(openbao, "POST", path, "admin/alpha", {"token_policies": ["acmeproxy"], **body})
    role = await as_root(openbao, "GET", f"{path}/role-id", "admin/alpha")
    secret = await as_root(openbao, "POST", f"{path}/secret-id", "admin/alpha", {})
    return AppRoleLogin(role["data"]["role_id"], Secret(secret["data"]["secret_id"]))


def through(proxy: CuttingProxy, login: AppRoleLogin | TokenLogin) -> VaultSigner:
    return VaultSigner({ALPHA: VaultConnection(f"http://127.0.0.1:{proxy.port}", login, "admin/alpha")})


@asynccontextmanager
async def kept(proxy: CuttingProxy, login: AppRoleLogin) -> AsyncIterator[VaultSigner]:
    """Stay logged in while the context lasts."""
    async with through(proxy, login) as signer:
        keeping = asyncio.ensure_future(signer.keep_logged_in())
        try:
            yield signer
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


async def test_many_at_once_log_in_once(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    async with (
        cutting_proxy(openbao.port) as proxy,
        VaultSigner(connections(hierarchy, proxy.port)) as signer,
    ):
        await asyncio.gather(
            *(signer.sign(tenant(hierarchy), intent(["www.alpha.example"])) for _ in range(20))
        )
        assert (proxy.count(LOGIN), proxy.count(RENEWAL)) == (1, 0)


async def test_a_token_that_vault_forgot_is_replaced_once_for_all(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """A 403 has signed nothing: each call is repeated once, after one login."""
    async with (
        cutting_proxy(openbao.port) as proxy,
        VaultSigner(connections(hierarchy, proxy.port)) as signer,
    ):
        await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))
        await revoke_all_tokens(openbao)
        signed = await asyncio.gather(
            *(signer.sign(tenant(hierarchy), intent(["www.alpha.example"])) for _ in range(5))
        )
        assert len(signed) == 5
        assert proxy.count(LOGIN) == 2


async def test_a_lost_login_signs_nothing_and_is_repeated_by_the_next_order(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """Not uncertain: the request that needed the token was not made."""
    async with (
        cutting_proxy(openbao.port) as proxy,
        VaultSigner(connections(hierarchy, proxy.port)) as signer,
    ):
        proxy.cut(LOGIN, Cut.REPLY)
        with pytest.raises(SigningDeferredError, match="no answer to the login"):
            await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))
        assert proxy.count(b"/sign/") == 0
        assert (await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))).leaf


async def test_a_refused_login_is_not_hammered(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    login = msgspec.structs.replace(hierarchy.tenants[ALPHA].login, secret_id=Secret("of-yesterday"))
    async with cutting_proxy(openbao.port) as proxy, through(proxy, login) as signer:
        with pytest.raises(SigningDeferredError, match="invalid role or secret ID"):
            await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))
        with pytest.raises(SigningDeferredError, match="refused a moment ago") as caught:
            await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after.total_seconds() <= 2
        assert proxy.count(LOGIN) == 1


async def test_a_missing_policy_is_no_reason_to_log_in_again_and_again(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    login = await approle(openbao, "powerless", token_policies=["default"])
    async with cutting_proxy(openbao.port) as proxy, through(proxy, login) as signer:
        for _ in range(3):
            with pytest.raises(SigningDeferredError, match="Vault answered 403"):
                await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))
        assert proxy.count(LOGIN) == 1
        assert proxy.count(b"/sign/") == 3


async def test_a_token_that_works_is_not_thrown_away_for_what_it_may_not(
    openbao: OpenBao, hierarchy: Hierarchy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret id that is good for one login, and a role that may not be read: signing needs neither."""
    monkeypatch.setattr("acmeproxy.adapters.vault.login._FRESH_SECONDS", 0)
    rules = 'path "pki/sign/acme" { capabilities = ["update"] }'
    await as_root(openbao, "POST", "sys/policies/acl/signs-only", "admin/alpha", {"policy": rules})
    login = await approle(openbao, "once", token_policies=["signs-only"], secret_id_num_uses=1)
    async with cutting_proxy(openbao.port) as proxy, through(proxy, login) as signer:
        assert (await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))).leaf
        for _ in range(2):
            assert await signer.read_role(tenant(hierarchy)) is None
            assert (await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))).leaf


async def test_a_token_is_kept_alive_while_nobody_signs(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """Its period is two seconds; after two renewals it is older than that, and still the same."""
    login = await approle(openbao, "brief", token_period="2s")
    async with cutting_proxy(openbao.port) as proxy, kept(proxy, login) as signer:
        await proxy.until(RENEWAL, 2)
        assert (await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))).leaf
        assert proxy.count(LOGIN) == 1


async def test_a_token_near_its_last_hour_is_replaced(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """The lease that the renewal gives is shorter than the last: a new login is due."""
    login = await approle(openbao, "mortal", token_ttl="4s", token_max_ttl="5s")
    async with cutting_proxy(openbao.port) as proxy, kept(proxy, login) as signer:
        await proxy.until(LOGIN, 2)
        assert proxy.count(RENEWAL) <= 1
        assert (await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))).leaf


async def test_a_batch_token_is_replaced_and_not_renewed(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    login = await approle(openbao, "batch", token_type="batch", token_ttl="2s")
    async with cutting_proxy(openbao.port) as proxy, kept(proxy, login) as signer:
        await proxy.until(LOGIN, 2)
        assert (await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))).leaf
        assert proxy.count(RENEWAL) == 0


async def test_a_token_of_somebody_else_is_asked_for_again_when_it_is_refused(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """As an agent's sink file: the first token dies, and the second is in its place."""

    async def new_token() -> str:
        body = {"policies": ["acmeproxy"], "ttl": "1h"}
        made = await as_root(openbao, "POST", "auth/token/create", "admin/alpha", body)
        return str(made["auth"]["client_token"])

    sink = [await new_token()]
    async with (
        cutting_proxy(openbao.port) as proxy,
        through(proxy, TokenLogin(lambda: sink[-1])) as signer,
    ):
        assert (await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))).leaf
        await revoke_all_tokens(openbao)
        sink.append(await new_token())
        assert (await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))).leaf
        assert proxy.count(LOOK_UP) == 2


async def test_an_approle_of_the_namespace_above_signs_below(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """One login for all tenants is a choice of the operator: its policy names the tenants' paths."""
    policy = 'path "+/pki/sign/acme" { capabilities = ["update"] }'
    await as_root(openbao, "POST", "sys/policies/acl/all-tenants", "admin", {"policy": policy})
    auth = await as_root(openbao, "GET", "sys/auth", "admin")
    if "approle/" not in auth["data"]:
        await as_root(openbao, "POST", "sys/auth/approle", "admin", {"type": "approle"})
    await as_root(openbao, "POST", "auth/approle/role/all", "admin", {"token_policies": ["all-tenants"]})
    role = await as_root(openbao, "GET", "auth/approle/role/all/role-id", "admin")
    secret = await as_root(openbao, "POST", "auth/approle/role/all/secret-id", "admin", {})
    login = AppRoleLogin(role["data"]["role_id"], Secret(secret["data"]["secret_id"]), namespace="admin")
    async with cutting_proxy(openbao.port) as proxy, through(proxy, login) as signer:
        assert (await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))).leaf
