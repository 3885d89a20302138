"""A server that answers by what is in the request: the first line of the script that fits, else as always."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from tests.support.connections import connections


class ScriptedVault:
    """What was asked so far, and what is answered to whatever the script does not know."""

    def __init__(self, script: Sequence[tuple[bytes, bytes]], otherwise: bytes) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self._script = script
        self.otherwise = otherwise

    @property
    def address(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until the other side ends it, or there is nothing to answer."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            answer = b" "
            while answer:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
                body = await reader.readexactly(int(fields.get(b"Content-Length", b"0")))
                self.requests.append(head + body)
                answer = next((octets for needle, octets in self._script if needle in head), self.otherwise)
                writer.write(answer)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def scripted_vault(
    script: Sequence[tuple[bytes, bytes]], otherwise: bytes
) -> AsyncIterator[ScriptedVault]:
    """Answer on a free port until the context ends; `otherwise` without an octet ends the connection."""
    vault = ScriptedVault(script, otherwise)
    async with connections(vault.serve) as vault.port:
        yield vault
