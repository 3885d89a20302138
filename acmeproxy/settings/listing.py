"""Every setting in force, as text: its value, and where it was written."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from acmeproxy.settings.mistake import Path
from acmeproxy.settings.redis import holds_password
from acmeproxy.settings.schema import ANY_NAME, ANY_PROFILE, Settings, keys
from acmeproxy.settings.section import Section
from acmeproxy.settings.values import shown_duration

MASK: Final = "********"


class Row(msgspec.Struct, frozen=True):
    """A dotted key, its value as text (empty if it has none, masked if secret), and its origin."""

    key: str
    value: str
    origin: str


def rows(settings: Settings) -> Iterator[Row]:
    """List the settings in the order of the reference page."""
    for key in keys():
        for path in _paths(key.path, settings):
            value = _value(settings, path)
            yield Row(".".join(path), _shown(value), settings.origin(path))


def _paths(path: Path, settings: Settings) -> list[Path]:
    if ANY_NAME not in path:
        return [path]
    tenants = [(path[0], name, *path[2:]) for name in settings.tenants]
    if ANY_PROFILE not in path:
        return tenants
    return [
        (*tenant[:3], profile, *tenant[4:])
        for tenant in tenants
        for profile in settings.tenants[tenant[1]].profiles
    ]


def _value(settings: Settings, path: Path) -> Any:  # noqa: ANN401 - a setting may be anything
    value: Any = settings
    for name in path:
        value = (
            getattr(value, name, None) if isinstance(value, Section | Settings) else (value or {}).get(name)
        )
    return value


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return _masked(value.get_secret_value())
        case bool():
            return str(value).lower()
        case timedelta():
            return shown_duration(value)
        case tuple() | dict():
            return _shown_list(value)
        case _:
            return str(value)


def _shown_list(value: tuple[object, ...] | dict[object, object]) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shown(item) for item in value)
    return ", ".join(f"{key} = {_shown(item)}" for key, item in value.items())


def _masked(secret: str) -> str:
    """Mask a secret; of a Redis URL without a password nothing is secret, and where it leads helps."""
    if secret.startswith(("redis://", "rediss://", "unix://")) and not holds_password(secret):
        return secret if not urlsplit(secret).username else MASK
    return MASK
