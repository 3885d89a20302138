"""An address that serves nobody is asked by one at a time; one tenant's trouble is not the others'."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import structlog

from acmeproxy.adapters.vault import breaker as breaker_module
from acmeproxy.adapters.vault.breaker import State
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError, SigningRefusedError, SigningUncertainError
from tests.adapters.vault.canned_vault import CannedVault, canned_vault, http_answer
from tests.support.log_capture import captured
from tests.support.openbao import intent

ALPHA, BETA = (Tenant(TenantName(name), VaultPlace("pki", "acme"), Names()) for name in ("alpha", "beta"))
TOKEN = "s.token"
NAMES = ["a.example.org"]
Told = list[tuple[str, str, State]]


@pytest.fixture(autouse=True)
def events() -> Iterator[structlog.testing.LogCapture]:
    with captured() as capture:
        yield capture


@pytest.fixture(autouse=True)
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a breaker that opened stay open while a test looks, however busy the machine is."""
    monkeypatch.setattr(breaker_module, "_FIRST_PAUSE", 60.0)
    monkeypatch.setattr(breaker_module, "_LONGEST_PAUSE", 60.0)


def connection(port: int, token: str = TOKEN, seconds: float = 15) -> VaultConnection:
    login = TokenLogin(Secret(token))
    return VaultConnection(f"http://127.0.0.1:{port}", login, deadline=timedelta(seconds=seconds))


@asynccontextmanager
async def asked(
    answer: bytes, token: str = TOKEN, seconds: float = 15
) -> AsyncIterator[tuple[CannedVault, VaultSigner, Told]]:
    """Run a signer of two tenants before a server that answers every sign alike; the token is alpha's."""
    told: Told = []
    async with canned_vault(answer) as vault:
        tenants = {
            ALPHA.name: connection(vault.port, token, seconds),
            BETA.name: connection(vault.port, seconds=seconds),
        }

        def heard(_: str, tenant: str, what: str, state: State) -> None:
            told.append((tenant, what, state))

        async with VaultSigner(tenants, 4, heard) as signer:
            yield vault, signer, told


async def fails(signer: VaultSigner, tenant: Tenant, times: int) -> Exception:
    """Have a sign fail so often, and return the last failure."""
    for _ in range(times):
        with pytest.raises((SigningDeferredError, SigningUncertainError)) as caught:
            await signer.sign(tenant, intent(NAMES))
    return caught.value


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {"errors": ["Vault is sealed"]}),
        (501, {"errors": ["Vault is not initialized"]}),
        (500, {"errors": ["local node not active but active cluster node not found"]}),
        (307, b""),
        (503, b"<html>no server is available</html>"),
    ],
)
async def test_what_keeps_everybody_out_opens_the_breaker_of_the_address(status: int, body: object) -> None:
    """VLT-05: the fourth is told at once when to come again, and so is the other tenant."""
    async with asked(http_answer(status, body)) as (vault, signer, told):
        await fails(signer, ALPHA, 3)
        signs = sum(b"sign/acme" in request for request in vault.requests)
        for tenant in (ALPHA, BETA):
            error = await fails(signer, tenant, 1)
            assert isinstance(error, SigningDeferredError)
            assert f"not asked again yet: Vault answered {status}" in str(error)
            assert error.retry_after is not None
            assert timedelta(0) < error.retry_after < timedelta(seconds=60.1)
        assert sum(b"sign/acme" in request for request in vault.requests) == signs == 3
        assert told == [("", "address", State.OPEN)]


async def test_an_address_where_nobody_listens_is_not_called_again_and_again(
    events: structlog.testing.LogCapture,
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        there = connection(bound.getsockname()[1])
        async with VaultSigner({ALPHA.name: there, BETA.name: there}) as signer:
            await fails(signer, ALPHA, 3)
            assert "not asked again yet: ConnectionError" in str(await fails(signer, BETA, 1))
    [entry] = [entry for entry in events.entries if entry["event"] == "vault.breaker.open"]
    assert (entry["of"], entry["reason"]) == ("address", "ConnectionError")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {"errors": ["namespace is sealed"]}),
        (503, {"errors": ["API access to this namespace has been locked by an administrator"]}),
        (429, {"errors": ['request path "pki/sign/acme": rate limit quota exceeded']}),
        (429, {"errors": []}),
        (404, {"errors": ['no handler for route "pki/sign/acme". route entry not found.']}),
        (403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}),
        (500, {"errors": ["1 error occurred:\n\t* could not fetch the CA certificate\n\n"]}),
        (502, b"<html>bad gateway</html>"),
    ],
)
async def test_what_a_namespace_answers_opens_nothing(status: int, body: object) -> None:
    """TEN-06, INV-9: the other tenant is served, and who is refused hears it from Vault every time."""
    async with asked(http_answer(status, body)) as (vault, signer, told):
        await fails(signer, ALPHA, 6)
        assert sum(b"sign/acme" in request for request in vault.requests) == 6
        assert told == []


async def test_another_address_is_asked_as_before() -> None:
    """VLT-05: there is one breaker an address, and places of its own."""
    async with (
        canned_vault(http_answer(503, {"errors": ["Vault is sealed"]})) as sealed,
        canned_vault(http_answer(400, {"errors": ["no"]})) as other,
        VaultSigner({ALPHA.name: connection(sealed.port), BETA.name: connection(other.port)}, 4) as signer,
    ):
        assert "not asked again yet" in str(await fails(signer, ALPHA, 4))
        with pytest.raises(SigningRefusedError):
            await signer.sign(BETA, intent(NAMES))


async def test_a_token_that_is_no_header_is_its_tenants_own_fault() -> None:
    """It is refused before a connection is looked for, as often as it is tried."""
    refused = http_answer(400, {"errors": ["no"]})
    async with asked(refused, "s.two\nlines") as (vault, signer, told):
        error = await fails(signer, ALPHA, 6)
        assert "InvalidHeader" in str(error)
        assert "lines" not in str(error)
        assert (told, vault.requests) == ([], [])


async def test_a_tenant_whose_mount_hangs_leaves_places_to_the_others(
    events: structlog.testing.LogCapture,
) -> None:
    """VLT-05, VLT-11, INV-9: of four places it has two, then none, and its breaker is its own."""
    async with asked(b"", seconds=1) as (vault, signer, told):
        hanging = [asyncio.create_task(signer.sign(ALPHA, intent(NAMES))) for _ in range(6)]
        await vault.until(b"sign/acme", 2)
        # The login of the other one is answered although six calls of the first hang or wait.
        assert (await signer.health())["beta"] == "ok"
        ends = await asyncio.gather(*hanging, return_exceptions=True)
        assert [type(end) for end in ends[:2]] == [SigningUncertainError] * 2
        assert [type(end) for end in ends[2:]] == [SigningDeferredError] * 4
        await fails(signer, ALPHA, 1)
        assert told == [("alpha", "mount", State.OPEN)]
        error = await fails(signer, ALPHA, 1)
        assert "not asked again yet: no answer within the deadline" in str(error)
        assert (await signer.health())["beta"] == "ok"
    [entry] = [entry for entry in events.entries if entry["event"] == "vault.breaker.open"]
    assert (entry["of"], entry["tenant"]) == ("mount", "alpha")
    assert "audit devices" in entry["look_at"]
