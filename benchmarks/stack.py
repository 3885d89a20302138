"""A whole acmeproxy on loopback for one measurement: `acmeproxy dev`, started, awaited and stopped."""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

ACMEPROXY = str(Path(sys.executable).with_name("acmeproxy"))
_BOOT_DEADLINE = 60
_STOP_DEADLINE = 30


class Eab(msgspec.Struct, frozen=True):
    """What a tenant asks for at registration."""

    kid: str
    hmac_key: str


class Tenant(msgspec.Struct, frozen=True):
    """Where a tenant's clients begin."""

    directory: str
    eab: Eab | None = None


class Vault(msgspec.Struct, frozen=True):
    """How to reach the OpenBao of the stack."""

    addr: str
    token: str
    mount: str
    namespaces: dict[str, str] = {}


class Processes(msgspec.Struct, frozen=True):
    """The process ids of each part."""

    acmeproxy: list[int]
    valkey: list[int]
    openbao: list[int]


class Ready(msgspec.Struct, frozen=True):
    """The line that `acmeproxy dev --json` prints once everything answers."""

    ready: bool
    tenants: dict[str, Tenant]
    root_ca: str
    redis_url: str
    vault: Vault
    pids: Processes


class Stack(msgspec.Struct, frozen=True):
    """A running stack; `boot` is the time from the start of the process to its line, in seconds."""

    ready: Ready
    boot: float


@contextlib.asynccontextmanager
async def running(http01_port: int) -> AsyncIterator[Stack]:
    """Run a stack that validates http-01 on the given port.

    Raises:
        SystemExit: With the end of the log, if the stack does not come up in 60 seconds.
    """
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(ACMEPROXY, "dev", "--json", "--no-tls", "--http01-port", str(http01_port)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            try:
                async with asyncio.timeout(_BOOT_DEADLINE):
                    line = await process.stdout.readline()
                ready = msgspec.json.decode(line, type=Ready)
            except (TimeoutError, msgspec.DecodeError) as error:
                log.seek(0)
                tail = log.read()[-4000:].decode("utf-8", "replace")
                sys.exit(f"acmeproxy dev did not come up ({type(error).__name__}):\n{tail}")
            yield Stack(ready, time.perf_counter() - started)
        finally:
            await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_DEADLINE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
