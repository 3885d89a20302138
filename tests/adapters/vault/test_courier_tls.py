"""The sign call over TLS: trusted for its certificate only, as hvac's calls are (VLT-06, VLT-15)."""

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from acmeproxy.adapters.vault import courier as module
from acmeproxy.adapters.vault.connection import CertificateLogin, VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.adapters.vault.logging_in import got, put
from tests.adapters.vault.posting import TOKEN, Counted, at, courier, post
from tests.support.client_certificates import ClientAuthority
from tests.support.connections import connections
from tests.support.openbao import intent
from tests.support.tls_openbao import tls_openbao

GOOD = http_answer(200, {"data": {}})


@pytest.fixture
def tls(hierarchy: Hierarchy) -> ssl.SSLContext:
    """Return a server's TLS for localhost, below the root of the session's PKI."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(hierarchy.server_certificate, hierarchy.server_key)
    return context


async def test_with_its_own_ca_it_is_asked_and_without_it_gets_no_request(
    hierarchy: Hierarchy, tls: ssl.SSLContext
) -> None:
    async with canned_vault(GOOD, tls=tls) as vault:
        async with courier(at(vault.port, "https")) as doubting:
            with pytest.raises(UnsentError, match=r"^SSLError$"):
                await post(doubting)
        assert vault.requests == []
        async with courier(at(vault.port, "https", ca=str(hierarchy.root))) as trusting:
            assert (await post(trusting)).ok
            assert (await post(trusting)).ok
        assert len(vault.requests) == 2


async def test_a_certificate_of_another_name(hierarchy: Hierarchy, tls: ssl.SSLContext) -> None:
    async with canned_vault(GOOD, tls=tls) as vault:
        elsewhere = at(vault.port, ca=str(hierarchy.root), address=f"https://127.0.0.2:{vault.port}")
        async with courier(elsewhere) as made:
            with pytest.raises(UnsentError, match=r"^(SSLError|ConnectionError)$"):
                await post(made)
        assert vault.requests == []


async def test_an_old_tls_is_not_spoken(hierarchy: Hierarchy, tls: ssl.SSLContext) -> None:
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    async with canned_vault(GOOD, tls=tls) as vault:
        there = at(vault.port, "https", ca=str(hierarchy.root))
        async with courier(there) as made:
            assert (await post(made)).ok
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
        async with courier(there) as made:
            with pytest.raises(UnsentError, match=r"^(ConnectionError|SSLError)$"):
                await post(made)
        assert len(vault.requests) == 1


async def test_a_server_that_speaks_no_tls() -> None:
    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n")
        assert TOKEN.encode() not in await reader.read()

    async with connections(greets) as port, courier(at(port, "https")) as made:
        with pytest.raises(UnsentError, match=r"^SSLError$"):
            await post(made)


async def test_a_handshake_that_is_cut_off_or_never_ends() -> None:
    """Nothing of a request is sent before it is done."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with connections(cut) as port, courier(at(port, "https")) as made:
        with pytest.raises(UnsentError, match=r"^(ConnectionError|SSLError)$"):
            await post(made)
    async with connections(hang) as port:
        soon = timedelta(seconds=0.3)
        async with courier(at(port, "https", connect_timeout=soon)) as made:
            with pytest.raises(UnsentError, match=r"^ConnectTimeout$"):
                await post(made)
        async with courier(at(port, "https", deadline=soon)) as made:
            with pytest.raises(UnsentError, match=r"^no connection within the deadline$"):
                await post(made)


async def test_a_reset_within_tls_is_lost(hierarchy: Hierarchy, tls: ssl.SSLContext) -> None:
    async def aborts(writer: asyncio.StreamWriter, _: int) -> None:
        writer.transport.abort()

    server = Counted(aborts)
    async with (
        connections(server.serve, tls) as port,
        courier(at(port, "https", ca=str(hierarchy.root))) as made,
    ):
        with pytest.raises(LostError, match=r"^ConnectionError$"):
            await post(made)
    assert len(server.requests) == 1


async def test_a_ca_that_is_replaced_is_seen(
    hierarchy: Hierarchy, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways: at new connections, the file counts as it is."""
    monkeypatch.setattr(module, "_LOOK_AGAIN", 0)
    ca, root = tmp_path / "ca.pem", got(hierarchy.root)
    async with (
        canned_vault(GOOD, tls=tls) as vault,
        courier(at(vault.port, "https", ca=str(ca))) as made,
    ):
        with pytest.raises(UnsentError, match=r"^FileNotFoundError$"):
            await post(made)
        put(ca, root)
        assert (await post(made)).ok
        put(ca, ClientAuthority("strangers").pem)
        with pytest.raises(UnsentError, match=r"^SSLError$"):
            await post(made)
        put(ca, "no certificate")
        with pytest.raises(UnsentError, match=r"^SSLError$"):
            await post(made)
        put(ca, root + "\n")
        assert (await post(made)).ok


async def test_who_logs_in_with_a_certificate_signs(tmp_path: Path) -> None:
    """The token is bound to it at renewals only, which the login's own connections make."""
    clients = ClientAuthority("clients")
    certificate, key, _ = clients.issue("acmeproxy", "proxy.example")
    login = CertificateLogin(tmp_path / "client.pem", tmp_path / "client-key.pem", "acmeproxy")
    put(login.certificate, certificate)
    put(login.key, key)
    place = Tenant(TenantName("one"), VaultPlace("pki", "acme"), Names())
    async with tls_openbao(tmp_path) as server:
        await server.as_root("POST", "sys/auth/cert", {"type": "cert"})
        role = {"certificate": clients.pem, "token_policies": ["sign"]}
        await server.as_root("POST", "auth/cert/certs/acmeproxy", role)
        policy = 'path "pki/sign/acme" { capabilities = ["update"] }'
        await server.as_root("POST", "sys/policies/acl/sign", {"policy": policy})
        await server.as_root("POST", "sys/mounts/pki", {"type": "pki"})
        await server.as_root("POST", "pki/root/generate/internal", {"common_name": "root", "ttl": "10h"})
        names = {"allow_any_name": True, "key_type": "any", "require_cn": False}
        await server.as_root("POST", "pki/roles/acme", names)
        connection = VaultConnection(server.address, login, ca=str(server.ca))
        async with VaultSigner({place.name: connection}) as signer:
            assert (await signer.sign(place, intent(["www.example.org"]))).leaf
