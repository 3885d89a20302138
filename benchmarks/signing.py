"""What one sign call costs our own process: `python -m benchmarks.signing`.

A real OpenBao signs; everything of the adapter is counted, from the intent to the parsed chain, on the event
loop and in the threads, and nothing of OpenBao's, which is another process.
"""

import argparse
import asyncio
import datetime as dt
import os
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from acmeproxy.adapters.embedded.openbao import openbao
from acmeproxy.adapters.vault.provisioning import provision
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.order import Intent
from acmeproxy.core.tenant import Tenant
from benchmarks import report
from tests.support.openbao import SUFFIXES, connections, intent, tenant

BEGIN = "<!-- signing:begin (written by python -m benchmarks.signing) -->"
END = "<!-- signing:end -->"


class Cost(msgspec.Struct, frozen=True):
    """One way of signing: our CPU time in seconds for a call, calls a second, and how many at a time."""

    together: int
    cpu: float
    rate: float


@asynccontextmanager
async def signing() -> AsyncIterator[tuple[VaultSigner, Tenant]]:
    """Run an OpenBao with a PKI, and a signer of its tenants."""
    with tempfile.TemporaryDirectory() as directory:
        async with openbao(Path(directory)) as server:
            pki = await asyncio.to_thread(
                provision, server.address, server.root_token, Path(directory), SUFFIXES
            )
            async with VaultSigner(connections(pki, server.port)) as signer:
                yield signer, tenant(pki)


async def measure(signer: VaultSigner, place: Tenant, together: int, count: int, runs: int) -> Cost:
    """Sign `count` intents, so many at a time, and return the median of some runs."""
    costs = [await _run(signer, place, together, count) for _ in range(runs)]
    return Cost(together, statistics.median(cpu for cpu, _ in costs), statistics.median(r for _, r in costs))


async def _run(signer: VaultSigner, place: Tenant, together: int, count: int) -> tuple[float, float]:
    intents = [intent([f"n{number}.alpha.example"]) for number in range(count)]
    work = iter(intents)

    async def sign() -> None:
        for one in work:
            await _signed(signer, place, one)

    cpu, wall = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(together):
            group.create_task(sign())
    return (time.process_time() - cpu) / count, count / (time.perf_counter() - wall)


async def _signed(signer: VaultSigner, place: Tenant, one: Intent) -> None:
    signed = await signer.sign(place, one)
    assert signed.leaf


def rows(costs: list[Cost]) -> dict[str, str]:
    """Write the results as a table's rows."""
    machine = f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}"
    table = {
        "machine (OpenBao is on it too)": f"{machine}, Python {platform.python_version()}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }
    for cost in costs:
        calls = "one call at a time" if cost.together == 1 else f"{cost.together} calls at a time"
        table[f"CPU of our process for a sign call, {calls}"] = f"{cost.cpu * 1000:.2f} ms"
        table[f"sign calls a second, {calls}"] = f"{cost.rate:.0f}"
    return table


async def _measured(count: int, runs: int) -> list[Cost]:
    async with signing() as (signer, place):
        await measure(signer, place, 4, 50, 1)  # what is made once is not counted: login, connections
        return [await measure(signer, place, together, count, runs) for together in (1, 4)]


def main() -> None:
    """Measure, and print or write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signing", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="sign calls of a run (300)")
    parser.add_argument("--runs", type=int, default=5, help="runs, of which the median counts (5)")
    parser.add_argument("--write", type=Path, help="put the table between its markers on this page")
    asked = parser.parse_args()
    text = report.table(rows(asyncio.run(_measured(asked.count, asked.runs))))
    print(text)
    if asked.write:
        report.write(asked.write, text, BEGIN, END)


if __name__ == "__main__":
    main()
