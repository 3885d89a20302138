"""Places for what is in flight at once, so shared out that no tenant can take them all (INV-9, TEN-06)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Places:
    """A number of places. A tenant gets another one while it holds fewer than are free.

    So one tenant whose calls hang leaves half of the places, a second one half of the rest, and so on. (It is
    the dynamic threshold of Choudhury and Hahne, 1998.) A tenant that is alone may have them all.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._lanes: list[Lane] = []

    def lane(self) -> "Lane":
        """Return the way of one more tenant to the places."""
        lane = Lane(self)
        self._lanes.append(lane)
        return lane

    def may(self, lane: "Lane") -> bool:
        """Whether a tenant may have one place more."""
        return self._free > (0 if len(self._lanes) == 1 else lane.held)

    def take(self, lane: "Lane") -> None:
        """Give a tenant a place, which it may have."""
        self._free -= 1
        lane.held += 1

    def leave(self, lane: "Lane") -> None:
        """Take a tenant's place back, and give to those that wait: first to whoever has the fewest."""
        self._free += 1
        lane.held -= 1
        while entitled := [lane for lane in self._lanes if lane.waiting and self.may(lane)]:
            poorest = min(entitled, key=lambda lane: lane.held)
            waiter = poorest.waiting.popleft()
            if not waiter.done():  # else it was cancelled, and has not come to saying so
                self.take(poorest)
                waiter.set_result(None)


class Lane:
    """One tenant's way to the places, first come, first served."""

    def __init__(self, places: Places) -> None:
        self.held = 0
        self.waiting: deque[asyncio.Future[None]] = deque()
        self._places = places

    @property
    def full(self) -> bool:
        """Whether who comes now must wait."""
        return bool(self.waiting) or not self._places.may(self)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Have a place, as long as the context lasts."""
        await self.enter()
        try:
            yield
        finally:
            self.leave()

    def leave(self) -> None:
        """Give back a place."""
        self._places.leave(self)

    async def enter(self) -> None:
        """Wait for a place; who has it must `leave`."""
        if not self.full:
            self._places.take(self)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self.waiting:
                self.waiting.remove(waiter)
            if waiter.done() and not waiter.cancelled():
                self._places.leave(self)  # given a place at the very moment
            raise
