"""How documents are written: JSON, so that an operator can read them, and yesterday's decode today."""

import hashlib
from typing import TypeVar

import msgspec

from acmeproxy.services.stores import Stored

D = TypeVar("D", bound=msgspec.Struct)

encode = msgspec.json.encode


def decode(document: bytes, shape: type[D]) -> D:
    """Read a document back.

    Raises:
        msgspec.ValidationError: The store holds something else; this must never pass for an absent document.
    """
    return msgspec.json.decode(document, type=shape)


def stored(document: bytes, shape: type[D]) -> Stored[D]:
    """Read a document back with its revision, the SHA-1 of its octets (Lua has no other digest)."""
    return Stored(decode(document, shape), revision(document))


def revision(document: bytes) -> str:
    """Return a document's revision; it tells versions apart and protects nothing."""
    return hashlib.sha1(document, usedforsecurity=False).hexdigest()
