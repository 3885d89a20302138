"""What a token's policies name, as the server lists it: paths that nobody would think of asking about."""

from collections.abc import Collection, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from acmeproxy.adapters.vault.doctor.case import asked
from acmeproxy.adapters.vault.login import Abroad, Login

#: Capabilities that change nothing.
READING: Final = frozenset({"read", "list", "scan", "deny"})
_ACTING: Final = frozenset({"create", "update"})

Grant = tuple[str, frozenset[str], str]
"""A path, with a star at its end for all that begin so; what is too much of it; what that amounts to."""


async def excess(login: Login | Abroad, home: str, mount: str, wanted: Collection[str]) -> tuple[Grant, ...]:
    """Return what a token may change beside what it has to; nothing where the server does not list it.

    A capability can only be asked for a path that one knows, and a policy may name a role that is not there
    yet. Patterns with a plus sign are not listed.

    Args:
        login: The token's, in its own namespace.
        home: That namespace.
        mount: The mount that it signs with, as seen from there.
        wanted: The paths there that it may act on.

    Raises:
        UnansweredError: There is no answer.
    """
    answer = await asked(login, "get", "sys/internal/ui/resultant-acl")
    if answer.status != HTTPStatus.OK or answer.data is None:
        return ()
    return tuple(_beyond(answer.data, f"{home}/" if home else "", f"{mount}/", wanted))


def _beyond(listed: Mapping[str, Any], above: str, mount: str, wanted: Collection[str]) -> Iterator[Grant]:
    for kind, star in (("exact_paths", ""), ("glob_paths", "*")):
        for whole, rule in (listed.get(kind) or {}).items():
            path = whole.removeprefix(above)
            extra = frozenset(rule.get("capabilities") or ()) - READING
            if path in wanted and not star:
                extra -= _ACTING
            what = _what(path, mount)
            if extra and what:
                yield f"{path}{star}", extra, what


def _what(path: str, mount: str) -> str:
    """Say what changing a path amounts to; empty for what is nobody's concern here."""
    if path.startswith(mount):
        inside = path.removeprefix(mount)
        if inside.startswith("roles"):
            return "write roles"
        return "sign for other roles" if "sign/" in inside else "do other things in its mount"
    return "write roles" if "/roles/" in path else ""
