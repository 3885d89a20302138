"""From pydantic's errors to our mistakes: with a place, in our words, and never with the value."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from acmeproxy.settings.mistake import Mistake, Path
from acmeproxy.settings.schema import ANY_NAME, ANY_PROFILE, generic, keys

_TEXTS: Final = {
    "missing": "is required",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "string_type": "must be text in quotes",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_too_long": "must have at most {max_length} characters",
}
_KEYS: Final = tuple(key for key in keys())


def mistakes(error: ValidationError, origins: Mapping[Path, str], source: str) -> Iterator[Mistake]:
    """List what pydantic refused; `source` is the place of what is missing altogether."""
    for refused in error.errors(include_url=False, include_input=False):
        names = tuple(str(part) for part in refused["loc"] if isinstance(part, str) and part != "[key]")
        index = "".join(f"[{part}]" for part in refused["loc"] if isinstance(part, int))
        context = refused.get("ctx", {})
        cause = context.get("error")
        for path in [(*names, *key.split(".")) for key in getattr(cause, "keys", ())] or [names]:
            text = _text(refused["type"], path, context)
            yield Mistake(_place(path, origins, source), ".".join(path) + index, text)


def unknown(path: Path, origins: Mapping[Path, str], source: str) -> Mistake:
    """Return the mistake of a key that nobody reads."""
    return Mistake(_place(path, origins, source), ".".join(path), _text("extra_forbidden", path, {}))


def _text(kind: str, path: Path, context: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        return f"unknown key: {_advice(path)}"
    if kind == "value_error":
        return str(context["error"])
    return _TEXTS.get(kind, "is not a value for this key").format_map(context)


def _place(path: Path, origins: Mapping[Path, str], source: str) -> str:
    """Return where a key is written, or what is in it, or what it is in."""
    inside = (origin for at, origin in origins.items() if at[: len(path)] == path)
    around = (origins.get(path[:length]) for length in range(len(path), 0, -1))
    beside = (origin for at, origin in origins.items() if at[:-1] == path[:-1] and len(path) > 1)
    return next(filter(None, around), None) or next(inside, None) or next(beside, None) or source


def _advice(path: Path) -> str:
    """Name the known key that is nearest: of that name below, like it here, of that name elsewhere."""
    table, name = generic(path)[:-1], path[-1]
    elsewhere = sorted((key.path for key in _KEYS if key.path[-1] == name), key=len)
    below = [key for key in elsewhere if key[: len(table)] == table and ANY_PROFILE not in key[len(table) :]]
    if below:
        return f"did you mean {'.'.join((*path[:-1], *below[0][len(table) :]))}?"
    known = sorted({key for key in _names_in(table) if key not in {ANY_NAME, ANY_PROFILE}})
    if near := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {near[0]}?"
    if elsewhere:
        return f"did you mean {'.'.join(elsewhere[0])}?"
    return f"known here: {', '.join(known)}"


def _names_in(table: Path) -> Iterator[str]:
    for key in _KEYS:
        if key.path[: len(table)] == table:
            yield key.path[len(table)]
            if key.from_file and len(key.path) == len(table) + 1:
                yield f"{key.path[-1]}_file"
