"""No method tells its secret in a log or a traceback (INV-13), or to another host (VLT-06)."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from acmeproxy.adapters.vault.connection import (
    AppRoleLogin,
    AwsLogin,
    CertificateLogin,
    JwtLogin,
    KubernetesLogin,
    LoginMethod,
    Secret,
    SecretFile,
    TokenLogin,
    VaultConnection,
)
from acmeproxy.adapters.vault.courier import Courier
from acmeproxy.adapters.vault.gate import Gate
from acmeproxy.adapters.vault.login import Login
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.canned_vault import CannedVault, canned_vault, http_answer
from tests.adapters.vault.logging_in import kept, logging_in, put
from tests.adapters.vault.scripted_vault import scripted_vault
from tests.support.client_certificates import ClientAuthority
from tests.support.tracebacks import everything

CANARY = "canary-of-a-secret"
REFUSED = http_answer(400, {"errors": ["no"]})
ORIGIN = {"creation_path": "auth/approle/role/acmeproxy/secret-id"}

Make = Callable[[Path], LoginMethod]


def certificate(directory: Path) -> LoginMethod:
    """Return the login of a certificate, whose key is the secret."""
    pem, key, _ = ClientAuthority("clients").issue("acmeproxy", "proxy.example")
    put(directory / "client.pem", pem)
    put(directory / "client-key.pem", key)
    return CertificateLogin(directory / "client.pem", directory / "client-key.pem")


def file(directory: Path) -> SecretFile:
    """Return a file with the canary in it."""
    put(directory / "secret", CANARY)
    return SecretFile(directory / "secret")


METHODS: dict[str, Make] = {
    "token": lambda directory: TokenLogin(file(directory), timedelta(seconds=5)),
    "approle": lambda directory: AppRoleLogin("role", file(directory)),
    "wrapped": lambda directory: AppRoleLogin("role", file(directory), wrapped=True),
    "kubernetes": lambda directory: KubernetesLogin("role", file(directory)),
    "jwt": lambda directory: JwtLogin("role", file(directory)),
    "cert": certificate,
    "aws": lambda _: AwsLogin("role"),
}
each_method = pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give botocore credentials of which two parts are secrets."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", CANARY)


async def failed(address: str, login: LoginMethod) -> BaseException:
    """Log in in vain."""
    async with logging_in(address, login, namespace="") as keeper:
        with pytest.raises(SigningDeferredError) as caught:
            await keeper.ask("get", "pki/roles/acme")
    return caught.value


@each_method
async def test_a_refused_login_tells_nothing(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    login = make(tmp_path)
    async with scripted_vault([], REFUSED) as vault:
        error = await failed(vault.address, login)
    assert vault.requests
    assert "in _logged_in" in everything(error)
    assert CANARY not in f"{everything(error)}{caplog.text}{login!r}"
    assert "PRIVATE KEY" not in f"{everything(error)}{caplog.text}{login!r}"


@pytest.mark.parametrize("name", ["token", "approle", "wrapped", "kubernetes", "jwt"])
async def test_a_refusal_that_quotes_the_secret_tells_nothing(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What stands before Vault may write anything into what it answers."""
    caplog.set_level(logging.DEBUG)
    quoting = http_answer(403, {"errors": [f"who is {CANARY}?", "no"], "warnings": [CANARY]})
    async with scripted_vault([], quoting) as vault:
        error = await failed(vault.address, METHODS[name](tmp_path))
    assert "'who is ***?'" in str(error)
    assert CANARY not in f"{everything(error)}{caplog.text}"


async def test_an_answer_that_quotes_the_token_tells_nothing() -> None:
    """Neither where it is asked by hvac, nor where it is signed by the courier."""
    quoting = http_answer(403, {"errors": [f"{CANARY}!"], "warnings": [f"of {CANARY}"]})
    known = http_answer(200, {"data": {"ttl": 3600, "renewable": False}})
    login, body = TokenLogin(Secret(CANARY)), {"csr": "of somebody"}
    async with scripted_vault([(b"lookup-self", known)], quoting) as vault:
        async with logging_in(vault.address, login, namespace="") as keeper:
            asked = await keeper.ask("get", "pki/roles/acme")
        connection = VaultConnection(vault.address, login)
        gate = Gate(1)
        courier = Courier(connection, gate)
        signed = await courier.post("pki/sign/acme", token=login.token, body=body, headers={})
        await courier.close()
        gate.close()
    assert [answer.errors for answer in (asked, signed)] == [("***!",)] * 2
    assert [answer.warnings for answer in (asked, signed)] == [("of ***",)] * 2


@each_method
async def test_a_lost_login_tells_nothing(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The exceptions of requests carry the request, and with it the secret."""
    caplog.set_level(logging.DEBUG)
    login = make(tmp_path)
    async with scripted_vault([], b"") as vault:
        error = await failed(vault.address, login)
    assert "no answer to the login" in str(error)
    assert "in log_in" in everything(error)
    assert CANARY not in f"{everything(error)}{caplog.text}"


async def test_a_file_that_is_no_secret_tells_nothing_of_what_is_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    login = JwtLogin("role", file(tmp_path))
    put(tmp_path / "secret", f"{CANARY}\n{CANARY}\n")
    error = await failed("http://127.0.0.1:9", login)
    assert str(error).endswith("is not one line of text")
    assert CANARY not in f"{everything(error)}{caplog.text}"


@pytest_asyncio.fixture
async def canary() -> AsyncIterator[CannedVault]:
    """Run a server that must never be asked."""
    async with canned_vault() as vault:
        yield vault
        assert vault.requests == []


@asynccontextmanager
async def away(
    canary: CannedVault, script: list[tuple[bytes, bytes]], login: LoginMethod
) -> AsyncIterator[tuple[Login, list[bytes]]]:
    """Be in front of a Vault that sends to the canary whatever the script has no answer to."""
    location = f"Location: http://127.0.0.1:{canary.port}/v1/sys/health"
    async with (
        scripted_vault(script, http_answer(307, b"", location)) as vault,
        logging_in(vault.address, login, namespace="") as keeper,
    ):
        yield keeper, vault.requests


@each_method
async def test_a_login_that_is_redirected_goes_nowhere(
    make: Make, tmp_path: Path, canary: CannedVault
) -> None:
    async with away(canary, [], make(tmp_path)) as (keeper, _):
        with pytest.raises(SigningDeferredError, match="Vault answered 307"):
            await keeper.ask("get", "pki/roles/acme")


async def test_an_unwrapping_that_is_redirected_goes_nowhere(tmp_path: Path, canary: CannedVault) -> None:
    script = [(b"sys/wrapping/lookup", http_answer(200, {"data": ORIGIN}))]
    async with away(canary, script, METHODS["wrapped"](tmp_path)) as (keeper, requests):
        with pytest.raises(SigningDeferredError, match=r"307 .*: the wrapping token was not opened"):
            await keeper.ask("get", "pki/roles/acme")
    assert f"X-Vault-Token: {CANARY}".encode() in requests[-1]


async def test_a_renewal_that_is_redirected_goes_nowhere(tmp_path: Path, canary: CannedVault) -> None:
    """Then a new login is tried, which goes nowhere either."""
    auth = {"client_token": CANARY, "lease_duration": 1, "renewable": True}
    script = [
        (b"auth/jwt/login", http_answer(200, {"auth": auth})),
        (b"pki/roles/acme", http_answer(200, {"data": {}})),
    ]
    async with away(canary, script, METHODS["jwt"](tmp_path)) as (keeper, requests), kept(keeper):
        await keeper.ask("get", "pki/roles/acme")
        # Its lease is one second: keeping it alive renews it, and does not get that far.
        while not any(b"renew-self" in request for request in requests):
            await keeper.ask("get", "pki/roles/acme")
    renewals = [request for request in requests if b"renew-self" in request]
    assert f"X-Vault-Token: {CANARY}".encode() in renewals[0]
