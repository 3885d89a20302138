"""What a real OpenBao does: sealed, stopped, emptied, locked, limited, blocked (FIN-22, INV-12)."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.vault.provisioning import Hierarchy, provision
from tests.support.eventually import eventually
from tests.support.http01_responder import Http01Responder
from tests.support.openbao import SUFFIXES, as_root
from tests.support.openbao_nodes import node, opened
from tests.support.programs import steady_port
from tests.support.proxy import Proxy, hosted, proxy
from tests.support.waiting import breaker_of, plan_of_two, proven, ready, serves


async def provisioned(server: OpenBao, directory: Path) -> Hierarchy:
    return await asyncio.to_thread(provision, server.address, server.root_token, directory, SUFFIXES)


@pytest_asyncio.fixture(loop_scope="session")
async def own(tmp_path: Path) -> AsyncIterator[OpenBao]:
    """Run an OpenBao with which anything may be done."""
    async with hosted(running_openbao(tmp_path)) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def running(
    own: OpenBao, tmp_path: Path, empty_valkey: Valkey, responder: Http01Responder, name_server: int
) -> AsyncIterator[Proxy]:
    """Run a proxy of its two tenants."""
    plan = plan_of_two(own.port, await provisioned(own, tmp_path), name_server)
    async with hosted(proxy(tmp_path, empty_valkey, responder, plan)) as started:
        yield started


async def test_sealed_between_finalize_and_signing(own: OpenBao, running: Proxy) -> None:
    """FIN-22: the order stays processing, and becomes valid by itself; no answer ever blames the client."""
    first, second = await ready(running, "a.alpha.example"), await ready(running, "b.beta.example", "beta")
    await as_root(own, "PUT", "sys/seal")
    await first.finalized()
    await second.finalized()

    async def open_breaker() -> bool:
        await first.still_waits()
        return await breaker_of(running, "address") == 2

    await eventually(open_breaker)
    await second.still_waits()
    await own.unseal()
    await first.issued(within=10)
    await second.issued(within=10)
    assert await breaker_of(running, "address") == 0


async def test_a_namespace_that_is_locked(own: OpenBao, running: Proxy) -> None:
    """TEN-06: alpha waits, beta does not, and no breaker opens."""
    wanted = await ready(running, "a.alpha.example")
    await as_root(own, "POST", "sys/namespaces/api-lock/lock/alpha", "admin")
    await wanted.finalized()
    for _ in range(3):
        await serves(running, "b.beta.example")
    await wanted.still_waits()
    assert await breaker_of(running, "address") == 0
    await as_root(own, "POST", "sys/namespaces/api-lock/unlock/alpha", "admin")
    await wanted.issued()


async def test_a_namespace_whose_mounts_are_away(own: OpenBao, running: Proxy) -> None:
    """What sealing a namespace without a seal of its own does: 404, until the server itself was sealed.

    OpenBao 2.7 comes to a stop for good if it is just then asked for the capabilities of a token in it.
    """
    wanted = await ready(running, "a.alpha.example")
    await eventually(lambda: proven(running))
    await as_root(own, "POST", "sys/namespaces/alpha/seal", "admin")
    await wanted.finalized()
    await serves(running, "b.beta.example")
    await wanted.still_waits()
    await as_root(own, "PUT", "sys/seal")
    await wanted.still_waits()
    await own.unseal()
    await wanted.issued()


@pytest.mark.parametrize("headers", [True, False])
async def test_a_quota(headers: bool, own: OpenBao, running: Proxy) -> None:  # noqa: FBT001 - a case
    """VLT-05: 429, with Vault's own Retry-After or without; the mount next door is not limited."""
    wanted = await ready(running, "a.alpha.example")
    await as_root(own, "POST", "sys/quotas/config", body={"enable_rate_limit_response_headers": headers})
    limit = {"path": "admin/alpha/pki", "rate": 1, "interval": "4s"}
    await as_root(own, "POST", "sys/quotas/rate-limit/alpha", body=limit)
    await as_root(own, "GET", "pki/issuer/default/json", "admin/alpha")  # which was the one
    await wanted.finalized()
    await serves(running, "b.beta.example")
    await wanted.issued()


async def test_stopped_emptied_and_back(
    tmp_path: Path, empty_valkey: Valkey, responder: Http01Responder, name_server: int
) -> None:
    """Nobody listens, then a node that nobody initialised does, then ours is back."""
    port = steady_port()
    async with running_openbao(tmp_path, persistent=True, port=port) as server:
        plan = plan_of_two(port, await provisioned(server, tmp_path), name_server)
    async with proxy(tmp_path, empty_valkey, responder, plan) as running:
        wanted = await ready(running, "a.alpha.example")
        await wanted.finalized()

        async def open_breaker() -> bool:
            await wanted.still_waits()
            return await breaker_of(running, "address") == 2

        await eventually(open_breaker)
        async with node(tmp_path / "empty", port):
            await wanted.still_waits()
        async with running_openbao(tmp_path, persistent=True, port=port):
            await wanted.issued(within=15)
            await serves(running, "b.beta.example")


class Device:
    """An audit device: a pipe that somebody reads, until he does not."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self._end, fcntl.F_SETPIPE_SZ, 4096)
        self.read()

    def read(self) -> None:
        """Read from now on."""
        asyncio.get_running_loop().add_reader(self._end, self._drain)

    def block(self) -> None:
        """Read no more: what is asked then is never answered."""
        asyncio.get_running_loop().remove_reader(self._end)

    def close(self) -> None:
        self.block()
        os.close(self._end)

    def _drain(self) -> None:
        os.read(self._end, 1 << 16)


async def test_an_audit_device_that_blocks(
    tmp_path: Path,
    empty_valkey: Valkey,
    responder: Http01Responder,
    name_server: int,
    log: structlog.testing.LogCapture,
) -> None:
    """VLT-11: Vault hangs on every request; the breaker's line says where to look, and nobody is refused."""
    device = Device(tmp_path / "audit")
    async with opened(tmp_path / "audited", tmp_path / "audit") as server:
        plan = plan_of_two(server.port, await provisioned(server, tmp_path), name_server)
        async with proxy(tmp_path, empty_valkey, responder, plan) as running:
            wanted = [await ready(running, f"{name}.alpha.example") for name in "abc"]
            await serves(running, "b.beta.example")
            device.block()
            for one in wanted:
                await one.finalized()

            async def open_breaker() -> bool:
                return await breaker_of(running, "mount", "alpha") == 2

            await eventually(open_breaker, within=20)
            for one in wanted:
                await one.still_waits()
            device.read()
            for one in wanted:
                await one.issued(within=40)
    device.close()
    opened_lines = [entry for entry in log.entries if entry["event"] == "vault.breaker.open"]
    assert "audit devices" in opened_lines[-1]["look_at"]
