"""The rules of the house that no linter knows (docs/decisions/0001-the-house.md)."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("acmeproxy", "tests", "benchmarks")
MAX_LINES = 300
FORBIDDEN_NAMES = {"utils", "helpers", "common", "base", "manager", "impl", "data", "info"}
FORBIDDEN_IN_TESTS = {
    "unittest.mock",
    "pytest.skip",
    "pytest.xfail",
    "pytest.importorskip",
    "pytest.mark.skip",
    "pytest.mark.skipif",
    "pytest.mark.xfail",
}


def modules(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def shown(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def test_there_are_modules_to_look_at() -> None:
    assert all(modules(room) for room in ROOMS)


def test_no_module_is_longer_than_300_lines() -> None:
    long = [path for path in modules(*ROOMS) if len(path.read_text("utf-8").splitlines()) > MAX_LINES]
    assert shown(long) == []


def test_no_module_and_no_package_has_a_name_that_says_nothing() -> None:
    nameless = [
        path
        for path in modules(*ROOMS)
        if FORBIDDEN_NAMES
        & {part.removeprefix("test_") for part in path.relative_to(ROOT).with_suffix("").parts}
    ]
    assert shown(nameless) == []


def test_tests_use_real_parts_and_none_is_left_out() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): sorted(FORBIDDEN_IN_TESTS & names(path))
        for path in modules("tests")
    }
    assert {path: bad for path, bad in found.items() if bad} == {}


def test_a_left_out_test_would_be_seen(tmp_path: Path) -> None:
    module = tmp_path / "test_lazy.py"
    module.write_text(
        "import pytest\nfrom unittest import mock\n@pytest.mark.skipif(True)\ndef test(): mock.patch('x')\n"
    )
    assert FORBIDDEN_IN_TESTS & names(module) == {"unittest.mock", "pytest.mark.skipif"}


def test_every_lua_script_says_what_its_keys_and_arguments_are() -> None:
    scripts = sorted((ROOT / "acmeproxy").rglob("*.lua"))
    assert scripts
    silent = [path for path in scripts if not {"KEYS", "ARGV"} <= documented(path.read_text("utf-8"))]
    assert shown(silent) == []


def test_the_layers_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core/encoding.py", "import acmeproxy.services.ports", "Arrows point down"),
        ("services/ports.py", "import acmeproxy.web", "Arrows point down"),
        ("services/ports.py", "import acmeproxy.adapters.redis", "Only wiring imports adapters"),
        (
            "adapters/vault/__init__.py",
            "import acmeproxy.adapters.redis",
            "Adapters see the ports and the core",
        ),
        ("adapters/vault/__init__.py", "import acmeproxy.settings", "Adapters know no use case"),
        (
            "web/pki/routes.py",
            "import acmeproxy.web.acme.links",
            "The protocol and what relying parties read",
        ),
        ("core/encoding.py", "import aiohttp", "The core does no I/O"),
        ("core/jws.py", "import josepy", "josepy lives in core.jwk"),
        ("services/ports.py", "import redis", "redis lives in adapters.redis"),
        ("web/__init__.py", "import hvac", "hvac lives in adapters.vault"),
        ("worker/__init__.py", "import dns.resolver", "dnspython lives in adapters.validation"),
        ("cli/__init__.py", "import pydantic", "pydantic lives in settings"),
    ],
)
def test_a_broken_layer_is_seen(module: str, line: str, contract: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "acmeproxy", tmp_path / "acmeproxy", ignore=shutil.ignore_patterns("__pycache__"))
    broken = tmp_path / "acmeproxy" / module
    broken.write_text(f"{broken.read_text('utf-8')}\n{line}\n", "utf-8")

    done = lint_imports(tmp_path)

    assert done.returncode != 0
    # The sentence can be wrapped to the width of a terminal.
    assert re.search(rf"{re.escape(contract)}[^\n]* BROKEN", done.stdout), done.stdout + done.stderr


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    environment = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(directory)}
    return subprocess.run(  # noqa: S603 - our own interpreter
        [*command, "--no-cache", "--no-logo"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def names(path: Path) -> set[str]:
    """Return the dotted names that a module imports or uses."""
    return set(_names(ast.parse(path.read_text("utf-8"))))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def documented(script: str) -> set[str]:
    """Return the words of the comments at the head of a Lua script."""
    head: list[str] = []
    for line in script.splitlines():
        if not line.startswith("--"):
            break
        head.append(line)
    return set(re.findall(r"\w+", "\n".join(head)))
