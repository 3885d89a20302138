"""Where each key of a TOML document is written: the parser of the standard library does not tell."""

import re
import tomllib
from collections.abc import Callable
from typing import Final

from acmeproxy.settings.mistake import Path

_SPACE: Final = re.compile(r"[ \t\r\n]+|#[^\n]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE: Final = re.compile(r"[^,\]}#\n]+")
_STRINGS: Final = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def key_lines(text: str) -> dict[Path, int]:
    """Map each key and table of a valid TOML document to its line, counted from 1.

    A key that appears in several elements of an array has the line of the first.

    Raises:
        ValueError: If the document is not TOML.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """Walks over a document and looks at keys only; values are skipped as they come."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.lines: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self._skip_space():
            if not self._take("["):
                self._pair(table)
                continue
            self._take("[")
            table = self._key(())
            self._expect("]")
            self._take("]")

    def _pair(self, table: Path) -> None:
        key = self._key(table)
        self._expect("=")
        self._value(key)

    def _key(self, table: Path) -> Path:
        path = table
        while True:
            self._skip_space()
            path = (*path, self._name())
            self.lines.setdefault(path, self._text.count("\n", 0, self._at) + 1)
            self._skip_space()
            if not self._take("."):
                return path

    def _name(self) -> str:
        if bare := self._match(_BARE_KEY):
            return bare
        quoted = self._string()
        return str(tomllib.loads(f"name = {quoted}")["name"])

    def _value(self, path: Path) -> None:
        self._skip_space()
        if self._take("["):
            self._until("]", lambda: self._value(path))
        elif self._take("{"):
            self._until("}", lambda: self._pair(path))
        elif not self._string() and not self._match(_BARE_VALUE):
            raise ValueError("not TOML")

    def _until(self, end: str, element: Callable[[], None]) -> None:
        while True:
            self._skip_space()
            if self._take(end):
                return
            element()
            self._skip_space()
            self._take(",")

    def _string(self) -> str:
        return next(filter(None, map(self._match, _STRINGS)), "")

    def _skip_space(self) -> bool:
        """Go to the next token; whether there is one."""
        while self._match(_SPACE):
            pass
        return self._at < len(self._text)

    def _expect(self, character: str) -> None:
        self._skip_space()
        if not self._take(character):
            raise ValueError("not TOML")

    def _take(self, character: str) -> bool:
        taken = self._text.startswith(character, self._at)
        self._at += taken
        return taken

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found.group()
