"""Answers that anybody may keep: validators, how long they are good, and 304 (RFC 9110 §13, RFC 9111)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

import msgspec
from aiohttp import web

_SECOND: Final = timedelta(seconds=1)


class Shown(msgspec.Struct, frozen=True):
    """What is shown: its octets and type, a strong validator, when it was made, and until when to keep it.

    `keep_until` may not be after the time from which on the thing itself is no longer true. `by_date` tells
    whether who has one that was made then has this one.
    """

    body: bytes
    media_type: str
    digest: str
    keep_until: datetime
    changed: datetime | None = None
    by_date: bool = True


def show(request: web.Request, shown: Shown, now: datetime) -> web.Response:
    """Answer with it, or with 304 where the client has it."""
    etag = f'"{shown.digest[:32]}"'
    age = max(0, (shown.keep_until - now) // _SECOND)
    headers = dict(_fields(etag, shown.changed, age, int(now.timestamp()) + age))
    if _is_known(request, etag, shown.changed if shown.by_date else None):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = shown.media_type
    return web.Response(body=shown.body, headers=headers)


@lru_cache(maxsize=1024)
def _fields(etag: str, changed: datetime | None, age: int, expires: int) -> Mapping[str, str]:
    """Write the header fields, which are the same for a whole second."""
    fields = {
        "ETag": etag,
        # Never shown once it is over, also by those who keep it for others.
        "Cache-Control": f"public, max-age={age}, must-revalidate, no-transform",
        "Expires": _http_date(datetime.fromtimestamp(expires, tz=UTC)),
    }
    if changed is not None:
        fields["Last-Modified"] = _http_date(changed)
    return fields


def _is_known(request: web.Request, etag: str, changed: datetime | None) -> bool:
    tags = request.headers.get("If-None-Match")
    if tags is not None:
        # Weak comparison; what we do not understand matches nothing (RFC 9110 §13.1.2).
        return tags.strip() == "*" or any(tag.strip().removeprefix("W/") == etag for tag in tags.split(","))
    if changed is None or "If-Modified-Since" not in request.headers:
        return False
    since = request.if_modified_since
    return since is not None and changed.replace(microsecond=0) <= since


def _http_date(when: datetime) -> str:
    return format_datetime(when, usegmt=True)
