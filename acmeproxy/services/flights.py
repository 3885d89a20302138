"""What is fetched for many at once: one flight however many wait, and few flights at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar

from acmeproxy.services.places import Lane, Places
from acmeproxy.services.ports import Clock

T = TypeVar("T")


#: A quarter of the requests that a server works on, by default.
_SEATS: Final = 250


class AwayError(Exception):
    """Vault does not answer now, or there are too many who wait for it. The text is for the log."""


class UnfitError(AwayError):
    """Vault answered, and this answer cannot be shown. Of anything else it says nothing."""


class Flights:
    """The tasks that fetch. They outlive the request that began them, and end with the context.

    `crashed` is called with what a flight raised that no flight should: perhaps nobody waits for it. So many
    `seats` there are for those who wait.
    """

    def __init__(self, crashed: Callable[[BaseException], None], seats: int) -> None:
        self._crashed = crashed
        self._seats = Places(seats)
        self._tasks: set[asyncio.Task[Any]] = set()

    def lane(self) -> Lane:
        """Return one more mount's way to the seats: one that hangs leaves half of them to the others."""
        return self._seats.lane()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin to fetch; whatever is raised is for those who wait for the task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def end(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        # `Turnstile` has told of those.
        if error is not None and not isinstance(error, AwayError):
            self._crashed(error)


@asynccontextmanager
async def flights(crashed: Callable[[BaseException], None], seats: int = _SEATS) -> AsyncIterator[Flights]:
    """Let flights begin until the context ends."""
    made = Flights(crashed, seats)
    try:
        yield made
    finally:
        await made.end()


#: At one mount at the same time; a flood of questions must leave Vault for signing.
_PLACES: Final = 4
#: Who comes when so many wait already is sent away.
_QUEUE: Final = 64
#: After a failure nobody asks for so long: for anything where Vault is away, else for the one thing.
PAUSE: Final = timedelta(seconds=1)


class Turnstile:
    """Lets a few ask one mount at a time, and nobody for a moment after it did not answer.

    `told` is called with the reason of a failure; of answers that are unfit, with one in a moment.
    """

    def __init__(self, clock: Clock, told: Callable[[str], None]) -> None:
        self._clock = clock
        self._told = told
        self._places = asyncio.Semaphore(_PLACES)
        self._inside = 0
        self._closed_until = self._silent_until = clock() - PAUSE

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises:
            AwayError: Too many wait, or somebody was left without an answer a moment ago.
        """
        if self._clock() < self._closed_until:
            raise AwayError("it did not answer a moment ago")
        if self._inside >= _PLACES + _QUEUE:
            raise AwayError("too many ask at once")
        self._inside += 1
        try:
            async with self._places:
                yield
        except UnfitError as error:
            # Anybody can ask for as many of those as he likes.
            if self._clock() >= self._silent_until:
                self._silent_until = self._clock() + PAUSE
                self._told(str(error))
            raise
        except AwayError as error:
            self._closed_until = self._clock() + PAUSE
            self._told(str(error))
            raise
        finally:
            self._inside -= 1
