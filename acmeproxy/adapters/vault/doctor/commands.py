"""The commands that mend, as an operator types them: `bao` on OpenBao, `vault` on HashiCorp Vault."""

import shlex
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

Value = bool | int | str | timedelta | Sequence[str]
_HOUR: Final = timedelta(hours=1)


class Commands(msgspec.Struct, frozen=True):
    """Writes command lines for one namespace of one server."""

    program: str = "bao"
    namespace: str = ""

    def at(self, namespace: str) -> "Commands":
        """Return the same for another namespace."""
        return Commands(self.program, namespace)

    def patch(self, path: str, /, **fields: Value) -> str:
        """Change some fields of a role or an issuer: `write` would reset all that it does not name."""
        return self._line(("patch",), path, *_assignments(fields))

    def write(self, path: str, /, **fields: Value) -> str:
        """Write to a path that keeps what is not named, as `config/crl` and its neighbours do."""
        return self._line(("write",), path, *_assignments(fields))

    def run(self, *words: str, rest: Sequence[str] = ()) -> str:
        """Write any other command: its words, then the namespace, then the rest."""
        return self._line(words, *rest)

    def _line(self, words: Sequence[str], *rest: str) -> str:
        flags = (f"-namespace={self.namespace}",) if self.namespace else ()
        return shlex.join((self.program, *words, *flags, *rest))


def hours(duration: timedelta) -> str:
    """Write a duration as Vault's own documents do, in hours, or in seconds where it is no whole number."""
    whole, rest = divmod(duration, _HOUR)
    return f"{whole}h" if not rest else f"{int(duration.total_seconds())}s"


def _assignments(fields: dict[str, Value]) -> list[str]:
    return [f"{name}={_text(value)}" for name, value in fields.items()]


def _text(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return hours(value)
        case int() | str():
            return str(value)
    return ",".join(value)
