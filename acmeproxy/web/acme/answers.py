"""Answers: JSON with the exact media type and one header line a link (conformance 0.4)."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from acmeproxy.core.encoding import json_bytes


def answer(
    resource: Mapping[str, Any],
    *,
    status: int = 200,
    location: str | None = None,
    retry_after: int | None = None,
    links: tuple[tuple[str, str], ...] = (),
) -> web.Response:
    """Build an answer.

    Args:
        resource: What is shown.
        status: HTTP status.
        location: URL of the resource.
        retry_after: Whole seconds after which asking again is worth it; never a date (CLI-17).
        links: `(url, rel)` pairs; acme.sh and uacme read them line by line (CLI-25).
    """
    headers = CIMultiDict[str]({"Content-Type": "application/json"})
    if location:
        headers.add("Location", location)
    if retry_after:
        headers.add("Retry-After", str(retry_after))
    for url, relation in links:
        headers.add("Link", f'<{url}>;rel="{relation}"')
    return web.Response(body=json_bytes(resource), status=status, headers=headers)
