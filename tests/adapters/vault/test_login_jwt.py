import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import JwtLogin, SecretFile
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.logging_in import (
    RENEWAL,
    entrance,
    got,
    kept,
    logging_in,
    mounted,
    put,
    remove,
    revoke_tokens,
    write_role,
)
from tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.json_web_tokens import Issuer

ISSUER = Issuer()
ROLE = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "bound_subject": "acmeproxy"}


@pytest.fixture
def jwt(tmp_path: Path) -> Path:
    """Return a file with a JWT that is good."""
    path = tmp_path / "jwt"
    put(path, ISSUER.jwt("acmeproxy"))
    return path


@pytest_asyncio.fixture
async def mount(openbao: OpenBao, hierarchy: Hierarchy) -> str:
    """Mount a JWT method that trusts our issuer, in the namespace of a tenant that is there."""
    assert hierarchy.tenants
    mount = await mounted(openbao, "jwt", {"jwt_validation_pubkeys": [ISSUER.public_key]})
    await write_role(openbao, mount, "acmeproxy", **ROLE)
    return mount


@pytest.fixture
def login(jwt: Path, mount: str) -> JwtLogin:
    """Return the login of the good JWT."""
    return JwtLogin("acmeproxy", SecretFile(jwt), mount)


@pytest_asyncio.fixture
async def proxy(openbao: OpenBao) -> AsyncIterator[CuttingProxy]:
    """Stand in front of the server and count."""
    async with cutting_proxy(openbao.port) as proxy:
        yield proxy


def at(proxy: CuttingProxy) -> str:
    """Return the proxy's address."""
    return f"http://127.0.0.1:{proxy.port}"


async def test_a_jwt_logs_in(openbao: OpenBao, login: JwtLogin) -> None:
    async with logging_in(openbao.address, login) as keeper:
        assert await entrance(keeper) == f"auth/{login.mount}/login"


async def test_without_a_role_the_mounts_own_is_taken(
    openbao: OpenBao, hierarchy: Hierarchy, jwt: Path
) -> None:
    assert hierarchy.tenants
    config = {"jwt_validation_pubkeys": [ISSUER.public_key], "default_role": "by-default"}
    mount = await mounted(openbao, "jwt", config)
    await write_role(openbao, mount, "by-default", **ROLE)
    async with logging_in(openbao.address, JwtLogin("", SecretFile(jwt), mount)) as keeper:
        assert await entrance(keeper) == f"auth/{mount}/login"


async def test_the_file_is_read_again_at_each_login(
    openbao: OpenBao, login: JwtLogin, jwt: Path, proxy: CuttingProxy
) -> None:
    async with logging_in(at(proxy), login) as keeper:
        await entrance(keeper)
        first, second = got(jwt), ISSUER.jwt("acmeproxy", seconds=900)
        put(jwt, second)
        await revoke_tokens(openbao, login.mount)
        await entrance(keeper)
    assert (proxy.count(first.encode()), proxy.count(second.encode())) == (1, 1)


@pytest.mark.parametrize(
    ("jwt_claims", "text"),
    [
        ({"subject": "acmeproxy", "seconds": -600}, "token is expired"),
        ({"subject": "acmeproxy", "audience": "another"}, "audience claim does not match"),
        ({"subject": "somebody"}, "invalid subject (sub) claim"),
    ],
)
async def test_a_refused_jwt_says_why_and_what_to_do(
    openbao: OpenBao,
    login: JwtLogin,
    jwt: Path,
    jwt_claims: dict[str, str],
    text: str,
) -> None:
    put(jwt, ISSUER.jwt(**jwt_claims))  # type: ignore[arg-type]
    async with logging_in(openbao.address, login) as keeper:
        with pytest.raises(SigningDeferredError) as caught:
            await entrance(keeper)
    assert text in str(caught.value)
    assert "Vault answered 400" in str(caught.value)
    assert str(caught.value).endswith("see to whoever writes the file")
    assert got(jwt) not in str(caught.value)


async def test_an_unknown_role_and_a_mount_that_is_not_there(openbao: OpenBao, login: JwtLogin) -> None:
    async with logging_in(openbao.address, msgspec.structs.replace(login, role="zzz")) as keeper:
        with pytest.raises(SigningDeferredError, match=r"400 .*could not be found.*the role does not exist"):
            await entrance(keeper)
    async with logging_in(openbao.address, msgspec.structs.replace(login, mount="nowhere")) as keeper:
        with pytest.raises(SigningDeferredError, match=r"403 .*there is no JWT method at this mount"):
            await entrance(keeper)


async def test_a_missing_file_asks_nothing_of_vault_and_is_no_refusal(
    login: JwtLogin, jwt: Path, proxy: CuttingProxy
) -> None:
    good = got(jwt)
    remove(jwt)
    async with logging_in(at(proxy), login) as keeper:
        with pytest.raises(SigningDeferredError) as caught:
            await entrance(keeper)
        assert str(caught.value) == (
            f"no login without its secret: the file {jwt} cannot be read: No such file or directory"
        )
        assert proxy.requests == []
        put(jwt, good)
        assert await entrance(keeper)


async def test_a_burst_after_a_revocation_logs_in_once(
    openbao: OpenBao, login: JwtLogin, proxy: CuttingProxy
) -> None:
    """One flight: twenty are refused with 403, one of them logs in, and each asks once more."""
    logins = f"POST /v1/auth/{login.mount}/login".encode()
    async with logging_in(at(proxy), login) as keeper:
        await entrance(keeper)
        await revoke_tokens(openbao, login.mount)
        answers = await asyncio.gather(*(keeper.ask("get", "pki/roles/acme") for _ in range(20)))
        assert [answer.status for answer in answers] == [200] * 20
    assert proxy.count(logins) == 2
    assert proxy.count(b"GET /v1/pki/roles/acme") <= 40


async def test_a_shrinking_lease_is_replaced(openbao: OpenBao, login: JwtLogin, proxy: CuttingProxy) -> None:
    """The renewal near the end of the token's life gives less than before: a new login is due."""
    await write_role(openbao, login.mount, "acmeproxy", **ROLE, token_ttl="4s", token_max_ttl="5s")
    logins = f"POST /v1/auth/{login.mount}/login".encode()
    async with logging_in(at(proxy), login) as keeper, kept(keeper):
        await proxy.until(logins, 2)
        assert proxy.count(RENEWAL) <= 1
        assert (await keeper.ask("get", "pki/roles/acme")).status == 200


async def test_a_periodic_token_is_renewed(openbao: OpenBao, login: JwtLogin, proxy: CuttingProxy) -> None:
    await write_role(openbao, login.mount, "acmeproxy", **ROLE, token_period="2s")
    async with logging_in(at(proxy), login) as keeper, kept(keeper):
        await proxy.until(RENEWAL, 2)
        assert (await keeper.ask("get", "pki/roles/acme")).status == 200
    assert proxy.count(f"POST /v1/auth/{login.mount}/login".encode()) == 1


async def test_a_batch_token_is_replaced_before_it_ends(
    openbao: OpenBao, login: JwtLogin, proxy: CuttingProxy
) -> None:
    await write_role(openbao, login.mount, "acmeproxy", **ROLE, token_type="batch", token_ttl="2s")
    async with logging_in(at(proxy), login) as keeper, kept(keeper):
        await proxy.until(f"POST /v1/auth/{login.mount}/login".encode(), 3)
        assert (await keeper.ask("get", "pki/roles/acme")).status == 200
    assert proxy.count(RENEWAL) == 0
    assert b"X-Vault-Token: b." in b"".join(proxy.requests)


async def test_a_token_that_is_used_up_is_replaced(
    openbao: OpenBao, login: JwtLogin, proxy: CuttingProxy
) -> None:
    """`token_num_uses` counts every call: nobody should set it, and nothing breaks where somebody did."""
    await write_role(openbao, login.mount, "acmeproxy", **ROLE, token_num_uses=2)
    async with logging_in(at(proxy), login) as keeper:
        answers = [await keeper.ask("get", "pki/roles/acme") for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 5
    assert proxy.count(f"POST /v1/auth/{login.mount}/login".encode()) == 3
