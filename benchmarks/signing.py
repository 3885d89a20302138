"""What one sign call costs our own process: `python -m benchmarks.signing`.

A real OpenBao signs; everything of the adapter is counted, from the intent to the parsed chain, on the event
loop and in the threads, and nothing of OpenBao's, which is another process. A busy machine makes CPU time
longer: what hvac costs alone for the same call says by how much.
"""

import argparse
import asyncio
import datetime as dt
import os
import platform
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import hvac
import msgspec
import requests
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.embedded.openbao import openbao
from acmeproxy.adapters.vault.provisioning import provision
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.tenant import Tenant
from benchmarks import report
from tests.support.openbao import ALPHA, SUFFIXES, connections, intent, tenant


class Cost(msgspec.Struct, frozen=True):
    """One way of signing: our CPU time in seconds for a call, calls a second, and how many at a time."""

    together: int
    cpu: float
    rate: float


class Bench(msgspec.Struct, frozen=True):
    """A signer with a tenant to sign for, and hvac by itself, for the same tenant."""

    signer: VaultSigner
    place: Tenant
    alone: hvac.Client


@asynccontextmanager
async def signing() -> AsyncIterator[Bench]:
    """Run an OpenBao with a PKI, and a signer of its tenants."""
    with tempfile.TemporaryDirectory() as directory:
        async with openbao(Path(directory)) as server:
            pki = await asyncio.to_thread(
                provision, server.address, server.root_token, Path(directory), SUFFIXES
            )
            place, login = tenant(pki), pki.tenants[ALPHA].login
            async with VaultSigner(connections(pki, server.port)) as signer:
                with requests.Session() as session:
                    session.trust_env = False
                    alone = hvac.Client(server.address, namespace=place.vault.namespace, session=session)
                    alone.auth.approle.login(login.role_id, login.secret_id())
                    yield Bench(signer, place, alone)


async def measure(bench: Bench, together: int, count: int, runs: int) -> Cost:
    """Sign `count` intents, so many at a time; the best run counts: the others shared their CPU with more."""
    costs = [await _run(bench, together, count) for _ in range(runs)]
    return Cost(together, min(cpu for cpu, _ in costs), max(rate for _, rate in costs))


def hvac_alone(bench: Bench, count: int, runs: int) -> float:
    """Return the CPU time of the same call by hvac alone, with nothing of ours before or after."""
    return min(_run_alone(bench, count) for _ in range(runs))


async def _run(bench: Bench, together: int, count: int) -> tuple[float, float]:
    work = iter([intent([f"n{number}.alpha.example"]) for number in range(count)])

    async def sign() -> None:
        for one in work:
            assert (await bench.signer.sign(bench.place, one)).leaf

    cpu, wall = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(together):
            group.create_task(sign())
    return (time.process_time() - cpu) / count, count / (time.perf_counter() - wall)


def _run_alone(bench: Bench, count: int) -> float:
    name = "n.alpha.example"
    csr = x509.load_der_x509_csr(intent([name]).csr).public_bytes(Encoding.PEM).decode()
    cpu = time.process_time()
    for _ in range(count):
        asked = {"alt_names": name, "ttl": 3600, "exclude_cn_from_sans": True}
        bench.alone.secrets.pki.sign_certificate(bench.place.vault.role, csr, "", extra_params=asked)
    return (time.process_time() - cpu) / count


def rows(costs: list[Cost], alone: float) -> dict[str, str]:
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
    table["CPU of hvac alone for the same call"] = f"{alone * 1000:.2f} ms"
    return table


async def _measured(count: int, runs: int) -> dict[str, str]:
    async with signing() as bench:
        await measure(bench, 4, 50, 1)  # what is made once is not counted: login, connections
        costs = [await measure(bench, together, count, runs) for together in (1, 4)]
        return rows(costs, await asyncio.to_thread(hvac_alone, bench, count, runs))


def main() -> None:
    """Measure, and print or write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signing", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="sign calls of a run (100)")
    parser.add_argument("--runs", type=int, default=20, help="runs, of which the best counts (20)")
    parser.add_argument("--write", type=Path, help="put the table between its markers on this page")
    asked = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as `acmeproxy serve` does
        text = report.table(runner.run(_measured(asked.count, asked.runs)))
    print(text)
    if asked.write:
        report.write(asked.write, text, "signing")


if __name__ == "__main__":
    main()
