"""A stock certbot in a home of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509

from tests.support import programs
from tests.support.stage import Stage
from tests.support.update_dns import ALGORITHM, KEY_NAME

EMAIL: Final = "ops@team-a.test"


class Certbot:
    """Runs certbot against one tenant, without a question and without root."""

    def __init__(self, stage: Stage, tenant: str, home: Path) -> None:
        self._stage = stage
        self._home = home
        self._server = ("--server", stage.directory(tenant))
        self._eab = ("--eab-kid", stage.eab["kid"], "--eab-hmac-key", stage.eab["hmac_key"])
        self._needs_eab = tenant == "team-b"

    def run(self, command: str, *arguments: str) -> str:
        """Run a command and return what it printed.

        Raises:
            AssertionError: It failed.
        """
        return programs.run(self._command(command, arguments), env=self._environment)

    def attempt(self, command: str, *arguments: str) -> tuple[str, int]:
        """Run a command, and return what it printed and its exit code."""
        return programs.attempt(self._command(command, arguments), env=self._environment)

    def register(self) -> None:
        """Make an account."""
        self.run("register", *self._account)

    def obtain(self, *arguments: str) -> str:
        """Get a certificate; with the account that is there, or a new one.

        Args:
            arguments: At least `-d NAME` and how to prove it: `*standalone` or `*dns`.

        Raises:
            AssertionError: There is none.
        """
        return self.run("certonly", *self._account, *arguments)

    def fail_to_obtain(self, *arguments: str) -> str:
        """Ask for a certificate that there must not be, and return what certbot says.

        Raises:
            AssertionError: There is one.
        """
        output, code = self.attempt("certonly", *self._account, *arguments)
        assert code == 1, output
        return output

    @property
    def server(self) -> Sequence[str]:
        """The option that names the server."""
        return self._server

    @property
    def standalone(self) -> Sequence[str]:
        """Options for http-01, with certbot as the web server."""
        return (
            *("--standalone", "--http-01-address", "127.0.0.1"),
            *("--http-01-port", str(self._stage.http01_port)),
        )

    @property
    def dns(self) -> Sequence[str]:
        """Options for dns-01, with dynamic updates of the stage's zones."""
        credentials = self._home / "rfc2136.ini"
        values = {
            "server": "127.0.0.1",
            "port": str(self._stage.dns.port),
            "name": KEY_NAME,
            "secret": self._stage.dns.secret,
            "algorithm": ALGORITHM.upper(),
        }
        credentials.write_text("".join(f"dns_rfc2136_{key} = {value}\n" for key, value in values.items()))
        credentials.chmod(0o600)
        return (
            "--dns-rfc2136",
            *("--dns-rfc2136-credentials", str(credentials)),
            *("--dns-rfc2136-propagation-seconds", "0"),
        )

    def file(self, name: str, what: str = "fullchain") -> Path:
        """Return a file of a name's certificate: `cert`, `chain`, `fullchain` or `privkey`."""
        return self._home / "live" / name / f"{what}.pem"

    def chain(self, name: str) -> list[x509.Certificate]:
        """Return a name's certificate and those above it."""
        return x509.load_pem_x509_certificates(self.file(name).read_bytes())

    def leaf(self, name: str) -> x509.Certificate:
        """Return a name's certificate."""
        return self.chain(name)[0]

    @property
    def log(self) -> str:
        """All logs, the oldest first."""
        logs = sorted(self._home.glob("letsencrypt.log*"), key=lambda path: path.stat().st_mtime)
        return "".join(path.read_text() for path in logs)

    @property
    def _account(self) -> Sequence[str]:
        eab = self._eab if self._needs_eab else ()
        return (*self._server, *eab, "--agree-tos", "--email", EMAIL, "--no-eff-email")

    @property
    def _environment(self) -> dict[str, str]:
        return {"REQUESTS_CA_BUNDLE": str(self._stage.root)}

    def _command(self, command: str, arguments: Sequence[str]) -> list[str]:
        home = str(self._home)
        return [
            *(programs.installed("certbot"), command, "--non-interactive"),
            *("--config-dir", home, "--work-dir", home, "--logs-dir", home),
            *arguments,
        ]


def dns_names(certificate: x509.Certificate) -> list[str]:
    """Return the DNS names of a certificate."""
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return sorted(extension.value.get_values_for_type(x509.DNSName))


def serial(certificate: x509.Certificate) -> str:
    """Return the serial as acmeproxy and Vault write it."""
    number = certificate.serial_number
    return number.to_bytes((number.bit_length() + 7) // 8).hex(":")
