"""Waiting for what another process does, of which nothing here is told."""

import asyncio
from collections.abc import Awaitable, Callable

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.2


async def eventually(probe: Callable[[], Awaitable[bool]], *, within: float = 60) -> None:
    """Ask until the answer is yes.

    Raises:
        TimeoutError: It was not within so many seconds.
    """
    pause = _FIRST_PAUSE
    async with asyncio.timeout(within):
        while not await probe():
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
