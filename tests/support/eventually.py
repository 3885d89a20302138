"""Waiting for what another process does, of which nothing here is told."""

import asyncio
from collections.abc import Awaitable, Callable

_PAUSE = 0.02


async def eventually(probe: Callable[[], Awaitable[bool]], *, within: float = 60) -> None:
    """Ask until the answer is yes.

    Raises:
        TimeoutError: It was not within so many seconds.
    """
    async with asyncio.timeout(within):
        while not await probe():  # noqa: ASYNC110 - there is no event that crosses processes
            await asyncio.sleep(_PAUSE)
