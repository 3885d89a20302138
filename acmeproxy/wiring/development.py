"""A whole installation on loopback: Valkey, OpenBao, two tenants and a server, all real."""

import asyncio
import functools
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.embedded.openbao import OpenBao, openbao
from acmeproxy.adapters.embedded.processes import EmbeddedServerError, Process, free_port, ready, running
from acmeproxy.adapters.embedded.valkey import Valkey, valkey
from acmeproxy.adapters.redis.accounts import RedisAccounts, RedisEabKeys
from acmeproxy.adapters.redis.connection import Durability, connect
from acmeproxy.adapters.validation.testdns import serve_test_dns
from acmeproxy.adapters.vault.provisioning import Hierarchy, provision
from acmeproxy.core.encoding import b64url_encode
from acmeproxy.core.ids import TenantName
from acmeproxy.services.administration import Administration, Grant
from acmeproxy.wiring.configuration import Part, configuration, serve_command, write_private

#: Tenants, and the names that each may have; the second demands an EAB key.
TENANTS: Final = {"team-a": "team-a.test", "team-b": "team-b.test"}
WITH_EAB: Final = "team-b"

Tell = Callable[[float, str, str], None]


class Options(msgspec.Struct, frozen=True):
    """What somebody may choose. `resolver` is `HOST:PORT`; without it a built-in DNS says 127.0.0.1."""

    host: str = "127.0.0.1"
    port: int = 8555
    tls: bool = True
    http01_port: int = 5002
    tls_alpn01_port: int = 5003
    resolver: str | None = None
    allow_names: tuple[str, ...] = ()
    data: Path | None = None
    raft: bool = False


class Eab(msgspec.Struct, frozen=True):
    """A key to bind accounts with, as clients take it."""

    kid: str
    hmac_key: str


class Installation(msgspec.Struct, frozen=True):
    """What is running, and where."""

    url: str
    directory: Path
    root: Path
    eab: Eab
    valkey: Valkey
    openbao: OpenBao
    server: Process
    hierarchy: Hierarchy

    async def ended(self) -> str:
        """Wait until one of the processes ends, which none should, and say which and how."""
        processes = {
            "acmeproxy serve": self.server,
            "Valkey": self.valkey.process,
            "OpenBao": self.openbao.process,
        }
        waiting = {asyncio.create_task(p.died()): name for name, p in processes.items()}
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            task = done.pop()
            name = waiting[task]
            return f"{name} ended by itself with code {task.result()}.\n{last_lines(processes[name].log)}"
        finally:
            for task in waiting:
                task.cancel()


@asynccontextmanager
async def installation(options: Options, tell: Tell) -> AsyncIterator[Installation]:
    """Start everything, and stop and remove it when the context ends; a data directory stays.

    Args:
        options: What was chosen.
        tell: Is told of each step: the seconds since the start, what, and where.

    Raises:
        EmbeddedServerError: Something is not installed or did not start, or the port is taken; the text says
            which.
    """
    begun = time.perf_counter()
    _check_free(options.host, options.port)
    async with AsyncExitStack() as stack:
        directory = _directory(options, stack)
        persistent = options.data is not None

        async def start_valkey() -> Valkey:
            started = await stack.enter_async_context(valkey(directory, persistent=persistent))
            tell(time.perf_counter() - begun, "valkey", started.url)
            return started

        async def start_openbao() -> tuple[OpenBao, Hierarchy]:
            raft = persistent or options.raft
            started = await stack.enter_async_context(openbao(directory, persistent=raft))
            tell(time.perf_counter() - begun, "openbao", started.address)
            suffixes: dict[str, tuple[str, ...]] = {name: (suffix,) for name, suffix in TENANTS.items()}
            suffixes["team-a"] += tuple(sorted(set(options.allow_names) - {TENANTS["team-a"]}))
            setting_up = functools.partial(provision, public_url=part.url, without_wildcards=[WITH_EAB])
            made = await asyncio.to_thread(
                setting_up, started.address, started.root_token, directory, suffixes
            )
            tell(time.perf_counter() - begun, "tenants", ", ".join(TENANTS))
            return started, made

        resolver = options.resolver or f"127.0.0.1:{await stack.enter_async_context(serve_test_dns())}"
        port = options.port or free_port()
        part = Part(
            options.host,
            port,
            options.tls,
            options.http01_port,
            options.tls_alpn01_port,
            resolver,
            options.allow_names,
            TENANTS,
            WITH_EAB,
        )
        state = await start_valkey()
        vault, hierarchy = await start_openbao()
        eab = await _eab_key(state, directory / "eab.json")
        settings = configuration(directory, part, state.url, vault.address, hierarchy)
        server = await stack.enter_async_context(
            running(serve_command(settings), directory / "acmeproxy.log", timedelta(seconds=10))
        )
        await ready(server, lambda: _accepts(options.host, port))
        tell(time.perf_counter() - begun, "acmeproxy", part.url)
        yield Installation(part.url, directory, hierarchy.root, eab, state, vault, server, hierarchy)


def last_lines(log: Path, count: int = 5) -> str:
    """Return the end of a log, for when its writer did not get ready or ended."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def _directory(options: Options, stack: AsyncExitStack) -> Path:
    if options.data is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="acmeproxy-dev-")))
    options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return options.data.resolve()


def _check_free(host: str, port: int) -> None:
    """Refuse a taken port at once: waiting for our server there would find somebody else's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            text = f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with --listen."
            raise EmbeddedServerError(text) from None


async def _accepts(host: str, port: int) -> bool:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    return True


async def _eab_key(state: Valkey, kept: Path) -> Eab:
    """Return the key that was made here before, or make one."""
    known = await asyncio.to_thread(_known_key, kept)
    if known:
        return known
    async with connect(state.url, None, timedelta(seconds=2), Durability.AUTO) as connection:
        accounts = RedisAccounts(connection, utc_now)
        administration = Administration(accounts, RedisEabKeys(connection), utc_now)
        key = await administration.create_eab_key(TenantName(WITH_EAB), Grant("acmeproxy dev"))
    eab = Eab(key.kid, b64url_encode(key.secret))
    await asyncio.to_thread(write_private, kept, msgspec.json.encode(eab).decode())
    return eab


def _known_key(kept: Path) -> Eab | None:
    return msgspec.json.decode(kept.read_bytes(), type=Eab) if kept.exists() else None


__all__ = [
    "TENANTS",
    "WITH_EAB",
    "EmbeddedServerError",
    "Installation",
    "Options",
    "free_port",
    "installation",
    "last_lines",
]
