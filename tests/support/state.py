"""What stands in the state store, for tests that prove that a refusal changed nothing."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

#: Used nonces, a probe's key, what workers read in Vault, and budgets, which vanish by themselves.
_FLEETING = re.compile(rb"\{acmeproxy/(?:nonce|probe)\}|\{[^}]*/roles\}:|\{[^}]*/limits\}:|\{[^}]*\}:limit:")
#: What processes write whether anybody asks them for something or not.
_OURS = re.compile(rb"\{acmeproxy/probe\}|\{[^}]*/roles\}:")
_ORDER = re.compile(rb"\{[^}]*\}:order:[^:]*:[^:]*$")
_ATTEMPT = ("attempts", "attempted_at", "first_attempt_at", "mount", "store", "retry_at")
#: All keys and what they hold, in one step. Of a stream the entries only: its groups keep books all the time.
_LOOK = """
local found, cursor = {}, '0'
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local kind = redis.call('TYPE', key).ok
    if kind == 'string' then found[#found + 1] = {key, redis.call('GET', key)}
    elseif kind == 'zset' then found[#found + 1] = {key, redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')}
    elseif kind == 'hash' then found[#found + 1] = {key, redis.call('HGETALL', key)}
    elseif kind == 'set' then found[#found + 1] = {key, redis.call('SMEMBERS', key)}
    elseif kind == 'stream' then found[#found + 1] = {key, redis.call('XRANGE', key, '-', '+')}
    else error('a key of type ' .. kind) end
  end
until cursor == '0'
return found
"""


def _unattempted(key: bytes, held: object) -> object:
    """Leave out what a worker writes at each attempt for orders that wait, of this test or of another."""
    if _ORDER.match(key) and isinstance(held, bytes):
        order: dict[str, Any] = json.loads(held)
        intent = order.get("progress", {}).get("intent", {})
        for member in _ATTEMPT:
            intent.pop(member, None)
        return order
    if key.endswith(b":due") and isinstance(held, list):
        jobs = zip(held[::2], held[1::2], strict=True)
        return [(job, None if b'"kind":"issue"' in job else due) for job, due in sorted(jobs)]
    return held


class State:
    """Looks into a Valkey, and turns its clock by writing other times into documents."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def everything(self) -> dict[bytes, object]:
        """Return every key and what it holds, but for what comes and goes with every request."""
        found = dict(await self._redis.eval(_LOOK, 0))
        return {key: _unattempted(key, found[key]) for key in sorted(found) if not _FLEETING.match(key)}

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """Make sure that what is asked for meanwhile changes nothing."""
        before = await self.everything()
        yield
        after = await self.everything()
        changed = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
        assert changed == []

    async def names(self) -> set[bytes]:
        """Return the names of all keys that requests make, nonces and all; some vanish in their time."""
        return {key async for key in self._redis.scan_iter(count=1000) if not _OURS.match(key)}

    async def document(self, kind: str, id_: str) -> dict[str, Any]:
        """Return one document by its kind and the last part of its key."""
        found: dict[str, Any] = json.loads(await self._octets(await self._key(kind, id_)))
        return found

    async def change(self, kind: str, id_: str, **members: object) -> None:
        """Write other members into one document."""
        key = await self._key(kind, id_)
        document = json.loads(await self._octets(key)) | members
        await self._redis.set(key, json.dumps(document, separators=(",", ":")), keepttl=True)

    async def overwrite(self, kind: str, id_: str, octets: bytes) -> bytes:
        """Write something else in the place of one document and return what was there."""
        key = await self._key(kind, id_)
        before = await self._octets(key)
        await self._redis.set(key, octets, keepttl=True)
        return before

    async def put(self, key: str, octets: bytes, seconds: int) -> None:
        """Write octets under a whole key, to live so long."""
        await self._redis.set(key, octets, ex=seconds)

    async def is_due(self, subject: str) -> bool:
        """Tell whether a worker will look at an authorization or an order again."""
        async for key in self._redis.scan_iter("*:due", count=1000):
            if any(subject.encode() in member for member in await self._redis.zrange(key, 0, -1)):
                return True
        return False

    async def secret_of_nonces(self) -> str:
        """Return the secret under which nonces are made at present."""
        secret: Any = await self._redis.hget("{acmeproxy/nonce}:epoch", "secret")
        return str(secret, "ascii")

    async def forget_nonces(self) -> None:
        """Lose every mark of a used nonce, and with it what tells one epoch from the next."""
        async for key in self._redis.scan_iter("{acmeproxy/nonce}:*", count=1000):
            await self._redis.delete(key)

    async def _octets(self, key: bytes) -> bytes:
        document: Any = await self._redis.get(key)
        return bytes(document)

    async def _key(self, kind: str, id_: str) -> bytes:
        matching = self._redis.scan_iter(f"*{kind}:*{id_}", count=1000)
        found = [key async for key in matching if not _FLEETING.match(key)]
        assert len(found) == 1, f"{len(found)} documents of kind {kind} end in {id_}"
        key: bytes = found[0]
        return key


def last_part(url: str) -> str:
    """Return the id at the end of a resource's URL."""
    return url.rpartition("/")[2]


def documents(everything: Mapping[bytes, object], kind: str) -> list[bytes]:
    """Return the keys of one kind."""
    return [key for key in everything if f":{kind}:".encode() in key]
