"""A secret id that comes wrapped is opened once, by us or by somebody else."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import AppRoleLogin, SecretFile
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.logging_in import (
    NAMESPACE,
    entrance,
    got,
    logging_in,
    mounted,
    put,
    revoke_tokens,
    wrapped,
    write_role,
)
from tests.support.cutting_proxy import Cut, CuttingProxy, cutting_proxy
from tests.support.log_capture import captured
from tests.support.openbao import as_root

UNWRAP = b"POST /v1/sys/wrapping/unwrap"
LOOK = b"POST /v1/sys/wrapping/lookup"
ALARM = "wrapped secret id not to be trusted"
OPENED = "expired or was opened before, perhaps by somebody else: destroy the secret id that was in it"


@pytest.fixture(autouse=True)
def events() -> Iterator[structlog.testing.LogCapture]:
    """Keep what is logged."""
    with captured() as capture:
        yield capture


@pytest_asyncio.fixture
async def mount(openbao: OpenBao, hierarchy: Hierarchy) -> str:
    """Mount an AppRole method with two roles."""
    assert hierarchy.tenants
    mount = await mounted(openbao, "approle")
    await write_role(openbao, mount, "acmeproxy")
    await write_role(openbao, mount, "other")
    return mount


@pytest_asyncio.fixture
async def proxy(openbao: OpenBao) -> AsyncIterator[CuttingProxy]:
    """Stand in front of the server, count and cut."""
    async with cutting_proxy(openbao.port) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def login(openbao: OpenBao, mount: str, tmp_path: Path) -> AppRoleLogin:
    """Return a login whose file holds a wrapping token that nobody opened."""
    role = await as_root(openbao, "GET", f"auth/{mount}/role/acmeproxy/role-id", NAMESPACE)
    path = tmp_path / "wrapping"
    put(path, await secret_id(openbao, mount))
    return AppRoleLogin(role["data"]["role_id"], SecretFile(path), mount, wrapped=True, role="acmeproxy")


async def secret_id(openbao: OpenBao, mount: str, role: str = "acmeproxy", ttl: str = "60s") -> str:
    """Have a secret id made and wrapped."""
    return await wrapped(openbao, f"auth/{mount}/role/{role}/secret-id", ttl)


def written(login: AppRoleLogin) -> Path:
    """Return the file of the wrapping token."""
    assert isinstance(login.secret_id, SecretFile)
    return login.secret_id.path


def at(proxy: CuttingProxy) -> str:
    """Return the proxy's address."""
    return f"http://127.0.0.1:{proxy.port}"


async def refusal(address: str, login: AppRoleLogin) -> str:
    """Log in in vain, and return why."""
    async with logging_in(address, login) as keeper:
        with pytest.raises(SigningDeferredError) as caught:
            await entrance(keeper)
    return str(caught.value)


async def test_it_is_opened_once_for_all_logins(
    openbao: OpenBao, login: AppRoleLogin, proxy: CuttingProxy, events: structlog.testing.LogCapture
) -> None:
    async with logging_in(at(proxy), login) as keeper:
        assert await entrance(keeper) == f"auth/{login.mount}/login"
        await revoke_tokens(openbao, login.mount)
        assert await entrance(keeper) == f"auth/{login.mount}/login"
    assert (proxy.count(UNWRAP), proxy.count(b"POST /v1/auth/")) == (1, 2)
    assert events.entries == []


async def test_the_secret_id_is_kept_in_memory_only(openbao: OpenBao, login: AppRoleLogin) -> None:
    directory = written(login).parent
    async with logging_in(openbao.address, login) as keeper:
        await entrance(keeper)
    assert [path.name for path in directory.iterdir()] == ["wrapping"]


async def test_a_new_wrapping_token_in_the_file_is_opened_at_the_next_login(
    openbao: OpenBao, login: AppRoleLogin, proxy: CuttingProxy
) -> None:
    async with logging_in(at(proxy), login) as keeper:
        await entrance(keeper)
        await revoke_tokens(openbao, login.mount)
        put(written(login), await secret_id(openbao, login.mount))
        await entrance(keeper)
    assert proxy.count(UNWRAP) == 2


async def test_one_that_somebody_opened_is_an_alarm(
    openbao: OpenBao, login: AppRoleLogin, events: structlog.testing.LogCapture
) -> None:
    await as_root(openbao, "POST", "sys/wrapping/unwrap", NAMESPACE, {"token": got(written(login))})
    said = await refusal(openbao.address, login)
    assert "Vault answered 400 'wrapping token is not valid or does not exist'" in said
    assert OPENED in said
    (event,) = events.entries
    assert (event["event"], event["log_level"], event["mount"]) == (ALARM, "error", login.mount)
    assert OPENED in event["why"]
    assert got(written(login)) not in f"{said}{event}"


async def test_garbage_is_an_alarm_too(
    openbao: OpenBao, login: AppRoleLogin, events: structlog.testing.LogCapture
) -> None:
    put(written(login), "s.nobody-made-this-one")
    assert OPENED in await refusal(openbao.address, login)
    assert [event["event"] for event in events.entries] == [ALARM]


async def test_one_that_holds_something_else_is_not_opened(
    openbao: OpenBao, login: AppRoleLogin, proxy: CuttingProxy, events: structlog.testing.LogCapture
) -> None:
    """Whoever swaps the file can wrap what he likes, but not as the role's secret id."""
    swapped = await wrapped(openbao, "sys/wrapping/wrap", secret_id="of-somebody-else")
    put(written(login), swapped)
    assert (
        f"the wrapping token was not made by auth/{login.mount}/role/acmeproxy/secret-id:"
        " somebody may have swapped it"
    ) in await refusal(at(proxy), login)
    assert proxy.count(UNWRAP) == 0
    assert [event["event"] for event in events.entries] == [ALARM]


async def test_one_of_another_role_is_not_opened(
    openbao: OpenBao, login: AppRoleLogin, proxy: CuttingProxy
) -> None:
    put(written(login), await secret_id(openbao, login.mount, "other"))
    assert "somebody may have swapped it" in await refusal(at(proxy), login)
    assert proxy.count(UNWRAP) == 0


async def test_an_answer_of_ours_that_was_lost_is_told_apart(
    login: AppRoleLogin, proxy: CuttingProxy, events: structlog.testing.LogCapture
) -> None:
    """The secret id was on its way to us when the connection broke: gone, but no theft."""
    proxy.cut(UNWRAP, Cut.REPLY)
    async with logging_in(at(proxy), login) as keeper:
        with pytest.raises(SigningDeferredError, match="no answer to the login"):
            await entrance(keeper)
        assert events.entries == []
        with pytest.raises(SigningDeferredError, match="the answer to our own unwrapping was lost"):
            await entrance(keeper)
    assert [event["event"] for event in events.entries] == [ALARM]
    assert proxy.count(UNWRAP) == 1


async def test_a_request_that_was_lost_on_its_way_opened_nothing(
    login: AppRoleLogin, proxy: CuttingProxy
) -> None:
    proxy.cut(UNWRAP, Cut.REQUEST)
    async with logging_in(at(proxy), login) as keeper:
        with pytest.raises(SigningDeferredError, match="no answer to the login"):
            await entrance(keeper)
        assert await entrance(keeper) == f"auth/{login.mount}/login"
    assert proxy.count(LOOK) == 2
