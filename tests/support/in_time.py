"""A bound on how long something waits, which a busy machine cannot break."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

#: What a timer woke takes some steps of the loop to its end.
_STEPS: Final = 200
_HANGING: Final = 60


@asynccontextmanager
async def in_time(seconds: float) -> AsyncIterator[None]:
    """Make sure that a block ends before a timer of so many seconds, whatever the clock on the wall says.

    The timers of a loop fire in their order, however late it comes to them: who has a deadline of its own is
    woken before this one, on a machine that stood still as on any other. For what waits in this loop alone.

    Raises:
        AssertionError: The timer came first.
    """
    timer = asyncio.create_task(_time(seconds))
    try:
        async with asyncio.timeout(seconds + _HANGING):
            yield
        assert not timer.done(), f"it did not end within {seconds} s"
    finally:
        timer.cancel()


async def _time(seconds: float) -> None:
    await asyncio.sleep(seconds)
    for _ in range(_STEPS):
        await asyncio.sleep(0)
