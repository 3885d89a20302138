"""Every table `[vault.login]` becomes the login that it describes."""

from datetime import timedelta
from pathlib import Path

import pytest

from acmeproxy.adapters.vault.connection import (
    AgentLogin,
    AppRoleLogin,
    AwsLogin,
    CertificateLogin,
    JwtLogin,
    KubernetesLogin,
    LoginMethod,
    SecretFile,
    TokenLogin,
)
from acmeproxy.settings import load
from acmeproxy.wiring.logins import login_of
from tests.support.settings_file import SOUND, secret_file, write

POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def described(directory: Path, login: str) -> LoginMethod:
    """Return the login of a table."""
    for name in ("token", "secret-id", "key.pem"):
        secret_file(directory, name, f"s.{name}")
    for name in ("jwt", "cert.pem"):
        secret_file(directory, name, "public", 0o644)
    return login_of(load(write(directory, f"{SOUND}[vault.login]\n{login}\n")).vault.login)


def test_a_token_of_a_file_is_followed_and_a_value_is_not(tmp_path: Path) -> None:
    login = described(tmp_path, 'token_file = "token"')
    assert isinstance(login, TokenLogin)
    assert (login.token(), login.look_again) == ("s.token", timedelta(seconds=5))
    secret_file(tmp_path, "token", "s.second")
    assert login.token() == "s.second"
    login = described(tmp_path, 'token = "s.value"')
    assert isinstance(login, TokenLogin)
    assert (login.token(), login.look_again) == ("s.value", None)


def test_a_secret_id_of_a_file_is_read_again(tmp_path: Path) -> None:
    text = 'role_id = "r"\nsecret_id_file = "secret-id"\nwrapped = true\nrole = "acmeproxy"\nnamespace = "a"'
    login = described(tmp_path, text)
    assert isinstance(login, AppRoleLogin)
    assert (login.role_id, login.mount, login.namespace) == ("r", "approle", "a")
    assert (login.wrapped, login.role) == (True, "acmeproxy")
    secret_file(tmp_path, "secret-id", "second")
    assert login.secret_id() == "second"


def test_a_secret_id_of_a_value(tmp_path: Path) -> None:
    login = described(tmp_path, 'role_id = "r"\nsecret_id = "s"\nmount = "machines"')
    assert isinstance(login, AppRoleLogin)
    assert (login.secret_id(), login.mount, login.namespace) == ("s", "machines", None)
    assert not login.wrapped


def test_a_service_account(tmp_path: Path) -> None:
    login = described(tmp_path, 'method = "kubernetes"\nrole = "acmeproxy"\nmount = "prod/kubernetes"')
    assert isinstance(login, KubernetesLogin)
    assert (login.role, login.mount) == ("acmeproxy", "prod/kubernetes")
    assert isinstance(login.jwt, SecretFile)
    assert login.jwt.path == POD


def test_a_jwt(tmp_path: Path) -> None:
    login = described(tmp_path, 'method = "jwt"\njwt_file = "jwt"\nnamespace = ""')
    assert isinstance(login, JwtLogin)
    assert (login.role, login.mount, login.namespace, login.jwt()) == ("", "jwt", "", "public")


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ('method = "aws"', AwsLogin("", "", "", "aws", None)),
        (
            'method = "aws"\nrole = "r"\nregion = "eu-central-1"\nserver_id = "vault.corp"',
            AwsLogin("r", "eu-central-1", "vault.corp", "aws", None),
        ),
        ('method = "agent"', AgentLogin()),
    ],
)
def test_logins_without_a_secret_of_ours(text: str, login: LoginMethod, tmp_path: Path) -> None:
    assert described(tmp_path, text) == login


def test_a_certificate(tmp_path: Path) -> None:
    text = 'method = "cert"\ncertificate = "cert.pem"\nkey = "key.pem"\nrole = "acmeproxy"'
    assert described(tmp_path, text) == CertificateLogin(
        tmp_path / "cert.pem", tmp_path / "key.pem", "acmeproxy", "cert", None
    )
