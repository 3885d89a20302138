"""`[redis]` and `[vault]`: where state and certificates come from (CFG-03)."""

from datetime import timedelta
from pathlib import Path

import pytest

from acmeproxy.settings import SettingsError, load
from tests.support.settings_file import SOUND, changed, secret_file, write
from tests.support.settings_refused import refused

REDIS = 'url = "redis://127.0.0.1:6379/0"'
VAULT = 'address = "https://127.0.0.1:8200"'


@pytest.mark.parametrize("url", ["redis://10.0.0.1/0", "redis://valkey:6379", "redis://:secret@0.0.0.0/0"])
def test_redis_beyond_loopback_needs_tls(url: str, tmp_path: Path) -> None:
    """CFG-03."""
    text = changed(REDIS, f'url = "{url}"')
    assert refused(tmp_path, text) == [
        "acmeproxy.toml:5: redis.url: beyond loopback must be rediss://, or set redis.allow_insecure = true"
    ]
    wanted = load(write(tmp_path, text.replace("[redis]", "[redis]\nallow_insecure = true")))
    assert wanted.redis.url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "rediss://:secret@valkey.example:6379/0",
        "unix:///run/valkey.sock?db=1",
        "redis://[::1]/0",
        "redis://localhost",
    ],
)
def test_redis_may_be_here_or_behind_tls(url: str, tmp_path: Path) -> None:
    text = changed(REDIS, f'url = "{url}"')
    assert load(write(tmp_path, text)).redis.url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:6379",
        "http://127.0.0.1",
        "redis://127.0.0.1:x",
        "unix://relative",
        "rediss://valkey.example/0?ssl_cert_reqs=none",
        "rediss://valkey.example/0?ssl_check_hostname=false",
    ],
)
def test_other_urls_are_none_of_redis(url: str, tmp_path: Path) -> None:
    """The last two would leave TLS without a check of whom it reaches."""
    (mistake,) = refused(tmp_path, changed(REDIS, f'url = "{url}"'))
    assert mistake.startswith("acmeproxy.toml:5: redis.url: m")


def test_one_password_is_enough(tmp_path: Path) -> None:
    text = changed(REDIS, 'url = "redis://:a@127.0.0.1/0"')
    assert refused(tmp_path, text, {"ACMEPROXY_REDIS__PASSWORD": "b"}) == [
        "ACMEPROXY_REDIS__PASSWORD: redis.password: is in redis.url too: give it once"
    ]


@pytest.mark.parametrize("address", ["http://10.0.0.1:8200", "http://vault.example", "http://0.0.0.0:8200"])
def test_vault_beyond_loopback_needs_tls(address: str, tmp_path: Path) -> None:
    """CFG-03."""
    text = changed(VAULT, f'address = "{address}"')
    (mistake,) = refused(tmp_path, text)
    assert mistake.startswith("acmeproxy.toml:8: vault.address: beyond loopback must be https://")
    assert load(write(tmp_path, text), {"ACMEPROXY_VAULT__ALLOW_INSECURE": "1"}).vault.address == address


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8200", "https://vault.example/v1", "https://token@vault.example", "unix:///run/x"]
)
def test_vaults_address_is_scheme_host_and_port(address: str, tmp_path: Path) -> None:
    (mistake,) = refused(tmp_path, changed(VAULT, f'address = "{address}"'))
    assert mistake.startswith("acmeproxy.toml:8: vault.address: must ")


@pytest.mark.parametrize(
    ("login", "method", "missing"),
    [
        ("", "token", ["vault.login.token"]),
        ('token = "t"', "token", []),
        ('role_id = "r"\nsecret_id = "s"', "approle", []),
        ('role_id = "r"', "approle", ["vault.login.secret_id"]),
        ('secret_id = "s"', "approle", ["vault.login.role_id"]),
        ('method = "approle"\ntoken = "t"', "approle", ["vault.login.role_id", "vault.login.secret_id"]),
    ],
)
def test_who_signs_must_be_able_to_log_in(
    login: str, method: str, missing: list[str], tmp_path: Path
) -> None:
    """The web role has no credential: loading asks for none, a worker does."""
    settings = load(write(tmp_path, f"{SOUND}[vault.login]\n{login}\n"))
    assert settings.login("payments").method == method
    assert [mistake.key for mistake in settings.missing_credentials()] == missing
    if missing:
        with pytest.raises(SettingsError, match="is required where certificates are signed"):
            settings.require_credentials()
    else:
        settings.require_credentials()


def test_a_tenants_login_replaces_the_common_one_as_a_whole(tmp_path: Path) -> None:
    text = f'{SOUND}vault.login.role_id = "own"\n[vault.login]\ntoken = "common"\n'
    settings = load(write(tmp_path, text))
    assert settings.login("payments").method == "approle"
    assert settings.login("payments").token is None
    assert [mistake.key for mistake in settings.missing_credentials()] == [
        "tenants.payments.vault.login.secret_id"
    ]


def test_a_secret_lies_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret_file(tmp_path, "secret-id", "from the file")
    secret_file(tmp_path, "role-id", "a-role", 0o644)
    text = f'{SOUND}[vault.login]\nrole_id_file = "role-id"\nsecret_id_file = "secret-id"\n'
    path = write(tmp_path, text, 0o644)
    login = load(path).vault.login
    assert login.role_id == "a-role"
    assert login.secret_id is not None
    assert login.secret_id.get_secret_value() == "from the file"
    assert load(path).origin(("vault", "login", "secret_id")) == f"{path}:15"


def test_a_secret_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    secret_file(tmp_path, "token", "t")
    text = f'{SOUND}[vault.login]\ntoken = "t"\ntoken_file = "token"\n'
    assert refused(tmp_path, text) == [
        "acmeproxy.toml:15: vault.login.token_file: is given by acmeproxy.toml:14 too"
    ]


def test_a_timeout_has_many_forms(tmp_path: Path) -> None:
    for written, meant in (("2", 2.0), ("2.5", 2.5), ('"500ms"', 0.5), ('"2m"', 120.0)):
        text = changed(VAULT, f"{VAULT}\ntimeout = {written}")
        assert load(write(tmp_path, text)).vault.timeout == timedelta(seconds=meant)
