"""Paths in Vault, made of a tenant's configuration and nothing else (INV-4)."""

import re
from typing import Final

from acmeproxy.core.tenant import VaultPlace

_SEGMENT: Final = re.compile(r"\w(([\w.-]+)?\w)?", re.ASCII)


def check(place: VaultPlace) -> None:
    """See that every part of a place is a plain name: hvac sends `..` and `/` on as they are.

    Raises:
        ValueError: One is not.
    """
    check_path(place.mount)
    if place.namespace:
        check_path(place.namespace)
    _check_segment(place.role)
    if place.issuer:
        _check_segment(place.issuer)


def check_path(path: str) -> None:
    """See that a path is made of plain names, and of at least one.

    Raises:
        ValueError: It is not.
    """
    for part in path.split("/"):
        _check_segment(part)


def sign_path(place: VaultPlace) -> str:
    """Return where a certificate is signed, below `/v1/` and the namespace."""
    issuer = f"issuer/{place.issuer}/" if place.issuer else ""
    return f"{place.mount}/{issuer}sign/{place.role}"


def _check_segment(text: str) -> None:
    if not _SEGMENT.fullmatch(text):
        raise ValueError(f"{text!r} is not a name of a namespace, mount, role or issuer")
