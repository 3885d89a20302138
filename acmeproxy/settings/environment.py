"""The environment variables: the names of the ecosystem, and `ACMEPROXY_<SECTION>__<KEY>` for every key."""

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Final

from acmeproxy.settings.layers import Layer, Leaf, settle
from acmeproxy.settings.mistake import Mistake, Path
from acmeproxy.settings.values import Word

PREFIX: Final = "ACMEPROXY_"
_FILE: Final = "_FILE"

# OpenBao reads its own name before Vault's, and so do we.
SHORT_NAMES: Final[Mapping[Path, tuple[str, ...]]] = {
    ("server", "listen"): ("ACMEPROXY_LISTEN",),
    ("server", "public_url"): ("ACMEPROXY_BASE_URL",),
    ("log", "level"): ("ACMEPROXY_LOG_LEVEL",),
    ("log", "format"): ("ACMEPROXY_LOG_FORMAT",),
    ("redis", "url"): ("REDIS_URL", "VALKEY_URL"),
    ("vault", "address"): ("BAO_ADDR", "VAULT_ADDR"),
    ("vault", "namespace"): ("BAO_NAMESPACE", "VAULT_NAMESPACE"),
    ("vault", "ca"): ("BAO_CACERT", "VAULT_CACERT"),
    ("vault", "login", "token"): ("BAO_TOKEN", "VAULT_TOKEN"),
    ("vault", "login", "role_id"): ("VAULT_ROLE_ID",),
    ("vault", "login", "secret_id"): ("VAULT_SECRET_ID",),
}
FROM_FILE: Final = frozenset(
    {("redis", "url"), *(path for path in SHORT_NAMES if path[:2] == ("vault", "login"))}
)
_OWN_SHORT: Final = frozenset(
    {"ACMEPROXY_CONFIG"} | {n for names in SHORT_NAMES.values() for n in names if n.startswith(PREFIX)}
)
# Kubernetes tells every pod about every Service: one called acmeproxy-web must not stop us.
_SERVICE_LINK: Final = re.compile(
    r"ACMEPROXY_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?"
    r"|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)


def from_environment(environ: Mapping[str, str], *, awaiting: bool = False) -> Layer:
    """Take what the environment says. An empty variable is one that is not set; `awaiting` as in `settle`."""
    given = {name: value for name, value in environ.items() if value}
    own = list(_own(given))
    settled = settle(
        (*_short(given, {_without_file(leaf.path) for leaf in own}), *own), FilePath(), awaiting=awaiting
    )
    return Layer(settled.leaves, settled.mistakes + tuple(_unknown(given)), awaited=settled.awaited)


def _own(given: Mapping[str, str]) -> Iterator[Leaf]:
    for name, value in sorted(given.items()):
        if name.startswith(PREFIX) and "__" in name:
            path = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
            yield Leaf(path, Word(value), name)


def _short(given: Mapping[str, str], taken: set[Path]) -> Iterator[Leaf]:
    for path, names in SHORT_NAMES.items():
        name = next((n for n in names if n in given or _file_of(n, path) in given), None)
        if name is None or path in taken:
            continue
        if name in given:
            yield Leaf(path, Word(given[name]), name)
        if _file_of(name, path) in given:
            yield Leaf((*path[:-1], f"{path[-1]}_file"), Word(given[name + _FILE]), name + _FILE)


def _file_of(name: str, path: Path) -> str:
    return name + _FILE if path in FROM_FILE else ""


def _without_file(path: Path) -> Path:
    return (*path[:-1], path[-1].removesuffix("_file"))


def _unknown(given: Mapping[str, str]) -> Iterator[Mistake]:
    for name in sorted(given):
        known = not name.startswith(PREFIX) or "__" in name or name in _OWN_SHORT
        if known or _SERVICE_LINK.fullmatch(name):
            continue
        short = [own.removeprefix(PREFIX) for own in sorted(_OWN_SHORT)]
        near = difflib.get_close_matches(name.removeprefix(PREFIX), short, n=1)
        advice = f"did you mean {PREFIX}{near[0]}?" if near else "keys are ACMEPROXY_<SECTION>__<KEY>"
        yield Mistake(name, "", f"unknown variable: {advice}")
