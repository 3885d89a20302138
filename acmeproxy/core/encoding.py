"""Strict base64url and strict JSON: one text for one meaning (RFC 8555 §6.1, RFC 7515 §2)."""

import base64
import binascii
import json
import re
from typing import Any, Final

import msgspec

_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*")
_MAX_DEPTH: Final = 16


class NotCanonicalError(ValueError):
    """The text is not base64url, not JSON, or not the one form that we take."""


def b64url_encode(octets: bytes) -> str:
    """Encode without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """Decode unpadded base64url.

    Raises:
        NotCanonicalError: On padding, on any other alphabet, and where spare bits are set: CPython's own
            decoder skips what it does not know, so that two texts would mean the same octets.
    """
    if not _ALPHABET.fullmatch(text) or len(text) % 4 == 1:
        raise NotCanonicalError("not unpadded base64url")
    try:
        octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise NotCanonicalError("not base64url") from error
    if b64url_encode(octets) != text:
        raise NotCanonicalError("not the canonical base64url of its octets")
    return octets


def json_object(octets: bytes) -> dict[str, Any]:
    """Parse one JSON object from UTF-8, strictly.

    Returns:
        The object; numbers without a fraction are ints, all strings are well-formed Unicode.

    Raises:
        NotCanonicalError: If it is no JSON object, or has a duplicate member, a lone surrogate, NaN, or more
            than 16 levels.
    """
    try:
        value = json.loads(
            octets.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
        )
    except NotCanonicalError:
        raise
    except (ValueError, RecursionError) as error:
        raise NotCanonicalError("not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise NotCanonicalError("not a JSON object")
    _bounded(value, _MAX_DEPTH)
    return value


def json_bytes(value: object) -> bytes:
    """Encode compactly: no spaces and no escaped slashes, which acme.sh could not read."""
    return msgspec.json.encode(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotCanonicalError("a JSON member appears twice")
    return members


def _no_constant(_: str) -> Any:  # noqa: ANN401 - json's hook
    raise NotCanonicalError("not a JSON number")


def _bounded(value: object, levels: int) -> None:
    if levels == 0:
        raise NotCanonicalError("JSON nested too deeply")
    if isinstance(value, str):
        if not value.isascii():
            _well_formed(value)
    elif isinstance(value, dict):
        for name, member in value.items():
            _well_formed(name)
            _bounded(member, levels - 1)
    elif isinstance(value, list):
        for element in value:
            _bounded(element, levels - 1)


def _well_formed(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotCanonicalError("a JSON string holds a lone surrogate") from error
