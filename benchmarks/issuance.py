"""How fast certificates come, and what they cost: `make bench`.

Everything runs on loopback and on one machine, the clients too, so that the figures are a floor. Clients wait
between polls as long as `Retry-After` says, as stock clients do.
"""

import argparse
import asyncio
import datetime as dt
import itertools
import math
import os
import platform
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import ClientSession, TCPConnector
from redis.asyncio import Redis

from benchmarks import measurements, report, stalls
from benchmarks.measurements import Cost, Latency, Throughput
from benchmarks.observation import resident_megabytes
from benchmarks.stack import running
from benchmarks.stalls import StallingResponder, Stalls

_ZONE = "team-a.test"
_REQUESTS = 200
_STALLED = 200


class Plan(msgspec.Struct, frozen=True):
    """How much to measure: counts of certificates, and of clients at the same time."""

    alone: int
    together: int
    clients: int
    total: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One run's results: seconds, megabytes and counts."""

    date: str
    machine: str
    redis_version: str
    boot: float
    help: float
    requests: float
    alone: Latency
    together: Throughput
    clients: int
    certificates: int
    memory_at_start: float
    memory_at_end: float
    read: Cost
    write: Cost
    certbot: float
    stalls: Stalls


async def measure(plan: Plan) -> Figures:
    """Run all measurements against one fresh stack."""
    async with AsyncExitStack() as parts:
        responder_parts = await parts.enter_async_context(AsyncExitStack())
        responder = await responder_parts.enter_async_context(StallingResponder())
        stack = await parts.enter_async_context(running(responder.port))
        http = await parts.enter_async_context(ClientSession(connector=TCPConnector(limit=0)))
        redis = await parts.enter_async_context(_connected(stack.ready.redis_url))
        directory = stack.ready.tenants["team-a"].directory
        names = (f"host-{number}.{_ZONE}" for number in itertools.count())

        client = await measurements.registered(http, directory)
        await client.obtain([next(names)], responder)  # what is made once is not counted: sessions, scripts
        memory_at_start = resident_megabytes(stack.ready.pids.acmeproxy)
        before = client.requests
        alone = await measurements.one_by_one(client, names, responder, plan.alone)
        requests = (client.requests - before) / plan.alone
        read = await measurements.cost(redis, lambda: client.get(str(client.kid)), _REQUESTS)
        write = await measurements.cost(redis, lambda: client.new_order([next(names)]), _REQUESTS)

        clients = [await measurements.registered(http, directory) for _ in range(plan.clients)]
        together = await measurements.at_once(clients, names, responder, plan.together)
        rest = max(plan.total - 1 - plan.alone - plan.together, 0)
        if rest:
            await measurements.at_once(clients, names, responder, rest)
        memory_at_end = resident_megabytes(stack.ready.pids.acmeproxy)
        stalled = await stalls.measure(http, directory, names, responder, _STALLED, plan.alone)

        await responder_parts.aclose()  # certbot listens on this port itself
        certbot = await asyncio.to_thread(
            measurements.certbot_seconds,
            str(Path(sys.executable).with_name("certbot")),
            directory,
            next(names),
            responder.port,
        )
        return Figures(
            date=dt.datetime.now(dt.UTC).date().isoformat(),
            machine=f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}",
            redis_version=await _version(redis),
            boot=stack.boot,
            help=await asyncio.to_thread(measurements.help_seconds),
            requests=requests,
            alone=alone,
            together=together,
            clients=plan.clients,
            certificates=1 + plan.alone + plan.together + rest,
            memory_at_start=memory_at_start,
            memory_at_end=memory_at_end,
            read=read,
            write=write,
            certbot=certbot,
            stalls=stalled,
        )


def rows(figures: Figures) -> dict[str, str]:
    """Name the figures for the table."""
    return {
        "machine (clients and servers share it)": figures.machine,
        "date": figures.date,
        "state store": figures.redis_version,
        "boot of everything, to the first answer": f"{figures.boot:.2f} s",
        "`acmeproxy --help`": f"{figures.help:.2f} s",
        "certbot, from registration to certificate": f"{figures.certbot:.2f} s",
        "HTTP requests per certificate": f"{figures.requests:.1f}",
        "newOrder to chain, one client, median": _milliseconds(figures.alone.median),
        "newOrder to chain, one client, p95": _milliseconds(figures.alone.p95),
        f"certificates per second, {figures.clients} clients": f"{figures.together.per_second:.1f}",
        f"newOrder to chain, {figures.clients} clients, median": _milliseconds(
            figures.together.latency.median
        ),
        f"newOrder to chain, {figures.clients} clients, p95": _milliseconds(figures.together.latency.p95),
        f"newOrder to chain while {figures.stalls.targets} targets hang, median (before)": (
            f"{_milliseconds(figures.stalls.meanwhile.median)} "
            f"({_milliseconds(figures.stalls.before.median)})"
        ),
        "memory of acmeproxy after 1 certificate": _megabytes(figures.memory_at_start),
        f"memory of acmeproxy after {figures.certificates:,} certificates": _megabytes(figures.memory_at_end),
        "authenticated read: Redis round trips / commands": _cost(figures.read),
        "newOrder: Redis round trips / commands": _cost(figures.write),
    }


def main() -> None:
    """Measure, and print or write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.issuance", description=__doc__)
    parser.add_argument("--alone", type=int, default=30, help="certificates of one client (30)")
    parser.add_argument("--together", type=int, default=200, help="certificates of all clients (200)")
    parser.add_argument("--clients", type=int, default=16, help="clients at the same time (16)")
    parser.add_argument("--total", type=int, default=1000, help="certificates before memory is read (1000)")
    parser.add_argument("--json", action="store_true", help="print JSON: seconds, MB, counts")
    parser.add_argument("--write", type=Path, help="put the table between the markers of this page")
    asked = parser.parse_args()

    figures = asyncio.run(measure(Plan(asked.alone, asked.together, asked.clients, asked.total)))

    text = report.table(rows(figures))
    print(msgspec.json.encode(figures).decode() if asked.json else text)
    if asked.write:
        report.write(asked.write, text)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _megabytes(number: float) -> str:
    return "not measured" if math.isnan(number) else f"{number:.0f} MB"


def _cost(cost: Cost) -> str:
    return f"{cost.round_trips:.1f} / {cost.commands:.1f}"


async def _version(redis: Redis) -> str:
    server = await redis.info("server")
    name = server.get("server_name", "redis")
    return f"{name} {server.get(f'{name}_version', server['redis_version'])}"


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Redis]:
    redis = Redis.from_url(url, decode_responses=True)
    try:
        yield redis
    finally:
        await redis.aclose()


if __name__ == "__main__":
    main()
