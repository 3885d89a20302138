"""The single measurements. Each takes running parts and returns numbers; none prints."""

import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec
from aiohttp import ClientSession
from redis.asyncio import Redis

from benchmarks.observation import Traffic, traffic
from benchmarks.stack import ACMEPROXY
from tests.support.acme_client import AcmeClient
from tests.support.http01_responder import Http01Responder

_IDLE_SECONDS = 2


class Latency(msgspec.Struct, frozen=True):
    """How long something took, in seconds."""

    median: float
    p95: float


class Throughput(msgspec.Struct, frozen=True):
    """How many a second were finished, and how long each took meanwhile."""

    per_second: float
    latency: Latency


class Cost(msgspec.Struct, frozen=True):
    """What one request makes Redis do, what runs anyway taken off."""

    round_trips: float
    commands: float


def latency(samples: Sequence[float]) -> Latency:
    """Sum samples up; p95 is the smallest sample that 95 % do not exceed."""
    ordered = sorted(samples)
    return Latency(statistics.median(ordered), ordered[-(-len(ordered) * 95 // 100) - 1])


async def registered(http: ClientSession, directory: str) -> AcmeClient:
    """Register an account that waits between polls as long as it is told to."""
    client = AcmeClient(http, directory, pace=None)
    answer = await client.new_account()
    assert answer.status == 201, (answer.status, answer.body)  # noqa: PLR2004 - Created
    return client


async def one_by_one(
    client: AcmeClient, names: Iterator[str], responder: Http01Responder, count: int
) -> Latency:
    """Issue certificates one after another and measure each, from newOrder to the chain."""
    return latency([await _timed(client, next(names), responder) for _ in range(count)])


async def at_once(
    clients: Sequence[AcmeClient], names: Iterator[str], responder: Http01Responder, count: int
) -> Throughput:
    """Issue `count` certificates, each client one after another and all clients at the same time."""
    work = iter(range(count))
    samples: list[float] = []

    async def issue(client: AcmeClient) -> None:
        for _ in work:
            samples.append(await _timed(client, next(names), responder))  # noqa: PERF401 - `work` is shared

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(issue(client))
    return Throughput(count / (time.perf_counter() - started), latency(samples))


async def cost(redis: Redis, request: Callable[[], Awaitable[object]], count: int) -> Cost:
    """Measure what a request costs Redis, as the mean of `count` requests."""
    idle = await _observed(redis, lambda: asyncio.sleep(_IDLE_SECONDS))

    async def repeat() -> None:
        for _ in range(count):
            await request()

    started = time.perf_counter()
    busy = await _observed(redis, repeat)
    share = (time.perf_counter() - started) / _IDLE_SECONDS
    return Cost(
        round_trips=max(busy.reads - idle.reads * share, 0) / count,
        commands=max(busy.calls() - idle.calls() * share, 0) / count,
    )


def help_seconds(runs: int = 5) -> float:
    """Return the median wall time of `acmeproxy --help`."""
    return statistics.median(_wall_time([ACMEPROXY, "--help"]) for _ in range(runs))


def certbot_seconds(certbot: str, directory: str, name: str, http01_port: int) -> float:
    """Return the wall time of certbot from an empty directory: registration, order, certificate."""
    with tempfile.TemporaryDirectory() as home:
        places = [f"--{kind}-dir={home}/{kind}" for kind in ("config", "work", "logs")]
        account = ["--agree-tos", "--register-unsafely-without-email", "--server", directory]
        listener = ["--standalone", "--http-01-port", str(http01_port), "--http-01-address", "127.0.0.1"]
        quietly = ["--non-interactive", "--quiet"]
        return _wall_time([certbot, "certonly", "-d", name, *account, *listener, *quietly, *places])


async def _timed(client: AcmeClient, name: str, responder: Http01Responder) -> float:
    started = time.perf_counter()
    await client.obtain([name], responder)
    return time.perf_counter() - started


async def _observed(redis: Redis, work: Callable[[], Awaitable[object]]) -> Traffic:
    before = await traffic(redis)
    await work()
    return (await traffic(redis)).since(before)


def _wall_time(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 - programs of our own environment
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120
    )
    return time.perf_counter() - started
