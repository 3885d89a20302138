"""TLS certificate: the connection that logs in, and the one that renews, show who we are."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import AgentLogin, CertificateLogin
from acmeproxy.adapters.vault.login import Login
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.logging_in import got, kept, logging_in, mounted, put
from tests.support.client_certificates import ClientAuthority
from tests.support.eventually import eventually
from tests.support.tls_openbao import TlsOpenBao, tls_openbao

AUTHORITY = ClientAuthority("clients")
STRANGER = ClientAuthority("strangers")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TlsOpenBao]:
    """Run an OpenBao whose certificate method trusts our CA."""
    async with tls_openbao(tmp_path_factory.mktemp("tls-openbao")) as server:
        await server.as_root("POST", "sys/auth/cert", {"type": "cert"})
        role = {
            "certificate": AUTHORITY.pem,
            "allowed_dns_sans": ["proxy.example"],
            "token_policies": ["default"],
        }
        await server.as_root("POST", "auth/cert/certs/acmeproxy", role)
        brief = {**role, "token_period": "2s"}
        await server.as_root("POST", "auth/cert/certs/brief", brief)
        yield server


@pytest.fixture
def login(tmp_path: Path) -> CertificateLogin:
    """Return a login with a certificate that is good."""
    login = CertificateLogin(tmp_path / "client.pem", tmp_path / "client-key.pem", "acmeproxy")
    certify(login)
    return login


def certify(
    login: CertificateLogin,
    authority: ClientAuthority = AUTHORITY,
    name: str = "proxy.example",
    common_name: str = "acmeproxy",
) -> str:
    """Put another certificate and its key in place; return its serial number as Vault shows it."""
    certificate, key, serial = authority.issue(common_name, name)
    put(login.certificate, certificate)
    put(login.key, key)
    return serial


async def looked_up(keeper: Login) -> dict[str, object]:
    """Ask the token about itself."""
    answer = await keeper.ask("get", "auth/token/lookup-self")
    assert answer.status == 200, answer.reason
    assert answer.data
    return answer.data


async def shown(keeper: Login) -> object:
    """Return the serial number of the certificate that logged in."""
    meta = (await looked_up(keeper))["meta"]
    assert isinstance(meta, dict)
    return meta["serial_number"]


async def refusal(address: str, login: CertificateLogin, ca: Path | None) -> str:
    """Log in in vain, and return why."""
    async with logging_in(address, login, namespace="", ca=ca) as keeper:
        with pytest.raises(SigningDeferredError) as caught:
            await looked_up(keeper)
    return str(caught.value)


async def test_a_rotated_certificate_is_shown_at_the_next_login(
    server: TlsOpenBao, login: CertificateLogin
) -> None:
    first = certify(login)
    async with logging_in(server.address, login, namespace="", ca=server.ca) as keeper:
        assert await shown(keeper) == first
        second = certify(login)
        await server.as_root("PUT", "sys/leases/revoke-prefix/auth/cert")
        assert await shown(keeper) == second


async def test_a_renewal_shows_the_certificate_too(server: TlsOpenBao, login: CertificateLogin) -> None:
    """Vault binds the token to it: over another connection the renewal is refused."""
    brief = msgspec.structs.replace(login, role="brief")
    async with logging_in(server.address, brief, namespace="", ca=server.ca) as keeper:
        accessor = (await looked_up(keeper))["accessor"]
        async with kept(keeper):

            async def renewed() -> bool:
                return "last_renewal" in await looked_up(keeper)

            await eventually(renewed)
        assert (await looked_up(keeper))["accessor"] == accessor


async def test_without_a_role_any_that_fits_is_taken(server: TlsOpenBao, login: CertificateLogin) -> None:
    anyone = msgspec.structs.replace(login, role="")
    async with logging_in(server.address, anyone, namespace="", ca=server.ca) as keeper:
        assert (await looked_up(keeper))["path"] == "auth/cert/login"


async def test_a_certificate_of_the_environment_is_nobodys(
    server: TlsOpenBao, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INV-4: hvac would show the one that `VAULT_CLIENT_CERT` names, or fail where it is not."""
    monkeypatch.setattr("hvac.v1.VAULT_CLIENT_CERT", "/nowhere/client.pem")
    monkeypatch.setattr("hvac.v1.VAULT_CLIENT_KEY", "/nowhere/client-key.pem")
    async with logging_in(server.address, AgentLogin(), namespace="", ca=server.ca) as keeper:
        assert (await keeper.ask_openly("sys/seal-status")).status == 200


async def test_the_certificate_of_a_stranger_and_of_another_name(
    server: TlsOpenBao, login: CertificateLogin
) -> None:
    for authority, name in ((STRANGER, "proxy.example"), (AUTHORITY, "other.example")):
        certify(login, authority, name)
        said = await refusal(server.address, login, server.ca)
        assert "the login did not work: Vault answered 400" in said
        assert "no role takes this certificate (its CA, names or validity)" in said


async def test_a_certificate_without_a_common_name(server: TlsOpenBao, login: CertificateLogin) -> None:
    certify(login, common_name="")
    said = await refusal(server.address, login, server.ca)
    assert "Vault answered 500 'missing name in alias': the certificate has no common name" in said


async def test_a_connection_without_tls_shows_nothing(
    openbao: OpenBao, hierarchy: Hierarchy, login: CertificateLogin
) -> None:
    assert hierarchy.tenants
    mount = await mounted(openbao, "cert")
    async with logging_in(openbao.address, msgspec.structs.replace(login, mount=mount)) as keeper:
        with pytest.raises(SigningDeferredError, match=r"vault\.address must be https"):
            await looked_up(keeper)


async def test_a_key_of_another_certificate_is_told_before_vault_is_asked(login: CertificateLogin) -> None:
    put(login.key, AUTHORITY.issue("acmeproxy", "proxy.example")[1])
    said = await refusal("https://127.0.0.1:9", login, None)
    assert said == (
        f"no login without its secret: the certificate {login.certificate} with the key {login.key}"
        " cannot be used: KEY_VALUES_MISMATCH"
    )


async def test_nobody_is_asked_for_the_password_of_a_key(login: CertificateLogin) -> None:
    key = load_pem_private_key(got(login.key).encode(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary"))
    put(login.key, locked.decode())
    said = await refusal("https://127.0.0.1:9", login, None)
    assert said.endswith(" cannot be used: not PEM, or not a key without a password")


async def test_a_missing_file_is_named(login: CertificateLogin, tmp_path: Path) -> None:
    said = await refusal(
        "https://127.0.0.1:9", msgspec.structs.replace(login, key=tmp_path / "nowhere.pem"), None
    )
    assert said.endswith(f"with the key {tmp_path}/nowhere.pem cannot be used: No such file or directory")
