"""Steps from what is there to what shall be there."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from acmeproxy.adapters.vault.producer.namespace import AwayError, ForbiddenError, ProducerError


class Change(enum.StrEnum):
    """What a step does to an object."""

    NOTHING = "nothing"
    ADD = "add"
    CHANGE = "change"


class Difference(msgspec.Struct, frozen=True):
    """A field that is not as it shall be, as people read it; `was` is empty where nothing was."""

    field: str
    was: str
    becomes: str


class Step(msgspec.Struct, frozen=True):
    """What has to be done with one object: what it is, where, and which of its fields differ.

    `waits` says why it cannot be done yet, if it cannot.
    """

    change: Change
    what: str
    where: str
    fields: tuple[Difference, ...] = ()
    waits: str = ""


class WaitsError(Exception):
    """A part cannot be carried out before somebody did something; the text says what."""


class Part(Protocol):
    """One object of the producer side."""

    def look(self) -> Step:
        """Read what is there, and return what has to be done.

        Raises:
            ProducerError: It cannot be read.
        """
        ...

    def carry(self) -> None:
        """Do what the look before this one found.

        Raises:
            ProducerError: The server did not do it.
            WaitsError: Something that somebody else must do comes first.
        """
        ...


def carry_out(part: Part) -> None:
    """Carry a part out, or see that another run has done so between our look and now.

    Raises:
        ProducerError: Neither.
        WaitsError: Something that somebody else must do comes first.
    """
    try:
        part.carry()
    except (AwayError, ForbiddenError):
        raise
    except ProducerError:
        if part.look().change is not Change.NOTHING:
            raise


def place(namespace: str, path: str) -> str:
    """Write where something is: the namespace as a prefix, as Vault's own paths have it."""
    return f"{namespace}/{path}" if namespace else path


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Compare the fields that are wanted, and none but these; the order of a list says nothing."""
    return tuple(
        Difference(field, shown(found.get(field)), shown(value))
        for field, value in wanted.items()
        if not same(value, found.get(field))
    )


def same(wanted: object, found: object) -> bool:
    """Tell whether a server means what is wanted, however it writes it."""
    if isinstance(wanted, list | tuple):
        return sorted(map(str, wanted)) == sorted(_items(found))
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found or (wanted is False and found is None)
    return str(wanted) == ("" if found is None else str(found))


def shown(value: object) -> str:
    """Write a value for people."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ", ".join(map(str, value)) or "none"
        case dict():
            return ", ".join(f"{key}={shown(item)}" for key, item in value.items()) or "none"
    return str(value)


def added(what: str, where: str, fields: Mapping[str, object], waits: str = "") -> Step:
    """Return the step that makes an object."""
    becomes = tuple(Difference(field, "", shown(value)) for field, value in fields.items())
    return Step(Change.ADD, what, where, becomes, waits)


def changed(what: str, where: str, fields: Iterable[Difference]) -> Step:
    """Return the step that changes an object, or none where no field differs."""
    fields = tuple(fields)
    return Step(Change.CHANGE if fields else Change.NOTHING, what, where, fields)


def _items(found: object) -> Sequence[str]:
    if isinstance(found, str):
        return [item for item in found.split(",") if item]
    return [str(item) for item in found] if isinstance(found, list | tuple) else []
