"""lego, as the wheel `pylego` brings it: a function that registers, proves and fetches.

In a process of its own each time, since Go takes its configuration from the environment.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.support import programs
from tests.support.acme_csr import certificate_request
from tests.support.stage import Stage

Plugin = Literal["http", "tls"]

#: Reads the function's arguments as JSON, and writes what it returns or raises as the last line.
_PROGRAM: Final = """
import json, sys
from pylego import LEGOError, run_lego_command
given = json.load(sys.stdin)
try:
    done = run_lego_command(csr=given.pop("csr").encode(), **given)
    print(json.dumps({"certificate": done.certificate, "url": done.metadata.url}))
except LEGOError as error:
    told = {"error": error.acme_type, "detail": error.detail, "status": error.status}
    print(json.dumps(told))
"""


@dataclass(frozen=True)
class Lego:
    """Runs lego against one tenant with one account key, PEM."""

    stage: Stage
    tenant: str
    account_key: str

    def obtain(self, *names: str, plugin: Plugin, eab: bool = False) -> list[x509.Certificate]:
        """Get a certificate, and return it and those above it.

        Raises:
            AssertionError: lego did not get it; with what it said.
        """
        answer = self.ask(*names, plugin=plugin, eab=eab)
        assert "certificate" in answer, answer
        return x509.load_pem_x509_certificates(answer["certificate"].encode())

    def ask(self, *names: str, plugin: Plugin, eab: bool = False) -> dict[str, Any]:
        """Ask for a certificate, and return `certificate` and `url`, or `error`, `detail` and `status`."""
        request = x509.load_der_x509_csr(certificate_request(names))
        external = {"eab_kid": self.stage.eab["kid"], "eab_hmac": self.stage.eab["hmac_key"]}
        given: dict[str, Any] = {
            "email": "ops@team-a.test",
            "server": self.stage.directory(self.tenant),
            "csr": request.public_bytes(serialization.Encoding.PEM).decode(),
            "plugin": plugin,
            "env": {},
            "private_key": self.account_key,
            **(external if eab else {}),
        }
        output = programs.run(
            [sys.executable, "-c", _PROGRAM], env=self._environment, stdin=json.dumps(given), seconds=120
        )
        answer: dict[str, Any] = json.loads(output.splitlines()[-1])
        return answer

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "LEGO_CA_CERTIFICATES": str(self.stage.root),
            "HTTP01_IFACE": "127.0.0.1",
            "HTTP01_PORT": str(self.stage.http01_port),
            "TLSALPN01_IFACE": "127.0.0.1",
            "TLSALPN01_PORT": str(self.stage.tls_alpn01_port),
        }
