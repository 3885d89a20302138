"""Certificates that were signed and not delivered, kept until Vault has revoked them (INV-5)."""

import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import Final

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Call, Connection
from acmeproxy.adapters.redis.documents import decode, encode
from acmeproxy.core.job import Job, JobKind
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Owner, StaleError, Undelivered

#: For how long it is remembered that one was revoked: no search in Vault's store takes as long (K24).
_REVOKED_FOR: Final = timedelta(days=1)


def subject_of(certificate: bytes) -> str:
    """Return the subject of a certificate's job (DER): its digest."""
    return hashlib.sha256(certificate).hexdigest()


class RedisSurplus:
    """Implements `Surplus`; a subject is the certificate's digest, so that adding twice is adding once."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def add(self, owner: Owner, certificate: bytes, mount: str = "") -> None:
        """Remember one (DER), with a job to revoke it; one that is remembered, or revoked, stays as it is."""
        subject = subject_of(certificate)
        key = keys.surplus(owner, subject)
        commit = Commit(keys.tag(owner)).require_absent(key).put(key, encode(Undelivered(certificate, mount)))
        with suppress(StaleError):
            await commit.enqueue(_job(owner, subject), self._clock()).run(self._connection)

    async def get(self, owner: Owner, subject: str) -> Undelivered | None:
        """Return one by its job's subject; older versions stored the bare DER."""
        found: bytes | None = (await self._connection.read(Call("GET", (keys.surplus(owner, subject),))))[0]
        if not found:
            return None
        return decode(found, Undelivered) if found.startswith(b"{") else Undelivered(found)

    async def remove(self, owner: Owner, subject: str) -> None:
        """Forget one that is revoked, but for the fact that it must not be delivered."""
        commit = Commit(keys.tag(owner)).put(keys.surplus(owner, subject), b"", _REVOKED_FOR)
        await commit.finished(_job(owner, subject)).run(self._connection)


def _job(owner: Owner, subject: str) -> Job:
    return Job(JobKind.REVOKE_SURPLUS, owner.tenant, owner.account, subject)
