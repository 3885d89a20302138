"""Jobs in streams, one stream a shard, read by a consumer group and reclaimed from the silent (design §5)."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import msgspec

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import LEASE
from acmeproxy.adapters.redis.connection import Call, Connection, script
from acmeproxy.core.ids import TenantName, random_id
from acmeproxy.core.job import Job
from acmeproxy.services.ports import Clock
from acmeproxy.services.queue import Delivery
from acmeproxy.services.stores import StateAwayError

_GROUP: Final = "workers"
_EACH: Final = 4
_BLOCK: Final = timedelta(seconds=1)
_SILENT: Final = timedelta(seconds=8)
_SWEEP_LIMIT: Final = 100
#: A worker that lives asks every second; one that has not for a day, and holds nothing, is gone for good.
_FORGOTTEN: Final = timedelta(days=1)

_Entries = Iterable[tuple[bytes, list[bytes]]]


class RedisQueue:
    """Implements `Queue` for some tenants, under a consumer name of this process.

    On a cluster the streams of several slots cannot be read in one call: read them a slot at a time there.
    """

    def __init__(self, connection: Connection, tenants: Sequence[TenantName], clock: Clock) -> None:
        self._connection = connection
        self._tags = [keys.shard_tag(tenant, f"{n:x}") for tenant in tenants for n in range(keys.SHARDS)]
        self._streams = [keys.jobs(tag) for tag in self._tags]
        self._clock = clock
        self._consumer = random_id()
        self._grouped = False

    async def take(self) -> Sequence[Delivery]:
        """Wait about a second for new jobs, a few of every stream at a time."""
        if not self._grouped:
            await self._make_groups()
        try:
            answer = await self._connection.blocking(
                "XREADGROUP", "GROUP", _GROUP, self._consumer, "COUNT", _EACH,
                "BLOCK", int(_BLOCK.total_seconds() * 1000),
                "STREAMS", *self._streams, *(">" for _ in self._streams),
            )  # fmt: skip
        except StateAwayError:
            # The groups may be gone with the data; making them again does no harm.
            self._grouped = False
            raise
        return [
            delivery for stream, entries in answer or () for delivery in _deliveries(stream.decode(), entries)
        ]

    async def reclaim(self) -> Sequence[Delivery]:
        """Take over what another worker took and has not kept for eight seconds."""
        if not self._grouped:
            await self._make_groups()
        silent = int(_SILENT.total_seconds() * 1000)
        answers = await self._connection.read(
            *(
                Call("XAUTOCLAIM", (stream, _GROUP, self._consumer, silent, "0", "COUNT", _EACH))
                for stream in self._streams
            )
        )
        return [
            delivery
            for stream, answer in zip(self._streams, answers, strict=True)
            for delivery in _deliveries(stream, answer[1])
        ]

    async def keep(self, deliveries: Sequence[Delivery]) -> None:
        """Say that these are still being worked on, without counting it as a delivery."""
        calls = [Call("XCLAIM", (d.stream, _GROUP, self._consumer, 0, d.entry, "JUSTID")) for d in deliveries]
        if calls:
            await self._connection.read(*calls)

    async def finish(self, delivery: Delivery) -> None:
        """Take a job off the queue."""
        await self._connection.read(
            Call("XACK", (delivery.stream, _GROUP, delivery.entry)),
            Call("XDEL", (delivery.stream, delivery.entry)),
        )

    async def sweep(self) -> int:
        """Enqueue all that is due."""
        now, lease = self._clock().timestamp(), LEASE.total_seconds()
        counts = await self._connection.read(
            *(
                script("sweep", (keys.due(tag), keys.jobs(tag)), now, lease, _SWEEP_LIMIT)
                for tag in self._tags
            )
        )
        return sum(counts)

    async def _make_groups(self) -> None:
        for stream in self._streams:
            await self._connection.ensure_group(stream, _GROUP)
        await self._forget_the_dead()
        self._grouped = True

    async def _forget_the_dead(self) -> None:
        """Take the names of former workers away, of which every start leaves one (RED-11)."""
        answers = await self._connection.read(
            *(Call("XINFO", ("CONSUMERS", stream, _GROUP)) for stream in self._streams)
        )
        longest = _FORGOTTEN.total_seconds() * 1000
        for stream, consumers in zip(self._streams, answers, strict=True):
            for words in consumers:
                consumer = dict(zip(words[::2], words[1::2], strict=True))
                if consumer[b"pending"] == 0 and consumer[b"idle"] > longest:
                    call = Call("XGROUP", ("DELCONSUMER", stream, _GROUP, consumer[b"name"]))
                    await self._connection.read(call)


def _deliveries(stream: str, entries: _Entries) -> Iterable[Delivery]:
    for entry, fields in entries:
        # A deleted entry has no fields; one that is not ours must not stop the others.
        with suppress(KeyError, TypeError, ValueError):
            octets = dict(zip(fields[::2], fields[1::2], strict=True))[b"job"]
            yield Delivery(msgspec.json.decode(octets, type=Job), stream, entry.decode())
