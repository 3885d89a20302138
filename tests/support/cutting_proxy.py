"""A TCP proxy that cuts where it is told to (threat-model §4.4): nothing is won by waiting."""

import asyncio
import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.connections import connections, reset

_CHUNK = 1 << 16
_DEADLINE = 60


class Cut(enum.Enum):
    """Where the connection is reset."""

    REQUEST = "the request is read and not passed on"
    REPLY = "the request is passed on, and nothing of the reply"
    WITHIN = "the request is passed on, and half of the reply"


class Hold:
    """A request that is read and not passed on before it is released."""

    def __init__(self, needles: tuple[bytes, ...], passing: int) -> None:
        self._needles = needles
        self._passing = passing
        self.arrived = asyncio.Event()
        self.released = asyncio.Event()

    def takes(self, request: bytes) -> bool:
        """Tell whether this is the one."""
        if not all(needle in request for needle in self._needles):
            return False
        self._passing -= 1
        return self._passing < 0

    async def until_arrived(self) -> None:
        """Wait until it is here."""
        async with asyncio.timeout(_DEADLINE):
            await self.arrived.wait()


class CuttingProxy:
    """Passes everything on to a port of loopback, and remembers the requests, until told to cut."""

    def __init__(self, upstream: int) -> None:
        self.requests: list[bytes] = []
        self.port = 0
        self._upstream = upstream
        self._orders: list[tuple[bytes, Cut]] = []
        self._delays: list[tuple[bytes, float]] = []
        self._holds: list[Hold] = []
        self._last: bytes | None = None
        self._swallows = False
        self._heard = asyncio.Condition()

    def cut(self, needle: bytes, where: Cut, times: int = 1) -> None:
        """Cut the next requests that contain a text."""
        self._orders += [(needle, where)] * times

    def delay(self, needle: bytes, seconds: float) -> None:
        """Hold back the reply to the next request that contains a text."""
        self._delays.append((needle, seconds))

    def hold(self, *needles: bytes, passing: int = 0) -> Hold:
        """Hold a request that contains all of some texts: the next one, after letting so many pass."""
        made = Hold(needles, passing)
        self._holds.append(made)
        return made

    def swallow(self, needle: bytes = b"") -> None:
        """Pass nothing on from the next request with a text, and end nothing: a forgetful firewall."""
        self._last, self._swallows = needle, not needle

    def count(self, needle: bytes) -> int:
        """Return how many requests contained a text so far."""
        return sum(needle in request for request in self.requests)

    async def until(self, needle: bytes, times: int = 1) -> None:
        """Wait until that many requests contained a text."""
        async with asyncio.timeout(_DEADLINE), self._heard:
            await self._heard.wait_for(lambda: self.count(needle) >= times)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        with suppress(ConnectionError):
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            link = _Link(reader, writer, up_reader, up_writer)
            try:
                async with asyncio.TaskGroup() as tasks:
                    down = tasks.create_task(self._down(link))
                    await self._up(link)
                    down.cancel()
            except* ConnectionError:
                pass
            finally:
                up_writer.close()
                writer.close()

    async def _up(self, link: "_Link") -> None:
        while chunk := await link.reader.read(_CHUNK):
            async with self._heard:
                self.requests.append(chunk)
                self._heard.notify_all()
            held = next((hold for hold in self._holds if hold.takes(chunk)), None)
            if held is not None:
                self._holds.remove(held)
                held.arrived.set()
                await held.released.wait()
            self._swallows = self._swallows or (self._last is not None and self._last in chunk)
            if self._swallows:
                continue
            order = next((order for order in self._orders if order[0] in chunk), None)
            if order is not None:
                self._orders.remove(order)
                if order[1] is Cut.REQUEST:
                    link.reset()
                    return
                link.cut = order[1]
            pause = next((pause for pause in self._delays if pause[0] in chunk), None)
            if pause is not None:
                self._delays.remove(pause)
                link.pause = pause[1]
            link.up_writer.write(chunk)
            await link.up_writer.drain()

    async def _down(self, link: "_Link") -> None:
        while chunk := await link.up_reader.read(_CHUNK):
            await asyncio.sleep(link.pause)
            link.pause = 0
            if self._swallows:
                continue
            if link.cut is Cut.WITHIN:
                link.writer.write(chunk[: len(chunk) // 2])
                await link.writer.drain()
            if link.cut is not None:
                link.reset()
                return
            link.writer.write(chunk)
            await link.writer.drain()
        link.writer.close()


class _Link:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.up_reader = up_reader
        self.up_writer = up_writer
        self.cut: Cut | None = None
        self.pause = 0.0

    def reset(self) -> None:
        """End the client's connection with RST."""
        reset(self.writer)


@asynccontextmanager
async def cutting_proxy(upstream: int) -> AsyncIterator[CuttingProxy]:
    """Run a proxy in front of a port of loopback until the context ends."""
    proxy = CuttingProxy(upstream)
    async with connections(proxy.serve) as proxy.port:
        yield proxy
