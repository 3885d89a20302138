"""Other people's programs: run to their end, or kept running until the test has ended."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from acmeproxy.adapters.embedded import leash
from acmeproxy.adapters.embedded.processes import free_port

_STOP_WITHIN: Final = 60
_PAUSE: Final = 0.05
_GIVEN: Final[set[int]] = set()


def installed(program: str) -> str:
    """Return the path of a program that comes with the `test` extra."""
    path = Path(sys.executable).parent / program
    assert path.exists(), f"{program} is not beside {sys.executable}: run `make .venv/.test`"
    return str(path)


def steady_port() -> int:
    """Return a free port that stays free between two programs that use it, and is given out once."""
    while (port := free_port()) in _GIVEN:
        pass
    _GIVEN.add(port)
    return port


def run(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: str = "", seconds: float = 180
) -> str:
    """Run a program to its end and return what it printed, errors included.

    Raises:
        AssertionError: It ended with another code than 0; with what it printed.
    """
    output, code = attempt(command, env=env, stdin=stdin, seconds=seconds)
    assert code == 0, f"{' '.join(command)} ended with code {code}:\n{output}"
    return output


def attempt(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: str = "", seconds: float = 180
) -> tuple[str, int]:
    """Run a program to its end, and return what it printed and its exit code."""
    done = subprocess.run(  # noqa: S603 - programs of the test's own choice
        command,
        env={**os.environ, **(env or {})},
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    return done.stdout, done.returncode


@contextmanager
def running(
    command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the context ends, or we do; what it prints is in `log`."""
    leashed = (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command)
    with (
        log.open("ab") as output,
        subprocess.Popen(  # noqa: S603 - programs of the test's own choice
            leashed, env={**os.environ, **(env or {})}, stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()


def until(probe: Callable[[], bool], what: str, log: Path, within: float = 60) -> None:
    """Ask until the answer is yes; an `OSError` is a no.

    Raises:
        AssertionError: It was not within so many seconds; with the end of the log.
    """
    deadline = time.monotonic() + within
    while not _answers(probe):
        assert time.monotonic() < deadline, f"{what} not within {within} s:\n{log.read_text()[-4000:]}"
        time.sleep(_PAUSE)


def _answers(probe: Callable[[], bool]) -> bool:
    try:
        return probe()
    except OSError:
        return False


def fetched(port: int, name: str, root: Path) -> tuple[bytes, bytes]:
    """GET / of a site on loopback, trusting one root only, and return its certificate in DER and the body.

    Raises:
        OSError: No connection, or no certificate for this name that the root vouches for.
    """
    context = ssl.create_default_context(cafile=str(root))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        certificate = secure.getpeercert(binary_form=True)
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: secure.recv(65536), b""))
    assert certificate
    return certificate, answer.partition(b"\r\n\r\n")[2]
