"""A courier in front of a server of loopback, and what comes of one post."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import msgspec

from acmeproxy.adapters.vault.client import Answer, Gate
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.courier import Courier

TOKEN = "s.canary-token"
PATH = "pki/sign/acme"
_SECRET = Secret(TOKEN)
Script = Callable[[asyncio.StreamWriter, int], Awaitable[None]]


def at(port: int, scheme: str = "http", **settings: Any) -> VaultConnection:  # noqa: ANN401 - those of `VaultConnection`
    """Return a connection to a port of loopback."""
    connection = VaultConnection(
        f"{scheme}://localhost:{port}",
        TokenLogin(Secret(TOKEN)),
        connect_timeout=timedelta(seconds=20),
        deadline=timedelta(seconds=60),
    )
    return msgspec.structs.replace(connection, **settings)


@asynccontextmanager
async def courier(connection: VaultConnection) -> AsyncIterator[Courier]:
    """Be able to post until the context ends."""
    gate = Gate(2)
    made = Courier(connection, gate)
    try:
        yield made
    finally:
        await made.close()
        gate.close()


async def post(made: Courier, token: Secret = _SECRET) -> Answer:
    """Post once."""
    return await made.post(PATH, token=token, body={"csr": "c"}, headers={"X-Acmeproxy-Intent": "i"})


class Counted:
    """A server that says after every request what its script says, and counts."""

    def __init__(self, script: Script) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()
        self._script = script

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until its end."""
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
                    self.requests.append(head + await reader.readexactly(length))
                    await self._script(writer, len(self.requests))
        finally:
            self.closed.set()
            writer.close()
