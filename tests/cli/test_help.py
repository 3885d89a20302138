"""Every command says what it is for, how it is called, and what its exit codes mean."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from acmeproxy.cli.main import app
from tests.support.installation import ACMEPROXY

WIDE = {"COLUMNS": "200"}


def commands(group: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - typer's own
    found: Mapping[str, Any] = group.commands
    for name, command in found.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*above, name))
        else:
            yield (*above, name)


COMMANDS = sorted(commands(typer.main.get_command(app)))


def test_all_commands_are_looked_at() -> None:
    expected = {("demo",), ("dev",), ("serve",), ("explain",), ("config", "check"), ("eab", "create")}
    assert expected <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_a_sentence_examples_and_exit_codes(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], env=WIDE)
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[0].startswith("Usage: ")
    sentence = " ".join(lines[2 : lines.index("", 2)])
    assert re.fullmatch(r"[A-Z].*[.]", sentence)
    example = f"acmeproxy {' '.join(command)}"
    begin = lines.index("For example:")
    examples = [line for line in lines[begin:] if line == example or line.startswith(f"{example} ")]
    assert examples
    assert "Exit codes: 0 " in result.stdout
    # Plain text, which every terminal and every pipe can show.
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout


def test_the_short_option_for_help_works_too() -> None:
    assert CliRunner().invoke(app, ["serve", "-h"], env=WIDE).exit_code == 0


def test_without_a_command_it_shows_its_help() -> None:
    result = CliRunner().invoke(app, [], env=WIDE)
    assert "Start with: acmeproxy demo" in result.output


def test_it_says_which_version_it_is() -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        (ACMEPROXY, "--version"), capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == f"acmeproxy {version('acmeproxy')}\n"


def test_it_is_a_module_as_well() -> None:
    done = subprocess.run(
        (sys.executable, "-m", "acmeproxy", "--version"),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == f"acmeproxy {version('acmeproxy')}\n"


def test_help_loads_nothing_that_takes_time() -> None:
    code = (
        "import sys, acmeproxy.cli.main;"
        "heavy = {'aiohttp', 'pydantic', 'redis', 'hvac', 'requests', 'cryptography', 'dns', 'structlog'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        (sys.executable, "-c", code), capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "[]\n"
