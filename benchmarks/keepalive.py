"""A load of one request, sent again and again on connections that stay open; as little Python as will do."""

import asyncio
import os
from pathlib import Path
from typing import Final, cast

import msgspec

_HEAD_END: Final = b"\r\n\r\n"
_DEADLINE: Final = 10
_LENGTH: Final = b"content-length:"


class Load(msgspec.Struct, frozen=True):
    """What a load came to: answers and the seconds they took, by the clock and of the server's CPU."""

    answers: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Answers a second by the clock, with the clients on the same machine."""
        return self.answers / self.seconds

    @property
    def per_core(self) -> float:
        """Answers a second that one CPU of the server would give."""
        return self.answers / self.cpu_seconds


class Question(msgspec.Struct, frozen=True):
    """A request, complete, and the status of its answers."""

    request: bytes
    status: int


class Answerer(msgspec.Struct, frozen=True):
    """A server process on loopback."""

    port: int
    pid: int


class _Asking(asyncio.Protocol):
    """Sends the request, and again with each answer, until told to stop."""

    def __init__(self, request: bytes, status: bytes) -> None:
        self._request = request
        self._status = status
        self._pending = b""
        self._transport: asyncio.Transport | None = None
        self.answers = 0
        self.stopping = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._pending = self._pending + data if self._pending else data
        end = self._pending.find(_HEAD_END)
        if end < 0:
            return
        head = self._pending[:end].lower()
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._pending) < end + len(_HEAD_END) + length:
            return
        if not head.startswith(self._status):
            self.done.set_exception(RuntimeError(f"an unexpected answer: {head[:80]!r}"))
            return
        self._pending = b""
        self.answers += 1
        assert self._transport is not None
        if self.stopping:
            self._transport.close()
            self.done.set_result(None)
        else:
            self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the server closed the connection"))


async def load(server: Answerer, question: Question, connections: int, seconds: float) -> Load:
    """Ask for so many seconds on so many connections, and see that every answer has a status.

    Raises:
        RuntimeError: One has another.
        TimeoutError: Some are not answered.
    """
    loop = asyncio.get_running_loop()
    expected = f"http/1.1 {question.status} ".encode()
    cpu, begun = _cpu_seconds(server.pid), loop.time()
    asking = [
        (await loop.create_connection(lambda: _Asking(question.request, expected), "127.0.0.1", server.port))[
            1
        ]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    for one in asking:
        one.stopping = True
    async with asyncio.timeout(_DEADLINE):
        await asyncio.gather(*(one.done for one in asking))
    answers = sum(one.answers for one in asking)
    return Load(answers, loop.time() - begun, _cpu_seconds(server.pid) - cpu)


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, its kernel's part too (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
