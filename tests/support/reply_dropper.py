"""A TCP proxy that cuts one request of many, by its number (threat-model §4.4)."""

import asyncio
import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.connections import connections

_CHUNK = 1 << 20


class Loss(enum.Enum):
    """What is lost with the connection."""

    REQUEST = "the request is not passed on"
    REPLY = "the request is passed on, and its reply is not"


class ReplyDropper:
    """Passes everything on to a port of loopback; cuts the connection at the request with a number.

    A request is what one write of the client sends, so a pipeline is one.
    """

    def __init__(self, upstream: int) -> None:
        self.port = 0
        self.cut = False
        self._upstream = upstream
        self._before = 0
        self._loss: Loss | None = None

    def lose(self, number: int, loss: Loss) -> None:
        """Cut at one request from now on: 1 is the next."""
        self._before, self._loss, self.cut = number - 1, loss, False

    def spare(self) -> None:
        """Cut nothing any more."""
        self._loss = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on, until one of both ends it or it is cut."""
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        muted = asyncio.Event()
        pumps = {
            asyncio.create_task(self._requests(reader, up_writer, muted)),
            asyncio.create_task(_replies(up_reader, writer, muted)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            up_writer.transport.abort()
            writer.transport.abort()

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, muted: asyncio.Event
    ) -> None:
        while request := await reader.read(_CHUNK):
            loss = self._loss_of_this()
            if loss is Loss.REQUEST:
                return
            if loss is Loss.REPLY:
                muted.set()
            writer.write(request)

    def _loss_of_this(self) -> Loss | None:
        loss = self._loss
        if loss is None:
            return None
        if self._before:
            self._before -= 1
            return None
        self._loss, self.cut = None, True
        return loss


async def _replies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, muted: asyncio.Event) -> None:
    while reply := await reader.read(_CHUNK):
        if muted.is_set():
            return
        writer.write(reply)


@asynccontextmanager
async def reply_dropper(upstream: int) -> AsyncIterator[ReplyDropper]:
    """Run one in front of a port of loopback until the context ends."""
    dropper = ReplyDropper(upstream)
    async with connections(dropper.serve) as dropper.port:
        yield dropper
