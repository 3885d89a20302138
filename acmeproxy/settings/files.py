"""The files that settings come from: where they are looked for, and who else may read them."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NAME: Final = "acmeproxy.toml"
_MAX_SIZE: Final = 1 << 20


class UnreadableError(Exception):
    """A file cannot be used; the text says why and how to mend it."""


class MissingError(UnreadableError):
    """A file is not there."""


def search_path(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where a settings file is looked for when nobody names one, first wins."""
    home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    own = (Path(home) / "acmeproxy" / NAME,) if home else ()
    return (Path(NAME), *own, Path("/etc/acmeproxy") / NAME)


def find(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the settings file: the one named on the command line, by $ACMEPROXY_CONFIG, or the first found.

    A file that was named is returned even if it does not exist, so that reading it can say so.
    """
    named = path or (Path(environ["ACMEPROXY_CONFIG"]) if environ.get("ACMEPROXY_CONFIG") else None)
    return named or next((place for place in search_path(environ) if place.is_file()), None)


def read(path: Path) -> tuple[str, bool]:
    """Read a text file; return its text, and whether its group or everybody may read it.

    Raises:
        UnreadableError: If it cannot be read, is larger than 1 MiB, or is not UTF-8.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            # The mode of what was opened, not of what the path means a moment later.
            status = os.fstat(file.fileno())
            octets = b"" if stat.S_ISDIR(status.st_mode) else file.read(_MAX_SIZE + 1)
    except FileNotFoundError as error:
        raise MissingError(f"cannot be read: {error.strerror}") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError("is not a regular file")
    if len(octets) > _MAX_SIZE:
        raise UnreadableError("is larger than 1 MiB")
    try:
        return octets.decode("utf-8"), bool(status.st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except UnicodeDecodeError:
        raise UnreadableError("is not UTF-8 text") from None


def read_secret(path: Path) -> str:
    """Read a file that holds one secret, without the line's end.

    Raises:
        UnreadableError: If it cannot be read, is empty, or others may read it too (CFG-08).
    """
    text, shared = read(path)
    if shared:
        raise UnreadableError("can be read by others: chmod 600 it")
    if not text.strip():
        raise UnreadableError("is empty")
    return text.removesuffix("\n").removesuffix("\r")
