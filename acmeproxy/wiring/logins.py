"""How to log in to Vault, from the settings."""

from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from acmeproxy.adapters.vault.connection import (
    AgentLogin,
    AppRoleLogin,
    AwsLogin,
    CertificateLogin,
    JwtLogin,
    KubernetesLogin,
    LoginMethod,
    Reveal,
    Secret,
    SecretFile,
    TokenLogin,
)
from acmeproxy.settings import LoginSettings

#: How long a token that an agent replaced in its file may go unnoticed.
_LOOK_AGAIN: Final = timedelta(seconds=5)


def login_of(login: LoginSettings) -> LoginMethod:  # noqa: PLR0911 - one line a method
    """Return the login that a table of the settings describes; what is in a file is read at each login."""
    role, mount, namespace = login.role or "", login.mount or "", login.namespace
    match login.method:
        case "token":
            return TokenLogin(_secret(login, "token"), _LOOK_AGAIN if login.file_of("token") else None)
        case "approle":
            secret_id = _secret(login, "secret_id")
            return AppRoleLogin(login.role_id or "", secret_id, mount, namespace, login.wrapped, role)
        case "kubernetes":
            return KubernetesLogin(role, SecretFile(login.jwt_file or Path()), mount, namespace)
        case "jwt":
            return JwtLogin(role, SecretFile(login.jwt_file or Path()), mount, namespace)
        case "cert":
            certificate, key = login.certificate or Path(), login.key or Path()
            return CertificateLogin(certificate, key, role, mount, namespace)
        case "aws":
            return AwsLogin(role, login.region or "", login.server_id or "", mount, namespace)
        case "agent":
            return AgentLogin()


def _secret(login: LoginSettings, key: Literal["token", "secret_id"]) -> Reveal:
    path, value = login.file_of(key), getattr(login, key)
    return SecretFile(path) if path else Secret(value.get_secret_value() if value else "")
