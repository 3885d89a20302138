"""Values that tables share: how each is written, and what is refused.

Refusals never repeat the value. What comes from the environment or the command line is a `Word`, which may
stand for a truth value, a number or a list; in a file, each of these has its own TOML type.
"""

import ipaddress
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, SecretStr

from acmeproxy.settings.address import Address, parse_address, parse_server, parse_url

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRUTHS: Final = {"true": True, "yes": True, "on": True, "1": True}
_LIES: Final = {"false": False, "no": False, "off": False, "0": False}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)?")
_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_VAULT_SEGMENT: Final = re.compile(r"\w(?:[\w.-]*\w)?", re.ASCII)
_VAULT_RULE: Final = "must be letters, digits and inner dots and hyphens, as Vault's names are"


class Word(str):
    """A value without a type: from the environment or the command line."""

    __slots__ = ()


class FileWord(Word):
    """A secret that was read from a file of its own."""

    __slots__ = ("path",)

    def __init__(self, text: str, path: Path) -> None:  # noqa: ARG002 - `str` takes it
        self.path = path

    def __new__(cls, text: str, path: Path) -> Self:  # noqa: ARG004 - `__init__` takes it
        """Make the text."""
        return super().__new__(cls, text)


class FileSecret(SecretStr):
    """A secret as its file had it when the settings were loaded."""

    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self.path = path


class PrivateFile:
    """Marks a path whose file nobody else may read (CFG-08)."""


def _flag(value: object) -> object:
    return (_TRUTHS | _LIES).get(value.lower(), value) if isinstance(value, Word) else value


def _number(value: object) -> object:
    return int(value) if isinstance(value, Word) and re.fullmatch("[0-9]{1,9}", value) else value


def _items(value: object) -> object:
    """Take a list; from the environment also a JSON array, or words with commas between them."""
    if isinstance(value, Word):
        return _words(value)
    return tuple(value) if isinstance(value, list) else value


def _words(value: Word) -> object:
    if not value.startswith("["):
        return tuple(Word(item.strip()) for item in value.split(","))
    try:
        return tuple(json.loads(value))
    except ValueError:
        raise ValueError("must be a JSON array, or words with commas between them") from None


def _secret(value: object) -> SecretStr:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 - pydantic collects ValueErrors only
    if not value or not value.isprintable():
        raise ValueError("must not be empty or hold control characters")
    return FileSecret(str(value), value.path) if isinstance(value, FileWord) else SecretStr(str(value))


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise ValueError("must be the path of a file")
    return Path(value)


def _network(value: object) -> Network:
    try:
        return ipaddress.ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a network such as 10.0.0.0/8 or fd00::/8, without host bits") from None


def _link(value: object) -> str:
    parse_url(value.partition("#")[0].partition("?")[0] if isinstance(value, str) else value, "https", "http")
    if not str(value).isprintable():
        raise ValueError("must be an absolute URL")
    return str(value)


def _vault_names(value: str) -> str:
    """Take names with slashes between them; dots and slashes must not lead elsewhere (TEN-02)."""
    names = value.removesuffix("/")
    if names and not all(_is_vault_name(name) for name in names.split("/")):
        raise ValueError(_VAULT_RULE)
    return names


def _vault_name(value: str) -> str:
    if value and not _is_vault_name(value):
        raise ValueError(_VAULT_RULE)
    return value


def _is_vault_name(value: str) -> bool:
    return bool(_VAULT_SEGMENT.fullmatch(value)) and ".." not in value


def _present(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def _common_name(value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise ValueError("must be printable text")
    return value


def _header_text(value: str) -> str:
    if not value.isascii() or not value.isprintable() or not value.strip():
        raise ValueError("must be printable ASCII")
    return value


def duration(value: object, shortest: timedelta, longest: timedelta) -> timedelta:
    """Parse a number of seconds, or a number and ms, s, m, h or d in quotes.

    Raises:
        ValueError: If it is anything else, or outside the bounds.
    """
    found = None if isinstance(value, bool) else _DURATION.fullmatch(str(value))
    if found is None or (isinstance(value, str) and not found[2] and not isinstance(value, Word)):
        raise ValueError(
            'must be a number of seconds, or a number and a unit such as "30d", "12h" or "500ms"'
        )
    length = float(found[1]) * _UNITS[found[2] or "s"]
    if not shortest <= length <= longest:
        raise ValueError(f"must be from {shown_duration(shortest)} to {shown_duration(longest)}")
    return length


def shown_duration(length: timedelta) -> str:
    """Write a duration the way in which it can be read back: `30d`, `1.5s`."""
    unit = next((u for u in ("d", "h", "m") if length and not length % _UNITS[u]), "s")
    return f"{length / _UNITS[unit]:g}{unit}"


def _within(shortest: timedelta, longest: timedelta) -> PlainValidator:
    return PlainValidator(lambda value: duration(value, shortest, longest))


Flag = Annotated[bool, BeforeValidator(_flag)]
Count = Annotated[int, BeforeValidator(_number), Field(ge=1, le=1000)]
Capacity = Annotated[int, BeforeValidator(_number), Field(ge=1, le=100_000)]
Port = Annotated[int, BeforeValidator(_number), Field(ge=1, le=65535)]
Items = BeforeValidator(_items)
Secret = Annotated[SecretStr, PlainValidator(_secret)]
PublicPath = Annotated[Path, PlainValidator(_path)]
PrivatePath = Annotated[Path, PlainValidator(_path), PrivateFile()]
Networks = Annotated[tuple[Annotated[Network, PlainValidator(_network)], ...], Items]
Link = Annotated[str, PlainValidator(_link)]
VaultNames = Annotated[str, AfterValidator(_vault_names)]
VaultName = Annotated[str, AfterValidator(_vault_name)]
Present = AfterValidator(_present)
CommonName = Annotated[str, AfterValidator(_common_name), Field(max_length=64)]
HeaderText = Annotated[str, AfterValidator(_header_text), Field(max_length=128)]
Listen = Annotated[Address, PlainValidator(parse_address)]
NameServer = Annotated[Address, PlainValidator(parse_server)]
Wait = Annotated[timedelta, _within(timedelta(0), timedelta(minutes=1))]
AuthorityLifetime = Annotated[timedelta, _within(timedelta(days=60), timedelta(days=7300))]
Timeout = Annotated[timedelta, _within(timedelta(milliseconds=100), timedelta(minutes=10))]
Lifetime = Annotated[timedelta, _within(timedelta(seconds=1), timedelta(days=3650))]
