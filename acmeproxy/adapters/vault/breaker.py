"""A circuit breaker: what does not answer is asked by one at a time, and nobody waits for that (VLT-05)."""

import enum
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import structlog

from acmeproxy.adapters.vault.transport import UnsentError

_LOG: Final = structlog.get_logger()
_IN_A_ROW: Final = 3
_FIRST_PAUSE: Final = 1.0
# Short, since orders wait for nothing else: one small request in two seconds is no burden to anybody.
_LONGEST_PAUSE: Final = 2.0
_WHILE_ANOTHER_ASKS: Final = 0.5
# Who is sent away comes again in turn, not all at once: fifty a second, and nobody later than this.
_APART: Final = 0.02
_LATEST: Final = 30.0


class State(enum.IntEnum):
    """What a breaker does; the numbers are those of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class ShutError(UnsentError):
    """Nothing was asked, for what is there did not answer lately. `retry_after` is when to come again."""


Heard = Callable[[State], None]
"""Is told of every change of state."""


def unheard(_: State) -> None:
    """Tell nobody."""


class Breaker:
    """Opens after three failures in a row; after a pause lets one request through, which decides.

    Args:
        names: What it stands before, for the log.
        heard: Is told of every change of state.
        clock: Seconds that only grow.
    """

    def __init__(
        self, names: Mapping[str, str], heard: Heard = unheard, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.state = State.CLOSED
        self._names = names
        self._heard = heard
        self._clock = clock
        self._failures = 0
        self._reason = ""
        self._opened = self._until = self._turn = 0.0
        self._pause = 0.0
        self._probe: object | None = None

    def require(self) -> None:
        """See that there is something to be asked.

        Raises:
            ShutError: Not now.
        """
        if self.state is State.CLOSED or (self.state is State.OPEN and self._clock() >= self._until):
            return
        raise ShutError(f"not asked again yet: {self._reason}", self.again())

    def again(self) -> timedelta:
        """Return when to come again: each in turn, the first as soon as there is something to be asked."""
        now = self._clock()
        waits = {
            State.CLOSED: _FIRST_PAUSE,
            State.HALF_OPEN: _WHILE_ANOTHER_ASKS,
            State.OPEN: max(self._until - now, 0.0),
        }
        self._turn = min(max(self._turn + _APART, now + waits[self.state]), now + _LATEST)
        return timedelta(seconds=self._turn - now)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let one request through; `worked` or `failed` tells what came of it, if that tells anything.

        Raises:
            ShutError: Not now.
        """
        self.require()
        probe = None
        if self.state is State.OPEN:
            probe = self._probe = object()
            self._become(State.HALF_OPEN)
        try:
            yield
        finally:
            if probe is not None and self._probe is probe:
                self._open()

    def worked(self) -> None:
        """Note that there was an answer."""
        self._failures, self._pause, self._probe = 0, 0.0, None
        if self.state is not State.CLOSED:
            self._become(State.CLOSED)
            away = round(self._clock() - self._opened, 1)
            _LOG.info("vault.breaker.closed", **self._names, seconds=away)

    def failed(self, reason: str) -> None:
        """Note that there was none; `reason` is for the log."""
        self._failures += 1
        if self.state is State.OPEN or (self.state is State.CLOSED and self._failures < _IN_A_ROW):
            return
        self._reason = reason
        if self.state is State.CLOSED:
            self._opened = self._clock()
            _LOG.error("vault.breaker.open", **self._names, reason=reason)
        self._open()

    def _open(self) -> None:
        self._probe = None
        self._pause = min(self._pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
        self._until = self._clock() + self._pause
        self._become(State.OPEN)

    def _become(self, state: State) -> None:
        self.state = state
        self._heard(state)
