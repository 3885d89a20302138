import asyncio
import socket
import ssl
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy, provision
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.support.connections import connections as accepting
from tests.support.eventually import eventually
from tests.support.openbao import SUFFIXES, as_root, connections, intent, tenant

AWAY = Tenant(TenantName("away"), VaultPlace("pki", "acme"), Names())


async def test_sealed_and_stopped_are_deferred_and_open_again_signs(tmp_path: Path) -> None:
    """FIN-22, INV-12."""
    async with running_openbao(tmp_path) as server:
        pki = await asyncio.to_thread(provision, server.address, server.root_token, tmp_path, SUFFIXES)
        async with VaultSigner(connections(pki, server.port)) as signer:
            first = await signer.sign(tenant(pki), intent(["www.alpha.example"]))
            assert await signer.health() == {"alpha": "ok", "beta": "ok"}

            await as_root(server, "PUT", "sys/seal")
            with pytest.raises(SigningDeferredError, match="Vault answered 503 'Vault is sealed'"):
                await signer.sign(tenant(pki), intent(["www.alpha.example"]))
            with pytest.raises(SigningDeferredError, match="Vault is sealed"):
                await signer.find(tenant(pki), intent(["www.alpha.example"]))
            with pytest.raises(SigningDeferredError, match="Vault is sealed"):
                await signer.revoke(tenant(pki), first.leaf)
            # After the third time it is asked by one at a time.
            assert (await signer.health())["alpha"] == (
                "not asked again yet: Vault answered 503 'Vault is sealed'"
            )

            await server.unseal()

            async def asked_again() -> bool:
                return set((await signer.health()).values()) == {"ok"}

            await eventually(asked_again)
            assert (await signer.sign(tenant(pki), intent(["www.alpha.example"]))).leaf

            await server.process.kill()
            with pytest.raises(SigningDeferredError, match="the request did not leave"):
                await signer.sign(tenant(pki), intent(["www.alpha.example"]))
            with pytest.raises(SigningDeferredError):
                await signer.find(tenant(pki), intent(["www.alpha.example"]))
            with pytest.raises(SigningDeferredError):
                await signer.revoke(tenant(pki), first.leaf)
            assert "ok" not in (await signer.health()).values()


async def test_a_silent_vault_of_one_tenant_says_nothing_of_the_others(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with accepting(silence) as port:
        lost = VaultConnection(f"http://127.0.0.1:{port}", TokenLogin(Secret("s.token")))
        async with VaultSigner({**connections(hierarchy, openbao.port), AWAY.name: lost}) as signer:
            states = await signer.health(timedelta(seconds=4))
    assert states == {"alpha": "ok", "beta": "ok", "away": "no answer in time"}


async def test_a_name_that_does_not_resolve_is_deferred() -> None:
    connection = VaultConnection("https://vault.invalid", TokenLogin(Secret("s.token")))
    async with VaultSigner({AWAY.name: connection}) as signer:
        with pytest.raises(SigningDeferredError, match="no answer to the login"):
            await signer.sign(AWAY, intent(["a.example.org"]))


async def test_a_server_that_speaks_no_tls_gets_no_token(openbao: OpenBao) -> None:
    """VLT-06."""
    connection = VaultConnection(f"https://127.0.0.1:{openbao.port}", TokenLogin(Secret("s.token")))
    async with VaultSigner({AWAY.name: connection}) as signer:
        with pytest.raises(SigningDeferredError, match="no answer to the login: SSLError"):
            await signer.sign(AWAY, intent(["a.example.org"]))


async def test_a_server_is_trusted_for_its_certificate_only(hierarchy: Hierarchy) -> None:
    """VLT-06, VLT-15: with the root that it leads to it is asked; without, it gets no request at all."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(hierarchy.server_certificate, hierarchy.server_key)
    async with canned_vault(http_answer(503, {"errors": ["Vault is sealed"]}), tls=tls) as vault:
        trusting = VaultConnection(
            f"https://localhost:{vault.port}", TokenLogin(Secret("s.token")), ca=str(hierarchy.root)
        )
        doubting = msgspec.structs.replace(trusting, ca=None)
        async with VaultSigner({AWAY.name: doubting}) as signer:
            with pytest.raises(SigningDeferredError, match="no answer to the login: SSLError"):
                await signer.sign(AWAY, intent(["a.example.org"]))
        assert vault.requests == []
        async with VaultSigner({AWAY.name: trusting}) as signer:
            with pytest.raises(SigningDeferredError, match="Vault is sealed"):
                await signer.sign(AWAY, intent(["a.example.org"]))
        assert len(vault.requests) == 2


async def test_a_port_that_nobody_listens_on_is_deferred() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with VaultSigner({AWAY.name: VaultConnection(address, TokenLogin(Secret("t")))}) as signer:
            with pytest.raises(SigningDeferredError):
                await signer.sign(AWAY, intent(["a.example.org"]))


@pytest.mark.parametrize(
    "address",
    [
        "http://vault.example.org:8200",
        "http://192.0.2.1:8200",
        "ftp://127.0.0.1",
        "https://user:secret@vault.example.org",
        "https://vault.example.org/ui",
        "https://vault.example.org?x=1",
        "vault.example.org",
        "",
    ],
)
def test_an_address_that_would_show_the_token_is_not_taken(address: str) -> None:
    """VLT-06."""
    with pytest.raises(ValueError, match="a Vault address"):
        VaultConnection(address, TokenLogin(Secret("s.token")))


@pytest.mark.parametrize(
    "address", ["https://vault.example.org:8200/", "http://[::1]:8200", "http://localhost"]
)
def test_https_and_loopback_are_taken(address: str) -> None:
    assert VaultConnection(address, TokenLogin(Secret("s.token"))).address == address
