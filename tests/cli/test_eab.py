"""`acmeproxy eab`, as an operator calls it: a secret is shown once, and what is ended is ended."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from acmeproxy.adapters.embedded.processes import free_port
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.cli.main import app
from tests.support.acme_keys import unb64url
from tests.support.settings_file import write
from tests.support.valkey import ask

VARIABLES = ("ACMEPROXY_CONFIG", "BAO_TOKEN", "BAO_ADDR", "VAULT_ADDR", "REDIS_URL", "VALKEY_URL")


@pytest.fixture(autouse=True)
def nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep settings of whoever runs the tests away."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(tmp_path: Path, valkey: Valkey) -> Path:
    return written(tmp_path, valkey.port)


def written(directory: Path, port: int) -> Path:
    return write(
        directory,
        f'[server]\npublic_url = "https://acme.example"\n[redis]\nurl = "redis://127.0.0.1:{port}/0"\n'
        '[vault]\naddress = "https://127.0.0.1:8200"\n'
        '[tenants.alpha]\nnames.allow = ["*.alpha.example"]\nvault.role = "web"\n'
        '[tenants.beta]\nnames.allow = ["*.beta.example"]\nvault.role = "web"\n',
    )


def eab(*arguments: str, settings: Path) -> Result:
    return CliRunner().invoke(app, ["eab", *arguments, "--config", str(settings)])


def stored(valkey: Valkey, kid: str, tenant: str = "alpha") -> bool:
    return asyncio.run(ask(valkey, "EXISTS", f"{{{tenant}/eab}}:{kid}")) == b":1"


def test_a_key_is_made_for_one_tenant(settings: Path, valkey: Valkey) -> None:
    """EAB-14: 256 random bits."""
    result = eab("create", "alpha", "--label", "for checkout", "--json", settings=settings)
    assert result.exit_code == 0, result.stderr
    key = json.loads(result.stdout)
    assert key.keys() == {"kid", "hmac_key"}
    assert len(unb64url(key["hmac_key"])) == 32
    assert stored(valkey, key["kid"])
    assert not stored(valkey, key["kid"], "beta")
    other = json.loads(eab("create", "alpha", "--json", settings=settings).stdout)
    assert other["kid"] != key["kid"]
    assert other["hmac_key"] != key["hmac_key"]


def test_what_it_is_for_may_be_said_in_one_list_or_in_many(settings: Path) -> None:
    wishes = ("--names", "*.a.alpha.example, b.alpha.example", "--names", "c.alpha.example", "--uses", "2")
    made = eab("create", "alpha", *wishes, "--expires", "7d", "--json", settings=settings)
    assert made.exit_code == 0, made.stderr
    rows = json.loads(eab("list", "alpha", "--json", settings=settings).stdout)
    [row] = [row for row in rows if row["kid"] == json.loads(made.stdout)["kid"]]
    assert row["names"] == ["*.a.alpha.example", "b.alpha.example", "c.alpha.example"]
    assert (row["uses"], row["used"], row["state"]) == (2, 0, "open")
    assert row["expires"] is not None


def test_what_is_no_name_or_no_profile_is_refused(settings: Path) -> None:
    for wishes in (("--names", "a b"), ("--profiles", "nope"), ("--expires", "soon"), ("--uses", "0")):
        assert eab("create", "alpha", *wishes, settings=settings).exit_code == 2, wishes


def test_its_secret_is_shown_once(settings: Path) -> None:
    """ADM-07."""
    made = eab("create", "alpha", "--label", "for checkout", settings=settings)
    kid_line, key_line = made.stdout.splitlines()
    kid, hmac_key = kid_line.split()[-1], key_line.split()[2]
    assert key_line.endswith("(shown once)")
    for arguments in (("list", "alpha"), ("list", "alpha", "--json")):
        listed = eab(*arguments, settings=settings)
        assert listed.exit_code == 0
        assert kid in listed.stdout
        assert "for checkout" in listed.stdout
        assert hmac_key not in listed.output
    assert kid not in eab("list", "beta", settings=settings).output


def test_an_ended_key_is_listed_as_such(settings: Path) -> None:
    kid = json.loads(eab("create", "alpha", "--json", settings=settings).stdout)["kid"]
    ended = eab("revoke", "alpha", kid, "--yes", settings=settings)
    assert (ended.exit_code, ended.stdout) == (0, f"{kid} is revoked, 0 accounts are closed.\n")
    [row] = json.loads(eab("list", "alpha", "--json", settings=settings).stdout)
    assert (row["kid"], row["state"]) == (kid, "revoked")
    absent = eab("revoke", "beta", kid, "--yes", settings=settings)
    assert (absent.exit_code, absent.stderr) == (3, f"Tenant beta has no EAB key {kid}.\n")


def test_a_tenant_that_is_not_there_is_not_found(settings: Path) -> None:
    result = eab("create", "gamma", settings=settings)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "There is no tenant gamma: the settings have alpha, beta.\n"


def test_a_store_that_is_away_is_told(tmp_path: Path) -> None:
    result = eab("create", "alpha", settings=written(tmp_path, free_port()))
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.startswith("Nothing was done: the state store failed")
    assert "Is redis.url right and the server up?" in result.stderr


def test_settings_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\n")
    result = eab("create", "alpha", settings=path)
    assert (result.exit_code, result.stdout) == (6, "")
    assert f"{path}:1: server.public_url: is required" in result.stderr


def test_its_tags_are_shown_with_it(settings: Path) -> None:
    wishes = ("--tag", "team=checkout", "--tag", "note=a=b")
    made = eab("create", "alpha", *wishes, "--json", settings=settings)
    assert made.exit_code == 0, made.stderr
    rows = json.loads(eab("list", "alpha", "--json", settings=settings).stdout)
    [row] = [row for row in rows if row["kid"] == json.loads(made.stdout)["kid"]]
    assert row["tags"] == {"team": "checkout", "note": "a=b"}


@pytest.mark.parametrize("tag", ["team", "=x", "team=", "te am=x", "team=\u00fc", f"team={'x' * 257}"])
def test_a_tag_that_could_not_be_kept_is_refused(tag: str, settings: Path) -> None:
    refused = eab("create", "alpha", "--tag", tag, settings=settings)
    assert refused.exit_code == 2
    assert "KEY=VALUE" in refused.stderr
