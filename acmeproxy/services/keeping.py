"""One thing that is fetched from afar and kept for as long as it is true."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

import msgspec

from acmeproxy.services.flights import PAUSE, AwayError, Flights, UnfitError
from acmeproxy.services.places import Lane
from acmeproxy.services.ports import Clock

T = TypeVar("T")

#: How long a request waits for a fetch: without anything to show, and with something older.
_PATIENCE: Final = timedelta(seconds=5)
_IMPATIENCE: Final = timedelta(seconds=1)


class Lease(msgspec.Struct, Generic[T], frozen=True):
    """A thing, and its times.

    From `renew` on it is fetched again while it is still shown. From `fresh_until` on who asks waits for a
    newer one, and is shown this one only where there is none to be had. From `until` on nobody sees it.
    """

    value: T
    fetched: datetime
    renew: datetime
    fresh_until: datetime
    until: datetime


class Keeping(Generic[T]):
    """Keeps one thing: fetched by one however many ask, in the background while the last one is good."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Lease[T]]], flights: Flights, lane: Lane, clock: Clock
    ) -> None:
        self._fetch = fetch
        self._flights = flights
        self._lane = lane
        self._clock = clock
        self._lease: Lease[T] | None = None
        self._flight: asyncio.Task[Lease[T]] | None = None
        self._unfit_until = clock()

    @property
    def kept(self) -> T | None:
        """The last one, however old."""
        return self._lease.value if self._lease else None

    def older_than(self, age: timedelta) -> bool:
        """Tell whether the kept one, if there is one, was fetched longer ago."""
        return self._lease is not None and self._clock() - self._lease.fetched > age

    def hasten(self, pause: timedelta) -> None:
        """Have a newer one fetched when next one is asked for, a pause after the last at the earliest."""
        if (lease := self._lease) is not None:
            soon = max(self._clock(), lease.fetched + pause)
            self._lease = msgspec.structs.replace(lease, renew=min(lease.renew, soon))

    def peek(self, now: datetime) -> T | None:
        """Return the kept one if it is fresh, and have a newer one fetched if it is time."""
        lease = self._lease
        if lease is None or now >= lease.fresh_until:
            return None
        if now >= lease.renew:
            self.renew()
        return lease.value

    def renew(self) -> None:
        """Have a newer one fetched, and wait for nothing. What was unfit a moment ago still is."""
        if self._flight is None or (self._flight.done() and self._clock() >= self._unfit_until):
            self._flight = self._flights.begin(self._fly())

    async def get(self) -> T:
        """Return a fresh one, or the last one while it is true.

        Raises:
            AwayError: There is none to be had.
        """
        if (kept := self.peek(self._clock())) is not None:
            return kept
        return await self.newest()

    async def newest(self) -> T:
        """Return one that was fetched after this was asked for, or by a flight that is under way.

        Where too many wait already, the last one.

        Raises:
            AwayError: There is none to be had, and none that is still true.
        """
        self.renew()
        flight = self._flight
        lease = self._current()
        patience = _IMPATIENCE if lease else _PATIENCE
        if flight is not None and not self._lane.full:
            async with self._lane.place():
                await asyncio.wait([flight], timeout=patience.total_seconds())
            if flight.done() and not flight.cancelled():
                try:
                    return flight.result().value
                except AwayError:
                    if (lease := self._current()) is None:
                        raise
        if (lease := self._current()) is None:
            raise AwayError("no answer in time, or too many who wait for it")
        return lease.value

    def _current(self) -> Lease[T] | None:
        lease = self._lease
        return lease if lease is not None and self._clock() < lease.until else None

    async def _fly(self) -> Lease[T]:
        try:
            self._lease = await self._fetch()
        except UnfitError:
            self._unfit_until = self._clock() + PAUSE
            raise
        return self._lease
