"""`acmeproxy dev` as a process of its own, and what a user does with it."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import requests
from cryptography import x509

from acmeproxy.adapters.embedded import leash

BIN: Final = Path(sys.executable).parent
ACMEPROXY: Final = str(BIN / "acmeproxy")
_READY_WITHIN: Final = 60
_STOP_WITHIN: Final = 60
_ASK_WITHIN: Final = 60


@dataclass(frozen=True)
class Program:
    """A running command. Its standard error is in `log`; it ends with us, whatever becomes of us."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        output: Path | None = None,
    ) -> Self:
        """Start a command; its standard output goes to a file, or is read here by the line.

        What talks all the time needs a file: nobody reads it here, and a full pipe would stop it.
        """
        leashed = (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command)
        with log.open("ab") as errors, ExitStack() as stack:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=stack.enter_context(output.open("wb")) if output else subprocess.PIPE,
                stderr=errors,
                bufsize=0,  # what is read ahead is not seen by select
                env={**os.environ, **(environment or {})},
            )
        return cls(process, log)

    @property
    def told(self) -> str:
        """What it wrote to its standard error."""
        return self.log.read_text(errors="replace")

    def line(self) -> str:
        """Read a line of its standard output.

        Raises:
            AssertionError: It ended, or said nothing for a minute.
        """
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], _READY_WITHIN)
        text = self.process.stdout.readline() if readable else b""
        assert text, f"nothing was said: {self.told}"
        return text.decode()

    def ended(self, within: float = _STOP_WITHIN) -> int:
        """Wait for its end, and return its exit code."""
        return self.process.wait(within)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.ended()

    def end(self) -> None:
        """End it whatever it does."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


@dataclass(frozen=True)
class Development:
    """A running `acmeproxy dev`: `ready` is the line that it printed, `http01_port` where it looks."""

    program: Program
    ready: Mapping[str, Any]
    http01_port: int

    @property
    def root(self) -> Path:
        """The root's certificate in PEM."""
        return Path(self.ready["root_ca"])

    def directory(self, tenant: str = "team-a") -> str:
        """Return the URL of a tenant's directory."""
        url: str = self.ready["tenants"][tenant]["directory"]
        return url

    def eab(self, tenant: str = "team-b") -> tuple[str, str]:
        """Return the kid and the hmac key of a tenant."""
        eab = self.ready["tenants"][tenant]["eab"]
        return eab["kid"], eab["hmac_key"]

    def pid(self, what: str) -> int:
        """Return the id of one of its processes: acmeproxy, valkey or openbao."""
        [pid] = self.ready["pids"][what]
        return int(pid)

    def vault(self, method: str, path: str, tenant: str = "team-a") -> Any:  # noqa: ANN401 - as Vault answers
        """Ask OpenBao as its operator, in the namespace of a tenant (or of none, for an empty one)."""
        vault = self.ready["vault"]
        headers = {"X-Vault-Token": vault["token"]}
        if tenant:
            headers["X-Vault-Namespace"] = vault["namespaces"][tenant]
        answer = requests.request(
            method, f"{vault['addr']}/v1/{path}", headers=headers, timeout=_ASK_WITHIN, proxies=_NO_PROXY
        )
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def certificates(self, name: str, tenant: str = "team-a") -> list[x509.Certificate]:
        """Return all certificates for a name in OpenBao's store, revoked or not."""
        mount = self.ready["vault"]["mount"]
        serials = self.vault("LIST", f"{mount}/certs", tenant)["data"]["keys"]
        found = [self.certificate(serial, tenant) for serial in serials]
        return [certificate for certificate in found if name in _names(certificate)]

    def certificate(self, serial: str, tenant: str = "team-a") -> x509.Certificate:
        """Return a certificate of OpenBao's store."""
        mount = self.ready["vault"]["mount"]
        pem = self.vault("GET", f"{mount}/cert/{serial}", tenant)["data"]["certificate"]
        return x509.load_pem_x509_certificate(pem.encode())


@contextmanager
def development(
    directory: Path, http01_port: int, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Development]:
    """Run `acmeproxy dev --json` until the context ends; its log is kept in a directory."""
    options = ("--json", "--http01-port", str(http01_port), *arguments)
    if "--listen" not in options:
        options = ("--listen", "127.0.0.1:0", *options)
    program = Program.start((ACMEPROXY, "dev", *options), directory / "dev.log", environment)
    try:
        yield Development(program, json.loads(program.line()), http01_port)
    finally:
        program.end()


def certbot(home: Path, found: Development, name: str, *arguments: str, **environment: str) -> str:
    """Have certbot get a certificate, and return what it said with its exit code before."""
    command = (
        *(str(BIN / "certbot"), "certonly", "--standalone", "--http-01-address", "127.0.0.1"),
        *("--http-01-port", str(found.http01_port), "-d", name, "--agree-tos", "-n"),
        *("--register-unsafely-without-email", "--config-dir", str(home), "--work-dir", str(home)),
        *("--logs-dir", str(home), *arguments),
    )
    done = subprocess.run(  # noqa: S603 - our own commands
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    return f"{done.returncode} {done.stdout}"


def openssl_verifies(root: Path, chain: bytes) -> str:
    """Have openssl verify a chain in PEM, leaf first, and return what it said: `OK` at the end if it does."""
    with tempfile.TemporaryDirectory() as directory:
        leaf, above = Path(directory) / "leaf.pem", Path(directory) / "above.pem"
        leaf.write_bytes(chain)
        above.write_bytes(chain)
        command = ("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(root))
        done = subprocess.run(  # noqa: S603 - a fixed command
            (*command, "-untrusted", str(above), str(leaf)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    return (done.stdout + done.stderr).strip()


def alive(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(pid: int, within: float = _STOP_WITHIN) -> bool:
    """Wait until a process, which is no child of ours, has ended."""
    until = time.monotonic() + within
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(pid)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return found.get_values_for_type(x509.DNSName)


_NO_PROXY: Final = {"http": "", "https": ""}
