"""Whether targets that never answer hold up those that do."""

import asyncio
from collections.abc import Iterator

import msgspec
from aiohttp import ClientSession, web

from benchmarks import measurements
from benchmarks.measurements import Latency
from tests.support.acme_client import AcmeClient
from tests.support.http01_responder import Http01Responder

_STALLED = "stalled-"


class Stalls(msgspec.Struct, frozen=True):
    """Issuance by one client, alone and while so many validations hang: seconds."""

    targets: int
    before: Latency
    meanwhile: Latency


class StallingResponder(Http01Responder):
    """Answers as its parent does, but hosts whose names begin with `stalled-` get no answer at all."""

    async def _serve(self, request: web.Request) -> web.Response:
        if request.host.startswith(_STALLED):
            await asyncio.sleep(60)
        return await super()._serve(request)


async def measure(  # noqa: PLR0913, PLR0917 - what is measured, with what, and how much of it
    http: ClientSession,
    directory: str,
    names: Iterator[str],
    responder: StallingResponder,
    targets: int,
    count: int,
) -> Stalls:
    """Measure issuance before and while `targets` validations hang."""
    client = await measurements.registered(http, directory)
    before = await measurements.one_by_one(client, names, responder, count)
    victim = await measurements.registered(http, directory)
    zone = next(names).partition(".")[2]
    async with asyncio.TaskGroup() as group:
        for number in range(targets):
            group.create_task(_stall(victim, f"{_STALLED}{number}.{zone}"))
    meanwhile = await measurements.one_by_one(client, names, responder, count)
    return Stalls(targets, before, meanwhile)


async def _stall(client: AcmeClient, name: str) -> None:
    order = (await client.new_order([name])).json()
    authorization = (await client.get(order["authorizations"][0])).json()
    [challenge] = [c for c in authorization["challenges"] if c["type"] == "http-01"]
    await client.answer(challenge["url"])
