"""Certificates that were signed and not delivered, kept until Vault has revoked them (INV-5)."""

import hashlib

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Call, Connection
from acmeproxy.core.job import Job, JobKind
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Owner


class RedisSurplus:
    """Implements `Surplus`; a subject is the certificate's digest, so that adding twice is adding once."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def add(self, owner: Owner, certificate: bytes) -> None:
        """Remember one (DER), with a job to revoke it."""
        subject = hashlib.sha256(certificate).hexdigest()
        commit = Commit(keys.tag(owner)).put(keys.surplus(owner, subject), certificate)
        await commit.enqueue(_job(owner, subject), self._clock()).run(self._connection)

    async def get(self, owner: Owner, subject: str) -> bytes | None:
        """Return one by its job's subject."""
        found: bytes | None = (await self._connection.read(Call("GET", (keys.surplus(owner, subject),))))[0]
        return found

    async def remove(self, owner: Owner, subject: str) -> None:
        """Forget one that is revoked."""
        commit = Commit(keys.tag(owner)).delete(keys.surplus(owner, subject))
        await commit.finished(_job(owner, subject)).run(self._connection)


def _job(owner: Owner, subject: str) -> Job:
    return Job(JobKind.REVOKE_SURPLUS, owner.tenant, owner.account, subject)
