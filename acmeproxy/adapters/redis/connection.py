"""The connection: deadlines, scripts, durability, and one meaning for every failure (RED-07, RED-08)."""

import asyncio
import enum
import functools
import importlib.resources
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, Final

import msgspec
import redis.asyncio
from redis.asyncio.client import PubSub
from redis.exceptions import NoScriptError, RedisError, ResponseError

from acmeproxy.adapters.redis import keys
from acmeproxy.services.stores import StateAwayError

_PACKAGE: Final = "acmeproxy.adapters.redis.scripts"
_SCRIPTS: Final = ("commit", "redeem", "load_order", "load_delivered", "sweep")
_CONNECTIONS: Final = 100
_PROBE_PATIENCE: Final = timedelta(milliseconds=500)
_FSYNC_PATIENCE: Final = timedelta(milliseconds=1500)


class Durability(enum.StrEnum):
    """When a write counts: `auto` asks for an fsync wherever the server keeps an append-only file (INV-6)."""

    AUTO = "auto"
    FSYNC = "fsync"
    NONE = "none"


class Call(msgspec.Struct, frozen=True):
    """One command of a pipeline; `script` calls name their script instead of a command."""

    command: str
    arguments: tuple[Any, ...]
    script: bool = False


def script(name: str, keys: Sequence[str], *arguments: str | bytes | float) -> Call:
    """Call one of our scripts."""
    return Call(name, (len(keys), *keys, *arguments), script=True)


class Connection:
    """A pool of connections to one Redis or Valkey; bytes in, bytes out."""

    def __init__(self, client: redis.asyncio.Redis, durability: Durability, patience: timedelta) -> None:
        self._client = client
        self._patience = patience.total_seconds()
        self._deadline = (patience + _FSYNC_PATIENCE).total_seconds()
        self._fsync = {Durability.FSYNC: True, Durability.NONE: False}.get(durability)
        self._digests: dict[str, str] = {}
        self._loading = asyncio.Lock()

    async def read(self, *calls: Call) -> list[Any]:
        """Run calls in one round trip.

        Raises:
            StateAwayError: No answer, or an error instead of one.
        """
        return await self._run(calls, barrier=False)

    async def write(self, *calls: Call) -> list[Any]:
        """Run calls in one round trip and wait until their effect would survive a power loss (INV-6).

        Raises:
            StateAwayError: No answer, or the server could not make it durable in time.
        """
        if self._fsync is None:
            self._fsync = await self._keeps_a_file()
        answers = await self._run(calls, barrier=self._fsync)
        if self._fsync and answers.pop()[0] < 1:
            raise StateAwayError("the state store did not make the write durable in time")
        return answers

    async def state(self) -> str:
        """Say `ok` if the server takes writes now, or what is wrong."""
        try:
            async with asyncio.timeout(_PROBE_PATIENCE.total_seconds()):
                await self.read(Call("SET", (keys.PROBE, "1", "EX", 60)))
        except (StateAwayError, TimeoutError) as error:
            return str(error) or "no answer in time"
        return "ok"

    @asynccontextmanager
    async def subscribed(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Subscribe on a connection of its own and yield the messages as they come.

        What is published after this was entered is among them, or there is an error.

        Raises:
            StateAwayError: The connection failed, also while messages are read, or nothing came back on it
                within the patience: it may be dead without an end.
        """
        with _translated():
            async with self._client.pubsub() as subscription:
                async with asyncio.timeout(self._deadline):
                    await subscription.subscribe(channel)
                    confirmation = None
                    while confirmation is None or confirmation["type"] != "subscribe":
                        confirmation = await subscription.get_message(timeout=None)
                yield _messages(subscription, self._patience)

    async def blocking(self, command: str, *arguments: str | int) -> Any:  # noqa: ANN401 - as redis answers
        """Run a command that waits at the server; its own BLOCK must end before our deadline.

        Raises:
            StateAwayError: No answer.
        """
        async with self._asking():
            return await self._client.execute_command(command, *arguments)  # type: ignore[no-untyped-call]

    async def ensure_group(self, stream: str, group: str) -> None:
        """Make a consumer group that begins at the stream's start, unless it is there (RED-11).

        Raises:
            StateAwayError: No answer.
        """
        async with self._asking():
            try:
                create = ("XGROUP CREATE", stream, group, "0", "MKSTREAM")
                await self._client.execute_command(*create)  # type: ignore[no-untyped-call]
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    async def _run(self, calls: Sequence[Call], *, barrier: bool) -> list[Any]:
        async with self._asking():
            known = self._digests
            if not known and any(call.script for call in calls):
                await self._load_scripts(known)
                known = self._digests
            try:
                return await self._pipeline(calls, barrier=barrier)
            except NoScriptError:
                # A restarted server or a flush forgets scripts, and then it forgot all of ours.
                await self._load_scripts(known)
                return await self._pipeline(calls, barrier=barrier)

    async def _pipeline(self, calls: Sequence[Call], *, barrier: bool) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for call in calls:
                if call.script:
                    pipeline.execute_command("EVALSHA", self._digests[call.command], *call.arguments)
                else:
                    pipeline.execute_command(call.command, *call.arguments)
            if barrier:
                pipeline.execute_command("WAITAOF", 1, 0, int(_FSYNC_PATIENCE.total_seconds() * 1000))
            answers: list[Any] = await pipeline.execute()
            return answers

    async def _keeps_a_file(self) -> bool:
        """Ask whether the server has an append-only file and can wait for it (Redis 7.2, any Valkey)."""
        async with self._asking():
            persistence: bytes = await self._client.execute_command("INFO", "persistence")  # type: ignore[no-untyped-call]
            if b"aof_enabled:1" not in persistence:
                return False
            try:
                await self._client.execute_command("WAITAOF", 0, 0, 1)  # type: ignore[no-untyped-call]
            except ResponseError:
                return False
            return True

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Give an answer its time, and every failure its one meaning.

        Not redis-py's own deadline for a socket: until Python 3.12 its `wait_for` may take a cancellation for
        done, and what was to end would go on for ever.
        """
        with _translated():
            async with asyncio.timeout(self._deadline):
                yield

    async def _load_scripts(self, known: dict[str, str]) -> None:
        """Load what was not there, unless somebody has since it was `known`: a crowd loads it once."""
        async with self._loading:
            if self._digests is not known:
                return
            async with self._client.pipeline(transaction=False) as pipeline:
                for name in _SCRIPTS:
                    pipeline.execute_command("SCRIPT LOAD", _text(name))
                digests: list[bytes] = await pipeline.execute()
            self._digests = {name: digest.decode() for name, digest in zip(_SCRIPTS, digests, strict=True)}


@functools.cache
def _text(script: str) -> str:
    return importlib.resources.files(_PACKAGE).joinpath(f"{script}.lua").read_text()


async def _messages(subscription: PubSub, patience: float) -> AsyncIterator[bytes]:
    """Yield messages, and ask now and then whether any would come: a dead connection is as silent."""
    clock = asyncio.get_running_loop().time
    heard = asked = clock()
    beat = patience / 3
    while True:
        if clock() >= asked + beat:
            asked = clock()
            await subscription.ping("still there?")
        # A deadline inside the socket's own, so that silence is not taken for a failure at once.
        message = await subscription.get_message(timeout=beat)
        if message is not None:
            heard = clock()
            if message["type"] == "message":
                yield message["data"]
        elif clock() >= heard + patience:
            raise TimeoutError("nothing comes back on the subscription")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        reason = str(error)[:200] or "no answer in time"
        raise StateAwayError(f"the state store failed: {type(error).__name__}: {reason}") from error


@asynccontextmanager
async def connect(
    url: str, password: str | None, patience: timedelta, durability: Durability
) -> AsyncIterator[Connection]:
    """Open a pool; nothing is sent before the first use, so that a server may come up later than we do."""
    # The default pool refuses the one that comes when all are in use; here it waits for its turn.
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url,
        password=password,
        max_connections=_CONNECTIONS,
        timeout=patience.total_seconds(),
        socket_timeout=None,
        socket_connect_timeout=patience.total_seconds(),
        health_check_interval=15,
        protocol=2,
    )
    client = redis.asyncio.Redis.from_pool(pool)
    # Replies as they come: a parser of redis-py that stumbles over one reply of a pipeline leaves the others
    # unread, and the next user of that connection would be answered with them.
    client.response_callbacks.clear()
    try:
        yield Connection(client, durability, patience)
    finally:
        await client.aclose()
