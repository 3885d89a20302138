"""Builds the example of `deploy/vault/terraform` in an OpenBao of its own, in both layouts, and signs there.

Not a part of `make test`: needs `terraform` on the PATH (or what the variable TERRAFORM names) and its
provider hashicorp/vault, from wherever its settings say. `.venv/bin/python -m tests.deploy.terraform`
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.embedded.openbao import OpenBao, openbao
from acmeproxy.adapters.vault.external_root import external_root, sign_authority
from tests.support import programs
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.installation import openssl_verifies
from tests.support.policies import Caller, ruler

_SOURCES: Final = Path(__file__).parents[2] / "deploy" / "vault"
_PROGRAM: Final = os.environ.get("TERRAFORM", "terraform")
_CHANGES: Final = 2


@dataclass(frozen=True)
class Terraform:
    """The example in a directory of its own, with a layout and a kind of policy."""

    directory: Path
    variables: dict[str, str] = field(repr=False)

    def does(self, *arguments: str) -> str:
        """Run a command and return what it printed.

        Raises:
            AssertionError: It failed.
        """
        return programs.run(self._command(*arguments), env=self.variables, seconds=300)

    def finds_nothing_to_do(self) -> None:
        """See that a plan is empty.

        Raises:
            AssertionError: It is not.
        """
        output, code = programs.attempt(
            self._command("plan", "-detailed-exitcode"), env=self.variables, seconds=300
        )
        assert code == 0, f"{'changes' if code == _CHANGES else 'no plan'}:\n{output}"

    def output(self, name: str) -> Any:  # noqa: ANN401 - as the module says
        """Return an output."""
        return json.loads(self.does("output", "-json", name))

    def _command(self, *arguments: str) -> list[str]:
        return [_PROGRAM, f"-chdir={self.directory}", *arguments, "-no-color"]


def main() -> int:
    """Build it in every way, and return how many failed."""
    failed = 0
    ways = [("namespaces", "plain"), ("namespaces", "templated"), ("paths", "plain")]
    for layout, policy in ways:
        with tempfile.TemporaryDirectory(prefix="acmeproxy-terraform-") as home:
            try:
                asyncio.run(_run(Path(home), layout, policy))
            except AssertionError as error:
                failed += 1
                print(f"{layout}, {policy}: FAILED\n{error}", flush=True)  # noqa: T201 - a script's output
            else:
                print(f"{layout}, {policy}: built, rotated, signed, destroyed", flush=True)  # noqa: T201 - likewise
    print(f"{len(ways) - failed} passed, {failed} failed")  # noqa: T201 - likewise
    return failed


async def _run(home: Path, layout: str, policy: str) -> None:
    (home / "server").mkdir()
    async with openbao(home / "server") as server:
        await asyncio.to_thread(_build, home, server, layout, policy)


def _build(home: Path, server: OpenBao, layout: str, policy: str) -> None:
    shutil.copytree(_SOURCES, home / "vault", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    example = home / "vault" / "terraform" / "examples" / "two-tenants"
    where = {"VAULT_ADDR": server.address, "VAULT_TOKEN": server.root_token}
    chosen = {"TF_VAR_vault_url": server.address, "TF_VAR_layout": layout, "TF_VAR_policy": policy}
    terraform = Terraform(example, {**where, **chosen})
    terraform.does("init")
    terraform.does("validate")
    terraform.does("fmt", "-check", "-recursive", "../..")
    terraform.does("apply", "-auto-approve")
    terraform.finds_nothing_to_do()

    root = external_root(home)
    (example / "signing.pem").write_text(sign_authority(root, terraform.output("signing_csr")) + root.pem)
    terraform.does("apply", "-auto-approve")
    terraform.finds_nothing_to_do()
    first = {name: _signs(server, place, name, root.path) for name, place in _places(terraform).items()}

    rotated = Terraform(example, {**terraform.variables, "TF_VAR_generation": "2"})
    rotated.does("apply", "-auto-approve")
    rotated.finds_nothing_to_do()
    second = {name: _signs(server, place, name, root.path) for name, place in _places(terraform).items()}
    assert first["team-a"] != second["team-a"], "the rotated tenant signs with its old authority"
    assert first["team-b"] == second["team-b"], "another tenant signs with another authority"
    rotated.does("destroy", "-auto-approve")


def _places(terraform: Terraform) -> dict[str, dict[str, str]]:
    places: dict[str, dict[str, str]] = terraform.output("tenants")
    return places


def _signs(server: OpenBao, place: dict[str, str], name: str, root: Path) -> x509.Certificate:
    """Log in as acmeproxy does, sign, verify up to the root, and return the issuing authority."""
    above = ruler(server, place["namespace"])
    login = f"auth/{place['login_mount']}"
    secret_id = above.does("POST", f"{login}/role/acmeproxy/secret-id")["secret_id"]
    made = above.ask("POST", f"{login}/login", {"role_id": place["role_id"], "secret_id": secret_id})
    ours = Caller(server.address, place["namespace"], made.json()["auth"]["client_token"])
    host = f"www.{name}.example"
    csr = x509.load_der_x509_csr(certificate_request([host], certificate_key()))
    wanted = {"csr": csr.public_bytes(Encoding.PEM).decode(), "alt_names": host, "ttl": 3600, "format": "pem"}
    signed = ours.does("POST", f"{place['mount']}/sign/{place['role']}", wanted)
    if name == "team-a":
        ours.does("POST", f"{place['mount']}/sign/short", wanted)
    assert ours.ask("POST", f"{place['mount']}/sign/other", wanted).status_code == 403
    chain = "\n".join([signed["certificate"], *signed["ca_chain"]])
    said = openssl_verifies(root, f"{chain}\n".encode())
    assert said.endswith("OK"), said
    return x509.load_pem_x509_certificate(signed["issuing_ca"].encode())


if __name__ == "__main__":
    sys.exit(main())
