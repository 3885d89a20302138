"""Where things are in Vault, in both layouts, and settings whose files are yet to be made."""

import re
from pathlib import Path

import pytest

from acmeproxy.core.tenant import VaultPlace
from acmeproxy.settings import SettingsError, load
from tests.support.settings_file import changed, secret_file, write
from tests.support.settings_refused import refused

LATER = """
[tenants.payments.vault.login]
method = "approle"
role_id_file = "creds/role-id"
secret_id_file = "creds/secret-id"
"""
ADDRESS = 'address = "https://127.0.0.1:8200"'


@pytest.mark.parametrize(
    ("layout", "place", "mount"),
    [
        ("namespaces", VaultPlace("pki", "web", "admin/team-a"), "approle"),
        ("paths", VaultPlace("admin/team-a/pki", "web", ""), "admin/team-a/approle"),
    ],
)
def test_a_layout_says_whether_namespaces_are_in_paths(
    layout: str, place: VaultPlace, mount: str, tmp_path: Path
) -> None:
    text = changed(ADDRESS, f'{ADDRESS}\nnamespace = "admin"\nlayout = "{layout}"')
    login = '[tenants.payments.vault.login]\nrole_id = "r"\nsecret_id = "s"\n'
    text = text.replace('vault.role = "web"', 'vault.role = "web"\nvault.namespace = "team-a"')
    given = load(write(tmp_path, text + login))
    [tenant] = given.tenant_values().values()
    assert tenant.vault == place
    assert given.login("payments").mount == mount
    # What stands in the file is shown as it stands there.
    assert given.tenants["payments"].vault.mount == "pki"


def test_a_layout_is_one_of_two(tmp_path: Path) -> None:
    [mistake] = refused(tmp_path, changed(ADDRESS, f'{ADDRESS}\nlayout = "flat"'))
    assert mistake.startswith("acmeproxy.toml:9: vault.layout: ")


def test_files_that_are_made_later_are_missed_by_everybody_else(tmp_path: Path) -> None:
    text = changed(ADDRESS, f'{ADDRESS}\nroots = "roots.pem"') + LATER
    assert [mistake.partition(": the file")[0] for mistake in refused(tmp_path, text)] == [
        "acmeproxy.toml:9: vault.roots",
        "acmeproxy.toml:17: tenants.payments.vault.login.role_id_file",
        "acmeproxy.toml:18: tenants.payments.vault.login.secret_id_file",
    ]
    given = load(write(tmp_path, text), awaiting=True)
    login = ("tenants", "payments", "vault", "login")
    assert given.awaited((*login, "role_id")) == tmp_path / "creds" / "role-id"
    assert given.awaited((*login, "secret_id")) == tmp_path / "creds" / "secret-id"
    assert given.awaited(("vault", "roots")) == tmp_path / "roots.pem"
    assert given.vault.roots == tmp_path / "roots.pem"


def test_the_settings_of_the_how_to_are_ones_that_load(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "vault.md").read_text()
    [text] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    given = load(write(tmp_path, text), awaiting=True)
    assert given.awaited(("vault", "roots")) == tmp_path / "roots.pem"


def test_only_a_file_that_is_not_there_is_made_later(tmp_path: Path) -> None:
    """CFG-08: one that others may read is refused as ever, and so is any other that is missing."""
    (tmp_path / "creds").mkdir()
    secret_file(tmp_path / "creds", "role-id", "r")
    secret_file(tmp_path / "creds", "secret-id", "s", 0o644)
    text = changed(ADDRESS, f'{ADDRESS}\nca = "ca.pem"') + LATER
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, text), awaiting=True)
    assert [mistake.key for mistake in caught.value.mistakes] == [
        "vault.ca",
        "tenants.payments.vault.login.secret_id_file",
    ]
