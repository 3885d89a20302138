"""Request bodies: as large as they may be, and there in time."""

import asyncio
from datetime import timedelta
from typing import Final

from aiohttp import web

PATIENCE: Final = timedelta(seconds=10)


class TooLargeError(Exception):
    """There are more octets than there may be."""


class TooLateError(Exception):
    """It did not arrive in time."""


class CutOffError(Exception):
    """The connection ended before it: nobody reads what is answered."""


async def read_body(request: web.Request, largest: int) -> bytes:
    """Read a body of at most so many octets.

    Raises:
        TooLargeError: There are more, or there will be.
        TooLateError: It did not arrive within 10 seconds.
        CutOffError: The connection ended before it.
    """
    if request.content_length is not None and request.content_length > largest:
        raise TooLargeError
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > largest:
                    raise TooLargeError
    except TimeoutError:
        raise TooLateError from None
    except ConnectionError:
        raise CutOffError from None
    return bytes(body)
