"""Issued certificates by the name that they have in the world, and what operators want of them."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Call, Connection, script
from acmeproxy.adapters.redis.documents import decode, encode, stored
from acmeproxy.adapters.redis.orders import KEEP_ISSUED
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import CertificateId, OrderId, TenantName
from acmeproxy.core.job import Job, JobKind
from acmeproxy.core.renewal import Campaign, CertId
from acmeproxy.services.ledger import Delivered
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Owner, Stored

_MOST_CAMPAIGNS: Final = 100
_BEGUN: Final = "revoking"
_CURSOR: Final = re.compile(r"([0-9]):([0-9]{1,9})")


class _Pointer(msgspec.Struct, frozen=True):
    """Leads to the order, not to the certificate: two workers may each be about to deliver the same one."""

    owner: Owner
    order_id: OrderId


class RedisLedger:
    """Implements `Ledger`: a pointer in a slot of its own for each certificate, and a list in every shard."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def record(self, tenant: TenantName, name: CertId, owner: Owner, order_id: OrderId) -> None:
        """Note for which order a certificate was signed."""
        seconds = int(KEEP_ISSUED.total_seconds())
        pointer = encode(_Pointer(owner, order_id))
        await self._connection.write(Call("SET", (keys.ledger(tenant, name.digest), pointer, "EX", seconds)))

    async def find(self, tenant: TenantName, name: CertId) -> Delivered | None:
        """Return the certificate of a tenant that has a name."""
        document = (await self._connection.read(Call("GET", (keys.ledger(tenant, name.digest),))))[0]
        if document is None:
            return None
        pointer = decode(document, _Pointer)
        owner = pointer.owner
        read = script("load_delivered", (keys.order(owner, pointer.order_id),), keys.certificate(owner, ""))
        found = (await self._connection.read(read))[0]
        return Delivered(owner, stored(found, Certificate)) if found else None

    async def load(self, owner: Owner, certificate_id: CertificateId) -> Stored[Certificate] | None:
        """Return a certificate for a worker."""
        document = (await self._connection.read(Call("GET", (keys.certificate(owner, certificate_id),))))[0]
        return stored(document, Certificate) if document else None

    async def begin(self, owner: Owner, stored: Stored[Certificate], certificate: Certificate) -> None:
        """Write the intent to revoke and the job for it, and tell those who might say that it is good.

        Not under the certificate's own id: who waits there waits for the end.
        """
        commit = _replacing(owner, stored, certificate).tell(_BEGUN, certificate)
        await commit.enqueue(_job(owner, certificate.id), self._clock()).run(self._connection)

    async def look_again(self, owner: Owner, certificate: Certificate, when: datetime) -> None:
        """Have a worker try to revoke it again at some time."""
        await Commit(keys.tag(owner)).look_at(_job(owner, certificate.id), when).run(self._connection)

    async def conclude(self, owner: Owner, stored: Stored[Certificate], certificate: Certificate) -> None:
        """Write that it is revoked, and tell who waits."""
        commit = _replacing(owner, stored, certificate).finished(_job(owner, certificate.id))
        await commit.tell(certificate.id, certificate).run(self._connection)

    async def drop(self, owner: Owner, certificate_id: CertificateId) -> None:
        """Have workers look at it no more."""
        await Commit(keys.tag(owner)).finished(_job(owner, certificate_id)).run(self._connection)

    async def page(
        self, tenant: TenantName, after: str, limit: int
    ) -> tuple[Sequence[Stored[Certificate]], str]:
        """Return certificates shard by shard, in each those that expire first."""
        cursor = _CURSOR.fullmatch(after or "0:0")
        if cursor is None:
            raise ValueError("the cursor is none of ours")
        shard, start = (int(part) for part in cursor.groups())
        listed = keys.certificates(keys.shard_tag(tenant, f"{shard:x}"))
        gone = (self._clock() - KEEP_ISSUED).timestamp()
        _, members = await self._connection.read(
            Call("ZREMRANGEBYSCORE", (listed, "-inf", gone)),
            Call("ZRANGE", (listed, start, start + limit - 1)),
        )
        names = [_document(tenant, member.decode()) for member in members]
        documents = (await self._connection.read(Call("MGET", tuple(names))))[0] if names else []
        found = [stored(document, Certificate) for document in documents if document]
        if len(members) == limit:
            return found, f"{shard}:{start + limit}"
        return found, f"{shard + 1}:0" if shard + 1 < keys.SHARDS else ""


class RedisCampaigns:
    """Implements `Campaigns`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, tenant: TenantName, campaign: Campaign) -> None:
        """Keep a wish; of more than a hundred the oldest are forgotten."""
        key = keys.campaigns(tenant)
        await self._connection.write(
            Call("RPUSH", (key, encode(campaign))), Call("LTRIM", (key, -_MOST_CAMPAIGNS, -1))
        )

    async def list(self, tenant: TenantName) -> Sequence[Campaign]:
        """Return all wishes of a tenant."""
        documents = (await self._connection.read(Call("LRANGE", (keys.campaigns(tenant), 0, -1))))[0]
        return tuple(decode(document, Campaign) for document in documents)


def _replacing(owner: Owner, stored: Stored[Certificate], certificate: Certificate) -> Commit:
    commit = Commit(keys.tag(owner))
    commit.replace(keys.certificate(owner, certificate.id), stored, certificate, KEEP_ISSUED)
    return commit


def _document(tenant: TenantName, member: str) -> str:
    owner, certificate_id = keys.parse_listed(tenant, member)
    return keys.certificate(owner, certificate_id)


def _job(owner: Owner, certificate_id: CertificateId) -> Job:
    return Job(JobKind.REVOKE, owner.tenant, owner.account, certificate_id)
