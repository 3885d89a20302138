"""`acmeproxy config`, as an operator calls it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from acmeproxy.cli.config import app
from tests.support.settings_file import SOUND, changed, write

LINES = {"COLUMNS": "200", "VAULT_TOKEN": "CANARY"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep settings of whoever runs the tests away."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(empty))
    for name in ("ACMEPROXY_CONFIG", "BAO_TOKEN", "BAO_ADDR", "VAULT_ADDR", "REDIS_URL", "VALKEY_URL"):
        monkeypatch.delenv(name, raising=False)
    return iter(())


def test_a_file_that_holds_is_told_in_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path)
    result = CliRunner().invoke(app, ["check", str(path)], env=LINES)
    assert (result.exit_code, result.stdout) == (0, f"{path} can be used: 1 tenant.\n")


def test_a_file_without_a_login_tells_what_a_worker_will_need(tmp_path: Path) -> None:
    path = write(tmp_path)
    result = CliRunner().invoke(app, ["check", str(path)], env={"VAULT_TOKEN": ""})
    needs = "; to sign, a worker will also need vault.login.token"
    assert (result.exit_code, result.stdout) == (0, f"{path} can be used: 1 tenant{needs}.\n")


def test_each_mistake_is_a_line_with_its_place(tmp_path: Path) -> None:
    """CFG-04: exit code 6."""
    path = write(tmp_path, changed('address = "https://127.0.0.1:8200"', 'adress = "x"\ntimeout = "x"'))
    result = CliRunner().invoke(app, ["check", str(path)], env=LINES)
    number = "must be a number of seconds, or a number and a unit such as '30d', '12h' or '500ms'"
    assert result.exit_code == 6
    assert result.stdout.splitlines() == [
        f"{path}:7: vault.address: is required",
        f"{path}:8: vault.adress: unknown key: did you mean address?",
        f"{path}:9: vault.timeout: {number}",
    ]


def test_mistakes_are_there_for_machines_too(tmp_path: Path) -> None:
    path = write(tmp_path, changed('public_url = "https://acme.example"', ""))
    result = CliRunner().invoke(app, ["check", "--json", str(path)], env=LINES)
    assert result.exit_code == 6
    assert json.loads(result.stdout) == {
        "file": str(path),
        "ok": False,
        "mistakes": [{"where": f"{path}:1", "key": "server.public_url", "text": "is required"}],
    }
    result = CliRunner().invoke(app, ["check", "--json", str(write(tmp_path))], env=LINES)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "file": str(path),
        "ok": True,
        "tenants": ["payments"],
        "mistakes": [],
    }


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(tmp_path / "none.toml")], env=LINES)
    assert result.exit_code == 6
    assert result.stdout == f"{tmp_path}/none.toml: cannot be read: No such file or directory\n"


def test_every_value_is_shown_with_its_origin_and_no_secret(tmp_path: Path) -> None:
    path = write(tmp_path)
    result = CliRunner().invoke(app, ["show", "--origin", "--config", str(path)], env=LINES)
    table = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert result.exit_code == 0
    assert table["key"] == ["value", "origin"]
    assert table["server.public_url"] == ["https://acme.example", f"{path}:2"]
    assert table["log.level"] == ["info", "default"]
    assert table["vault.login.token"] == ["********", "VAULT_TOKEN"]
    assert "CANARY" not in result.output


def test_without_origin_there_is_key_and_value(tmp_path: Path) -> None:
    text = SOUND.replace('"*.payments.example"', '"[bold].example"')
    assert CliRunner().invoke(app, ["show", "-c", str(write(tmp_path, text))], env=LINES).exit_code == 6
    result = CliRunner().invoke(app, ["show", "-c", str(write(tmp_path))], env=LINES)
    assert "tenants.payments.names.allow" in result.stdout
    assert "default" not in result.stdout


def test_values_are_there_for_machines_too(tmp_path: Path) -> None:
    path = write(tmp_path)
    command = ["show", "--json", "-c", str(path)]
    plain = json.loads(CliRunner().invoke(app, command, env=LINES).stdout)
    assert plain["server.listen"] == "127.0.0.1:8443"
    assert plain["vault.login.token"] == "********"
    told = json.loads(CliRunner().invoke(app, [*command, "--origin"], env=LINES).stdout)
    assert told["redis.url"] == {"value": "redis://127.0.0.1:6379/0", "origin": f"{path}:5"}


def test_what_cannot_be_used_is_not_shown(tmp_path: Path) -> None:
    path = write(tmp_path, "x = 1\n" + SOUND)
    result = CliRunner().invoke(app, ["show", "-c", str(path)], env=LINES)
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr.startswith(f"{path}:1: x: unknown key")


@pytest.mark.parametrize("command", ["check", "show"])
def test_help_has_examples_and_exit_codes(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    assert f"acmeproxy config {command} --" in result.stdout
    assert "Exit codes: 0" in result.stdout


def test_help_costs_no_pydantic() -> None:
    code = (
        "import sys, acmeproxy.cli.config; print([m for m in ('pydantic', 'rich.table') if m in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "[]\n"
