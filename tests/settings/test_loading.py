"""All sources in their order, all mistakes at once (CFG-04)."""

import traceback
from datetime import timedelta
from pathlib import Path

import pytest

from acmeproxy.settings import Address, SettingsError, find, load
from tests.support.settings_file import SOUND, changed, secret_file, write
from tests.support.settings_refused import refused


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    settings = load(write(tmp_path))

    assert settings.server.public_url == "https://acme.example"
    assert settings.server.listen == Address("127.0.0.1", 8443)
    assert settings.server.mode == "production"
    assert settings.server.challenge_wait == timedelta(seconds=1)
    assert settings.server.finalize_wait == timedelta(seconds=2)
    assert settings.redis.durability == "auto"
    assert settings.vault.timeout == timedelta(seconds=15)
    assert settings.vault.max_in_flight == 8
    assert settings.validation.http_port == 80
    assert settings.validation.resolver is None


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    environ = {"ACMEPROXY_LOG__LEVEL": "error"}

    assert load(write(tmp_path)).log.level == "info"
    path = write(tmp_path, SOUND + '[log]\nlevel = "warning"\n')
    assert load(path).log.level == "warning"
    assert load(path, environ).log.level == "error"
    assert load(path, environ, {"log.level": "debug"}).log.level == "debug"
    assert load(path, environ, {"log.level": None}).log.level == "error"


def test_every_value_knows_where_it_is_written(tmp_path: Path) -> None:
    path = write(tmp_path)
    settings = load(path, {"BAO_NAMESPACE": "corp"}, {"server.listen": "127.0.0.1:0"})

    assert settings.origin(("redis", "url")) == f"{path}:5"
    assert settings.origin(("vault", "namespace")) == "BAO_NAMESPACE"
    assert settings.origin(("server", "listen")) == "command line"
    assert settings.origin(("log", "level")) == "default"


def test_the_environment_alone_is_enough() -> None:
    settings = load(
        None,
        {
            "ACMEPROXY_BASE_URL": "https://acme.example/",
            "REDIS_URL": "redis://localhost/0",
            "VAULT_ADDR": "https://vault.example",
            "ACMEPROXY_TENANTS__payments__VAULT__ROLE": "web",
        },
    )
    assert settings.server.public_url == "https://acme.example"
    assert list(settings.tenants) == ["payments"]


def test_nothing_at_all_names_all_that_is_required_and_where_a_file_was_looked_for() -> None:
    with pytest.raises(SettingsError) as error:
        load(None, {"HOME": "/home/acme"})
    assert [(m.key, m.text) for m in error.value.mistakes] == [
        ("redis.url", "is required"),
        ("server.public_url", "is required"),
        ("tenants", "at least one tenant is needed: [tenants.NAME.vault] with a role"),
        ("vault.address", "is required"),
    ]
    (where,) = {m.where for m in error.value.mistakes}
    assert where == (
        "no settings file (acmeproxy.toml, /home/acme/.config/acmeproxy/acmeproxy.toml, "
        "/etc/acmeproxy/acmeproxy.toml)"
    )


def test_all_mistakes_of_all_sources_are_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    text = """\
[server]
public_url = "http://acme.example"
lisen = "127.0.0.1:1"

[redis]
url = "redis://10.0.0.1/0"

[validation]
http_port = 5002
attempts = "five"

[tenants.payments]
wildcards = "false"
names = { allow = ["*.a.example", "bad_name.example"] }
"""
    environ = {"ACMEPROXY_LOG_LEVEL": "loud", "ACMEPROXY_SERVER__CHALLENGE_WAIT": "soon"}
    number = "must be a number of seconds, or a number and a unit such as '30d', '12h' or '500ms'"

    ports = "may be another than RFC 8555's only with server.mode = development"
    label = "labels are 1 to 63 letters, digits and inner hyphens"

    assert refused(tmp_path, text, environ, {"vault.max_in_flight": "0"}) == [
        "acmeproxy.toml:2: server.public_url: must begin with https:// unless server.mode is development",
        "acmeproxy.toml:3: server.lisen: unknown key: did you mean listen?",
        "acmeproxy.toml:6: redis.url: beyond loopback must be rediss://, or set redis.allow_insecure = true",
        f"acmeproxy.toml:9: validation.http_port: {ports}",
        "acmeproxy.toml:10: validation.attempts: must be a whole number",
        "acmeproxy.toml:12: tenants.payments.vault.role: is required",
        "acmeproxy.toml:13: tenants.payments.wildcards: must be true or false",
        f"acmeproxy.toml:14: tenants.payments.names.allow[1]: {label}",
        "ACMEPROXY_LOG_LEVEL: log.level: must be 'debug', 'info', 'warning' or 'error'",
        f"ACMEPROXY_SERVER__CHALLENGE_WAIT: server.challenge_wait: {number}",
        "command line: vault.address: is required",
        "command line: vault.max_in_flight: must be at least 1",
    ]


def test_a_file_that_is_not_toml_has_one_mistake(tmp_path: Path) -> None:
    assert refused(tmp_path, changed("[redis]", "[redis")) == [
        "acmeproxy.toml:4: is not TOML: Expected ']' at the end of a table declaration"
    ]


def test_a_refused_secret_is_never_repeated(tmp_path: Path) -> None:
    """LOG-02: not in the text, not in the exception, not in its traceback."""
    canary = "hvs.CANARYCANARYCANARYCANARY"
    text = f"""\
[redis]
url = "http://:{canary}@127.0.0.1/0"
password = ["{canary}"]
[vault]
adress = "https://{canary}"
[vault.login]
token = {{ value = "{canary}" }}
secret_id = "{canary}\\u0000"
tokn = "{canary}"
"""
    with pytest.raises(SettingsError) as error:
        load(write(tmp_path, text), {"ACMEPROXY_VAULT__LOGIN__TOKEN__X": canary, "VAULT_TOKEN_FILE": "/none"})
    told = "".join(traceback.format_exception(error.value)) + repr(error.value.mistakes)
    assert "redis.password" in told
    assert "CANARY" not in told


def test_secrets_are_masked_wherever_settings_are_printed(tmp_path: Path) -> None:
    path = write(tmp_path, changed('url = "redis://127.0.0.1:6379/0"', 'url = "redis://:CANARY@127.0.0.1/0"'))
    settings = load(path, {"VAULT_TOKEN": "CANARY"})
    token = settings.vault.login.token
    assert token is not None
    assert token.get_secret_value() == "CANARY"
    assert "CANARY" not in f"{settings!r} {settings}"


def test_a_tables_key_that_pydantic_would_take_for_itself_is_unknown(tmp_path: Path) -> None:
    assert refused(tmp_path, '_env_file = "/etc/shadow"\n' + SOUND) == [
        "acmeproxy.toml:1: _env_file: unknown key: known here: log, redis, server, tenants, validation, vault"
    ]


def test_a_value_where_a_table_belongs_is_refused_even_below_another_layer(tmp_path: Path) -> None:
    text = 'log = "loud"\n' + SOUND
    assert refused(tmp_path, text, {"ACMEPROXY_LOG_LEVEL": "debug"}) == [
        "acmeproxy.toml:1: log: must be a table"
    ]


def test_the_search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configured = tmp_path / "xdg" / "acmeproxy" / "acmeproxy.toml"
    configured.parent.mkdir(parents=True)
    configured.write_text(SOUND)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}

    assert find(None, environ) == configured
    write(tmp_path)
    assert find(None, environ) == Path("acmeproxy.toml")
    assert find(None, environ | {"ACMEPROXY_CONFIG": "/named/by/environment"}) == Path(
        "/named/by/environment"
    )
    assert find(Path("/named"), environ | {"ACMEPROXY_CONFIG": "/not/me"}) == Path("/named")


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load(None, {"ACMEPROXY_CONFIG": str(tmp_path / "none.toml")})
    assert str(error.value) == f"{tmp_path}/none.toml: cannot be read: No such file or directory"


def test_paths_in_the_file_begin_at_its_directory(tmp_path: Path) -> None:
    secret_file(tmp_path, "ca.pem", "-----BEGIN CERTIFICATE-----", 0o644)
    settings = load(write(tmp_path, changed("[tenants.payments]", 'ca = "ca.pem"\n[tenants.payments]')))
    assert settings.vault.ca == tmp_path / "ca.pem"
