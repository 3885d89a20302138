"""The environment's names, and what is no name of ours."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from acmeproxy.core.challenge import ChallengeType
from acmeproxy.settings import load
from tests.support.settings_file import SOUND, secret_file, write
from tests.support.settings_refused import refused


def test_every_table_is_reached_by_underscores(tmp_path: Path) -> None:
    environ = {
        "ACMEPROXY_TENANTS__payments__EAB_REQUIRED": "yes",
        "ACMEPROXY_TENANTS__PAYMENTS__NAMES__ALLOW": "a.example, *.b.example",
        "ACMEPROXY_TENANTS__payments__NAMES__IP_RANGES": '["10.0.0.0/8"]',
        "ACMEPROXY_TENANTS__payments__CHALLENGES": "http-01",
        "ACMEPROXY_TENANTS__other-one__VAULT__ROLE": "web",
        "ACMEPROXY_VAULT__MAX_IN_FLIGHT": "16",
        "ACMEPROXY_VAULT__TIMEOUT": "2.5",
    }
    settings = load(write(tmp_path), environ)
    payments = settings.tenants["payments"]
    assert payments.eab_required is True
    assert payments.names.allow == ("a.example", "*.b.example")
    assert [str(network) for network in payments.names.ip_ranges] == ["10.0.0.0/8"]
    assert payments.challenges == (ChallengeType.HTTP01,)
    assert settings.tenants["other-one"].vault.role == "web"
    assert settings.vault.max_in_flight == 16
    assert settings.vault.timeout.total_seconds() == 2.5


def test_the_names_of_the_ecosystem(tmp_path: Path) -> None:
    ca = secret_file(tmp_path, "ca.pem", "certificate", 0o644)
    environ = {
        "VAULT_ADDR": "https://vault.example",
        "VAULT_TOKEN": "t",
        "VAULT_NAMESPACE": "ns",
        "VAULT_CACERT": str(ca),
        "VAULT_ROLE_ID": "r",
        "VAULT_SECRET_ID": "s",
        "VALKEY_URL": "redis://localhost/1",
        "ACMEPROXY_LISTEN": "127.0.0.1:1",
        "ACMEPROXY_BASE_URL": "https://other.example",
        "ACMEPROXY_LOG_LEVEL": "debug",
        "ACMEPROXY_LOG_FORMAT": "console",
    }
    settings = load(write(tmp_path), environ)
    assert settings.vault.address == "https://vault.example"
    assert settings.vault.namespace == "ns"
    assert settings.vault.ca == ca
    assert settings.vault.login.token == SecretStr("t")
    assert settings.vault.login.role_id == "r"
    assert settings.vault.login.secret_id == SecretStr("s")
    assert settings.redis.url == SecretStr("redis://localhost/1")
    assert str(settings.server.listen) == "127.0.0.1:1"
    assert settings.server.public_url == "https://other.example"
    assert settings.log.level == "debug"
    assert settings.log.format == "console"


def test_openbaos_names_win_over_vaults_and_our_own_over_both(tmp_path: Path) -> None:
    environ = {"VAULT_ADDR": "https://vault.example", "REDIS_URL": "redis://localhost/1"}
    assert load(write(tmp_path), environ).vault.address == "https://vault.example"
    environ |= {"BAO_ADDR": "https://bao.example", "VALKEY_URL": "redis://localhost/2"}
    assert load(write(tmp_path), environ).vault.address == "https://bao.example"
    assert load(write(tmp_path), environ).redis.url == SecretStr("redis://localhost/1")
    environ |= {"ACMEPROXY_VAULT__ADDRESS": "https://own.example"}
    assert load(write(tmp_path), environ).vault.address == "https://own.example"


@pytest.mark.parametrize(
    "variable",
    ["VAULT_TOKEN_FILE", "BAO_TOKEN_FILE", "ACMEPROXY_VAULT__LOGIN__TOKEN_FILE"],
)
def test_a_secret_can_lie_in_a_file(variable: str, tmp_path: Path) -> None:
    path = secret_file(tmp_path, "token", "hvs.token")
    settings = load(write(tmp_path), {variable: str(path)})
    token = settings.vault.login.token
    assert token is not None
    assert token.get_secret_value() == "hvs.token"
    assert settings.origin(("vault", "login", "token")) == variable


def test_one_variable_for_one_secret(tmp_path: Path) -> None:
    path = secret_file(tmp_path, "token", "hvs.token")
    assert refused(tmp_path, SOUND, {"VAULT_TOKEN": "x", "VAULT_TOKEN_FILE": str(path)}) == [
        "VAULT_TOKEN_FILE: vault.login.token_file: is given by VAULT_TOKEN too"
    ]


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    environ = {"VAULT_ADDR": "", "ACMEPROXY_LISTEN": "", "ACMEPROXY_TENANTS__payments__NAMES__ALLOW": ""}
    settings = load(write(tmp_path), environ)
    assert settings.vault.address == "https://127.0.0.1:8200"
    assert settings.tenants["payments"].names.allow == ("*.payments.example",)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ACMEPROXY_LISTN", "unknown variable: did you mean ACMEPROXY_LISTEN?"),
        ("ACMEPROXY_BASEURL", "unknown variable: did you mean ACMEPROXY_BASE_URL?"),
        ("ACMEPROXY_X", "unknown variable: keys are ACMEPROXY_<SECTION>__<KEY>"),
        ("ACMEPROXY_SERVR__LISTEN", "servr: unknown key: did you mean server?"),
        ("ACMEPROXY_SERVER__LISTNE", "server.listne: unknown key: did you mean listen?"),
        ("ACMEPROXY_LOG__LEVEL__X", "log.level: must be 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_misspelt_variable_is_a_mistake(variable: str, text: str, tmp_path: Path) -> None:
    """CFG-04."""
    assert refused(tmp_path, SOUND, {variable: "1"}) == [f"{variable}: {text}"]


def test_what_kubernetes_sets_for_a_service_of_our_name_is_not_ours(tmp_path: Path) -> None:
    environ = {
        "ACMEPROXY_SERVICE_HOST": "10.0.0.1",
        "ACMEPROXY_SERVICE_PORT": "443",
        "ACMEPROXY_SERVICE_PORT_HTTPS": "443",
        "ACMEPROXY_PORT": "tcp://10.0.0.1:443",
        "ACMEPROXY_PORT_443_TCP": "tcp://10.0.0.1:443",
        "ACMEPROXY_PORT_443_TCP_ADDR": "10.0.0.1",
        "ACMEPROXY_WEB_SERVICE_HOST": "10.0.0.1",
        "PATH": "/bin",
    }
    assert load(write(tmp_path), environ).server.listen.port == 8443


@pytest.mark.parametrize("word", ["maybe", "2", "TRUE!", "[]"])
def test_a_truth_is_a_truth(word: str, tmp_path: Path) -> None:
    variable = "ACMEPROXY_TENANTS__payments__WILDCARDS"
    assert refused(tmp_path, SOUND, {variable: word}) == [
        f"{variable}: tenants.payments.wildcards: must be true or false"
    ]


def test_a_list_that_is_no_json_is_refused(tmp_path: Path) -> None:
    variable = "ACMEPROXY_VALIDATION__EGRESS__DENY"
    assert refused(tmp_path, SOUND, {variable: "[10.0.0.0/8"}) == [
        f"{variable}: validation.egress.deny: must be a JSON array, or words with commas between them"
    ]
