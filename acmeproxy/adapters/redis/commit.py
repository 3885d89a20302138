"""One transition: what must be so, what shall be so, whom to tell. Sent as one script call."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.connection import Call, Connection, script
from acmeproxy.adapters.redis.documents import D, encode, revision
from acmeproxy.core.job import Job
from acmeproxy.core.limit import LimitReachedError, Spend, Use
from acmeproxy.services.stores import StaleError, Stored

#: For how long a job is left to the worker that took it, before the sweeper enqueues it again.
LEASE: Final = timedelta(seconds=30)

_ABSENT: Final = ""
_DONE_NOW: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Commit:
    """Collects one transition; every key in it must lie in one slot."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._keys: list[str] = []
        self._values: list[bytes] = []
        self._spends: list[Spend] = []
        self._plan: dict[str, list[tuple[object, ...]]] = {
            part: [] for part in ("expect", "spend", "write", "delete", "rank", "unrank", "enqueue", "tell")
        }

    def create(self, key: str, document: D, keep: timedelta | None = None) -> "Commit":
        """Write a document that must not be there yet."""
        self._plan["expect"].append((self._position(key), _ABSENT))
        return self._write(key, encode(document), keep)

    def replace(self, key: str, before: Stored[D], document: D, keep: timedelta | None = None) -> Stored[D]:
        """Write a document over the revision that was read; returns it as it will be stored."""
        octets = encode(document)
        self.require(key, before)
        self._write(key, octets, keep)
        return Stored(document, revision(octets))

    def require(self, key: str, stored: Stored[D]) -> "Commit":
        """Hold only while a document is as it was read."""
        self._plan["expect"].append((self._position(key), stored.revision))
        return self

    def require_revision(self, key: str, revision_: str) -> "Commit":
        """Hold only while a key has the octets of a revision."""
        self._plan["expect"].append((self._position(key), revision_))
        return self

    def require_absent(self, key: str) -> "Commit":
        """Hold only while a key is not there."""
        self._plan["expect"].append((self._position(key), _ABSENT))
        return self

    def put(self, key: str, octets: bytes, keep: timedelta | None = None) -> "Commit":
        """Write octets whatever is there."""
        return self._write(key, octets, keep)

    def delete(self, key: str) -> "Commit":
        """Take a key away."""
        self._plan["delete"].append((self._position(key),))
        return self

    def spend(self, key: str, spend: Spend) -> "Commit":
        """Do with a budget what is to be done, and hold only if it allows that."""
        if spend.use is Use.CLEAR:
            return self.delete(key)
        now = (spend.at - _EPOCH) // timedelta(microseconds=1)
        limit = spend.limit
        self._spends.append(spend)
        self._plan["spend"].append(
            (self._position(key), limit.interval, limit.tolerance, now, spend.use.value)
        )
        return self

    def rank(self, key: str, score: float, member: str) -> "Commit":
        """Put a member into a sorted set."""
        self._plan["rank"].append((self._position(key), score, self._value(member.encode())))
        return self

    def enqueue(self, job: Job, now: datetime) -> "Commit":
        """Have a job done now, and looked at again if nobody finishes it."""
        self._plan["enqueue"].append((self._position(keys.jobs(self._tag)), self._value(encode(job))))
        return self.look_at(job, now + LEASE)

    def look_at(self, job: Job, when: datetime) -> "Commit":
        """Have a job done at some time."""
        due = self._position(keys.due(self._tag))
        self._plan["rank"].append((due, when.timestamp(), self._value(encode(job))))
        return self

    def finished(self, job: Job) -> "Commit":
        """Have a job not done again."""
        self._plan["unrank"].append((self._position(keys.due(self._tag)), self._value(encode(job))))
        return self

    def tell(self, subject: str, document: D) -> "Commit":
        """Notify who waits for a subject, with the document as it became."""
        self._plan["tell"].append((keys.OUTCOMES, self._value(subject.encode() + b" " + encode(document))))
        return self

    def call(self) -> Call:
        """Return the script call."""
        # Lua reads no binary strings in MessagePack: what is written goes beside the plan.
        return script("commit", self._keys, msgspec.msgpack.encode(self._plan), *self._values)

    async def run(self, connection: Connection) -> None:
        """Do it, durably.

        Raises:
            StaleError: An expectation does not hold; nothing was changed.
            LimitReachedError: A budget does not allow it; nothing was changed.
            StateAwayError: It is not known whether it was done; doing it again is safe.
        """
        self.judge((await connection.write(self.call()))[0])

    async def run_once(self, connection: Connection) -> None:
        """Do it, unless the very same was done before: then somebody else did it, to the microsecond (K10).

        Raises:
            StaleError: As `run`, and when it was done.
            StateAwayError: It is not known whether it was done, and asking again will not tell.
        """
        answer = (await connection.write(self.call()))[0]
        self.judge(answer)
        if answer != _DONE_NOW:
            raise StaleError

    def judge(self, answer: int | list[int]) -> None:
        """Take the script's answer apart; raises as `run` does."""
        if isinstance(answer, list):
            refused, wait = answer
            raise LimitReachedError(self._spends[refused - 1], timedelta(microseconds=wait))
        if answer == 0:
            raise StaleError

    def _write(self, key: str, octets: bytes, keep: timedelta | None) -> "Commit":
        seconds = int(keep.total_seconds()) if keep else 0
        self._plan["write"].append((self._position(key), self._value(octets), seconds))
        return self

    def _value(self, octets: bytes) -> int:
        self._values.append(octets)
        return len(self._values) + 1

    def _position(self, key: str) -> int:
        if key not in self._keys:
            self._keys.append(key)
        return self._keys.index(key) + 1
