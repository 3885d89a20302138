"""A real Valkey for the tests, one a session and empty for every test."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.embedded.valkey import valkey as running_valkey

_DEADLINE = 60


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Valkey]:
    """Run one for the session. Tests take `valkey`, which is this one emptied."""
    async with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest_asyncio.fixture
async def valkey(valkey_server: Valkey) -> Valkey:
    """Return the session's Valkey without a key in it."""
    assert await ask(valkey_server, "FLUSHALL") == b"+OK"
    return valkey_server


async def ask(server: Valkey, *words: str) -> bytes:
    """Send one command; return a string as it is, of a list its last string, else the line (`+OK`)."""
    async with asyncio.timeout(_DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            writer.write("".join([f"*{len(words)}\r\n", *parts]).encode())
            return await _answer(reader)
        finally:
            writer.close()
            await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    line = (await reader.readuntil(b"\r\n")).rstrip()
    if line.startswith(b"*"):
        return [await _answer(reader) for _ in range(int(line[1:]))][-1]
    if line.startswith(b"$") and line != b"$-1":
        return (await reader.readexactly(int(line[1:]) + 2))[:-2]
    return line
