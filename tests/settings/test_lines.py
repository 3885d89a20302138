"""The lines of keys: what an operator is pointed to."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acmeproxy.settings.lines import key_lines

DOCUMENT = r'''# a comment with [table] and key = 1
top = 1
[server]        # another
listen = "127.0.0.1:1" # not = a key
"quoted key" = 'C:\' # = "
text = """
inner = "1"
[no.table]
"quotes" \""" still"""
raw = \'\'\'
x = 1\'\'\'

[ tenants . "a.b" ]
names = { allow = [ # first
  "*", "]",
  "b", ], deny = ["#"] }
a.b.c = 1979-05-27 07:32:00
"\u0041" = true

[[many]]
x = 1
[[many]]
y = [[1, 2], [{ z = "}" }]]
'''.replace("\\'\\'\\'", "'''")


def paths(table: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in table.items():
        path = (*above, name)
        yield path
        for inner in value if isinstance(value, list) else [value]:
            for innermost in inner if isinstance(inner, list) else [inner]:
                if isinstance(innermost, dict):
                    yield from paths(innermost, path)


def test_every_key_and_table_has_the_line_it_is_written_on() -> None:
    assert key_lines(DOCUMENT) == {
        ("top",): 2,
        ("server",): 3,
        ("server", "listen"): 4,
        ("server", "quoted key"): 5,
        ("server", "text"): 6,
        ("server", "raw"): 10,
        ("tenants",): 13,
        ("tenants", "a.b"): 13,
        ("tenants", "a.b", "names"): 14,
        ("tenants", "a.b", "names", "allow"): 14,
        ("tenants", "a.b", "names", "deny"): 16,
        ("tenants", "a.b", "a"): 17,
        ("tenants", "a.b", "a", "b"): 17,
        ("tenants", "a.b", "a", "b", "c"): 17,
        ("tenants", "a.b", "A"): 18,
        ("many",): 20,
        ("many", "x"): 21,
        ("many", "y"): 23,
        ("many", "y", "z"): 23,
    }


def test_windows_line_ends_count_once() -> None:
    assert key_lines("a = 1\r\n\r\n[b]\r\nc = [\r\n1,\r\n]\r\nd = 2\r\n") == {
        ("a",): 1,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "d"): 7,
    }


@pytest.mark.parametrize(
    "document", [DOCUMENT, (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")]
)
def test_the_keys_are_those_of_the_parser(document: str) -> None:
    assert set(key_lines(document)) == set(paths(tomllib.loads(document)))


@pytest.mark.parametrize("document", ["= 1", "a 1", "[a", "a = [1", "a = ", "a = {b}"])
def test_what_is_not_toml_ends_in_an_error_and_not_in_a_loop(document: str) -> None:
    with pytest.raises(ValueError, match=r"TOML|Invalid"):
        key_lines(document)
