"""docs/configuration.md is complete, and what it shows can be used."""

import re
from pathlib import Path

import pytest

from acmeproxy.settings import SHORT_NAMES, keys, load
from tests.support.settings_file import secret_file, write

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
ROWS = re.findall(r"^\| `([a-zA-Z_.0-9]+)` \| (.*?) \|", PAGE, re.MULTILINE)


def test_every_key_is_on_the_page_once_and_no_other() -> None:
    tables = ("server.", "log.", "redis.", "vault.", "validation.", "tenants.NAME.")
    listed = [key for key, value in ROWS if key.startswith(tables) and "__" not in value]
    assert sorted(listed) == sorted(".".join(key.path) for key in keys())


def test_every_short_name_of_the_environment_is_on_the_page() -> None:
    names = [name for several in SHORT_NAMES.values() for name in several]
    assert len(names) == 16
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_every_secret_is_on_the_page() -> None:
    section = PAGE.split("## Secrets")[1].split("##")[0]
    secrets = {".".join(key.path) for key in keys() if key.secret and key.path[0] != "tenants"}
    assert secrets == {"redis.url", "redis.password", "vault.login.token", "vault.login.secret_id"}
    assert [name for name in secrets if f"`{name}`" not in section] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_used(example: str, tmp_path: Path) -> None:
    for name in ("tls.key", "redis-password", "secret-id", "dev-token"):
        secret_file(tmp_path, name, "secret")
    for name in ("tls.pem", "vault-ca.pem"):
        secret_file(tmp_path, name, "certificate", 0o644)

    settings = load(write(tmp_path, example.replace("/etc/acmeproxy", str(tmp_path)), 0o644))

    settings.require_credentials()


def test_there_are_two_examples() -> None:
    assert len(EXAMPLES) == 2
