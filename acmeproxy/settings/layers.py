"""One layer of settings: values from one source, each with the place where it is written."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import msgspec

from acmeproxy.settings import files
from acmeproxy.settings.lines import key_lines
from acmeproxy.settings.mistake import Mistake, Path
from acmeproxy.settings.redis import holds_password
from acmeproxy.settings.schema import Key, generic, keys
from acmeproxy.settings.values import FileWord, Word

_KEYS = {key.path: key for key in keys()}
_FILE = "_file"
#: Stands for what is in a file that is not there yet.
_AWAITED = "made by acmeproxy vault apply"


class Leaf(msgspec.Struct, frozen=True):
    """A value and where it is written. A table without keys is a leaf too."""

    path: Path
    value: Any
    origin: str


class Layer(msgspec.Struct, frozen=True):
    """The leaves of one source, by path, the places of its tables, and what is wrong with it already.

    `awaited` are the files that are not there yet, where whoever loads the settings is going to make them.
    """

    leaves: Mapping[Path, Leaf] = {}
    mistakes: tuple[Mistake, ...] = ()
    tables: Mapping[Path, str] = {}
    awaited: Mapping[Path, FilePath] = {}


def from_file(path: FilePath, *, awaiting: bool = False) -> Layer:
    """Read a TOML file. Relative paths in it start at its directory; `awaiting` as for `settle`."""
    try:
        text, shared = files.read(path)
        document = tomllib.loads(text)
    except files.UnreadableError as error:
        return Layer(mistakes=(Mistake(str(path), "", str(error)),))
    except tomllib.TOMLDecodeError as error:
        return Layer(mistakes=(_syntax(path, str(error)),))
    places = {key: f"{path}:{line}" for key, line in key_lines(text).items()}
    leaves = [Leaf(key, value, places[key]) for key, value in _flat(document)]
    exposed = tuple(
        Mistake(leaf.origin, ".".join(leaf.path), "is a secret in a file that others may read: chmod 600 it")
        for leaf in leaves
        if shared and _confidential(leaf)
    )
    layer = settle(leaves, path.parent, awaiting=awaiting)
    return Layer(layer.leaves, layer.mistakes + exposed, places, layer.awaited)


def from_overrides(overrides: Mapping[str, object]) -> Layer:
    """Take values of the command line, by dotted key; `None` is an option that was not given."""
    return settle(
        [
            Leaf(tuple(key.split(".")), Word(value) if isinstance(value, str) else value, "command line")
            for key, value in overrides.items()
            if value is not None
        ],
        FilePath(),
    )


def settle(leaves: Iterable[Leaf], directory: FilePath, *, awaiting: bool = False) -> Layer:
    """Read the files that `<key>_file` names, and look whether those that a setting names can be read.

    With `awaiting`, the credentials and roots that `acmeproxy vault apply` makes need not be there.
    """
    settled: dict[Path, Leaf] = {}
    mistakes: list[Mistake] = []
    awaited: dict[Path, FilePath] = {}
    for leaf in leaves:
        try:
            result = _settle(leaf, directory)
        except files.MissingError as error:
            if not awaiting or not _made_later(leaf.path):
                mistakes.append(Mistake(leaf.origin, ".".join(leaf.path), f"the file {error}"))
                continue
            file = directory / leaf.value
            own = leaf.path[-1].endswith(_FILE)
            path = (*leaf.path[:-1], leaf.path[-1].removesuffix(_FILE))
            result = Leaf(path, Word(_AWAITED) if own else str(file), leaf.origin)
            awaited[path] = file
        except files.UnreadableError as error:
            mistakes.append(Mistake(leaf.origin, ".".join(leaf.path), f"the file {error}"))
            continue
        if other := settled.get(result.path):
            mistakes.append(Mistake(leaf.origin, ".".join(leaf.path), f"is given by {other.origin} too"))
        settled[result.path] = result
    return Layer(settled, tuple(mistakes), awaited=awaited)


def nested(layers: Sequence[Layer]) -> tuple[dict[str, Any], dict[Path, str]]:
    """Lay later layers over earlier ones; return the tree of values, and the origin of each leaf and table.

    A value where another layer has a table stays, to be refused.
    """
    leaves = {path: leaf for layer in layers for path, leaf in layer.leaves.items()}
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        table = tree
        for name in path[:-1]:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                break
        else:
            if leaf.value != {} or isinstance(leaf.value, Word):
                table[path[-1]] = leaf.value
            else:
                table.setdefault(path[-1], {})
    origins = {path: origin for layer in layers for path, origin in layer.tables.items()}
    return tree, origins | {path: leaf.origin for path, leaf in leaves.items()}


def _settle(leaf: Leaf, directory: FilePath) -> Leaf:
    if not isinstance(leaf.value, str):
        return leaf
    content = _KEYS.get(generic((*leaf.path[:-1], leaf.path[-1].removesuffix(_FILE))))
    if content and content.from_file and leaf.path[-1].endswith(_FILE):
        path = directory / leaf.value
        text = files.read_secret(path) if content.secret else files.read(path)[0].strip()
        return Leaf((*leaf.path[:-1], content.path[-1]), FileWord(text, path.absolute()), leaf.origin)
    key = _KEYS.get(generic(leaf.path))
    if key and key.file and leaf.value:
        return _existing(leaf, key, directory / leaf.value)
    return leaf


def _made_later(path: Path) -> bool:
    made = path[-2:] in {("login", "secret_id_file"), ("login", "role_id_file")}
    return made or path == ("vault", "roots")


def _existing(leaf: Leaf, key: Key, path: FilePath) -> Leaf:
    if key.private:
        files.read_secret(path)
    else:
        files.read(path)
    return Leaf(leaf.path, str(path), leaf.origin)


def _confidential(leaf: Leaf) -> bool:
    if leaf.path == ("redis", "url"):
        return holds_password(str(leaf.value))
    key = _KEYS.get(generic(leaf.path))
    return key is not None and key.secret


def _flat(table: Mapping[str, Any], above: Path = ()) -> Iterable[tuple[Path, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, (*above, name))
        else:
            yield (*above, name), value


def _syntax(path: FilePath, error: str) -> Mistake:
    """Take the line out of the parser's sentence, which never repeats a value."""
    text, _, place = error.partition(" (at ")
    line = "".join(filter(str.isdigit, place.partition(",")[0]))
    return Mistake(f"{path}:{line}" if line else str(path), "", f"is not TOML: {text}")
