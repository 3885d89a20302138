"""`[vault.login]`: every method has its keys, and a key of another one is a mistake."""

from pathlib import Path

import pytest

from acmeproxy.settings import LoginSettings, Settings, load
from tests.support.settings_file import SOUND, secret_file, write
from tests.support.settings_refused import refused


def loaded(directory: Path, login: str, environ: dict[str, str] | None = None) -> Settings:
    """Load a file with a login."""
    for name in ("token", "secret-id", "key.pem"):
        secret_file(directory, name, "secret")
    for name in ("jwt", "cert.pem"):
        secret_file(directory, name, "public", 0o644)
    return load(write(directory, f"{SOUND}[vault.login]\n{login}\n"), environ)


@pytest.mark.parametrize(
    ("login", "mount", "missing"),
    [
        ('method = "token"', None, ["token"]),
        ('method = "approle"', "approle", ["role_id", "secret_id"]),
        ('method = "kubernetes"', "kubernetes", ["role"]),
        ('method = "kubernetes"\nrole = "acmeproxy"', "kubernetes", []),
        ('method = "jwt"', "jwt", ["jwt_file"]),
        ('method = "jwt"\njwt_file = "jwt"\nmount = "ci/jwt"', "ci/jwt", []),
        ('method = "cert"', "cert", ["certificate", "key"]),
        ('method = "cert"\ncertificate = "cert.pem"\nkey = "key.pem"', "cert", []),
        ('method = "aws"', "aws", []),
        ('method = "agent"', None, []),
    ],
)
def test_what_a_method_needs(login: str, mount: str | None, missing: list[str], tmp_path: Path) -> None:
    settings = loaded(tmp_path, login)
    assert settings.vault.login.mount == mount
    assert [mistake.key for mistake in settings.missing_credentials()] == [
        f"vault.login.{key}" for key in missing
    ]


@pytest.mark.parametrize(
    ("login", "mistake"),
    [
        (
            'method = "kubernetes"\nrole = "r"\nrole_id = "x"',
            "vault.login.role_id: is no key of method kubernetes, which has jwt_file, mount, namespace, role",
        ),
        (
            'method = "approle"\njwt_file = "jwt"',
            (
                "vault.login.jwt_file: is no key of method approle,"
                " which has role_id, secret_id, wrapped, mount, namespace, role"
            ),
        ),
        (
            'jwt_file = "jwt"',
            "vault.login.jwt_file: is no key of method token, which has token",
        ),
        (
            'method = "agent"\nmount = "approle"',
            "vault.login.mount: is no key of method agent, which has address",
        ),
        (
            'method = "jwt"\njwt_file = "jwt"\nkey = "key.pem"',
            "vault.login.key: is no key of method jwt, which has jwt_file, mount, namespace, role",
        ),
    ],
)
def test_a_key_of_another_method_is_a_mistake(login: str, mistake: str, tmp_path: Path) -> None:
    secret_file(tmp_path, "key.pem", "secret")
    secret_file(tmp_path, "jwt", "public", 0o644)
    (said,) = refused(tmp_path, f"{SOUND}[vault.login]\n{login}\n")
    assert said.split(": ", 1)[1] == mistake


def test_two_keys_of_another_method_are_two_mistakes(tmp_path: Path) -> None:
    text = f'{SOUND}[vault.login]\nmethod = "aws"\nrole_id = "x"\nwrapped = true\n'
    assert [said.split(": is no key")[0] for said in refused(tmp_path, text)] == [
        "acmeproxy.toml:15: vault.login.role_id",
        "acmeproxy.toml:16: vault.login.wrapped",
    ]


def test_an_operators_token_in_the_environment_disturbs_no_method(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'method = "kubernetes"\nrole = "acmeproxy"', {"BAO_TOKEN": "hvs.operator"})
    assert settings.vault.login.method == "kubernetes"
    assert settings.vault.login.token is not None
    assert settings.vault.login.token.get_secret_value() == "hvs.operator"


def test_a_pod_has_its_token_in_one_place(tmp_path: Path) -> None:
    """It need not be there where the settings are only looked at."""
    login = loaded(tmp_path, 'method = "kubernetes"\nrole = "acmeproxy"').vault.login
    assert login.jwt_file == Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def test_files_are_known_by_their_place(tmp_path: Path) -> None:
    """They are read again later: another secret may be in them by then."""
    login = loaded(tmp_path, 'role_id = "r"\nsecret_id_file = "secret-id"\nwrapped = true').vault.login
    assert login.file_of("secret_id") == tmp_path / "secret-id"
    assert login.secret_id is not None
    assert login.secret_id.get_secret_value() == "secret"
    assert login.wrapped
    token = loaded(tmp_path, "", {"VAULT_TOKEN_FILE": str(tmp_path / "token")}).vault.login
    assert token.file_of("token") == tmp_path / "token"
    assert loaded(tmp_path, 'token = "t"').vault.login.file_of("token") is None
    assert LoginSettings().file_of("token") is None


def test_the_environment_wins_over_the_file_of_a_secret(tmp_path: Path) -> None:
    login = loaded(tmp_path, 'token_file = "token"', {"VAULT_TOKEN": "hvs.env"}).vault.login
    assert login.file_of("token") is None
    assert login.token is not None
    assert login.token.get_secret_value() == "hvs.env"


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        ('method = "ldap"', "vault.login.method: must be 'token', 'approle', "),
        ('method = "jwt"\njwt_file = "nowhere"', "vault.login.jwt_file: the file cannot be read: No such"),
        ('method = "cert"\nkey = "open.pem"', "vault.login.key: the file can be read by others: chmod 600"),
        ('method = "aws"\nregion = "evil.example/"', "vault.login.region: must be the name of an AWS region"),
        ('method = "aws"\nserver_id = "\\u00e9"', "vault.login.server_id: must be printable ASCII"),
        (
            'method = "agent"\naddress = "http://10.0.0.1:8100"',
            "vault.login.address: must be on loopback, or",
        ),
        ('method = "agent"\naddress = "unix:///run/agent"', "vault.login.address: must "),
        ('method = "jwt"\nrole = "a/b"', "vault.login.role: must be letters, digits and inner dots"),
        ('method = "jwt"\nrole = ""', "vault.login.role: must not be empty"),
        ('method = "jwt"\nmount = "../sys"', "vault.login.mount: must be letters, digits and inner dots"),
        ('role_id = "r"\nwrapped = "yes"', "vault.login.wrapped: must be true or false"),
        ('namespace = "a//b"\nmethod = "jwt"', "vault.login.namespace: must be letters, digits and inner"),
    ],
)
def test_values_that_are_none(login: str, reason: str, tmp_path: Path) -> None:
    secret_file(tmp_path, "open.pem", "secret", 0o644)
    (said,) = refused(tmp_path, f"{SOUND}[vault.login]\n{login}\n")
    assert said.split(": ", 1)[1].startswith(reason)


def test_a_tenant_has_a_method_of_its_own(tmp_path: Path) -> None:
    tenant = 'vault.login = { method = "agent", address = "http://127.0.0.1:8100" }'
    settings = load(write(tmp_path, f'{SOUND}{tenant}\n[vault.login]\ntoken = "common"\n'))
    assert settings.login("payments").method == "agent"
    assert settings.login("payments").address == "http://127.0.0.1:8100"
    assert settings.missing_credentials() == ()
