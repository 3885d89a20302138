"""Authorizations by themselves: answered, looked at, settled."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Call, Connection
from acmeproxy.adapters.redis.documents import stored as stored_document
from acmeproxy.adapters.redis.limits import spending
from acmeproxy.adapters.redis.orders import KEEP_ISSUED
from acmeproxy.core.account import Account
from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.identifier import Identifier
from acmeproxy.core.ids import AuthorizationId
from acmeproxy.core.job import Job, JobKind
from acmeproxy.core.limit import Spend
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Owner, Stored


class RedisAuthorizations:
    """Implements `Authorizations`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def load(
        self, owner: Owner, authorization_id: AuthorizationId
    ) -> tuple[Stored[Account], Stored[Authorization]] | None:
        """Return an authorization for a worker, with its account."""
        account, document = await self._connection.read(
            Call("GET", (keys.account(owner),)), Call("GET", (keys.authorization(owner, authorization_id),))
        )
        if account is None or document is None:
            return None
        return stored_document(account, Account), stored_document(document, Authorization)

    async def answer(
        self,
        owner: Owner,
        stored: Stored[Authorization],
        authorization: Authorization,
        spends: Sequence[Spend] = (),
    ) -> None:
        """Write an answered challenge and the job to look at it."""
        commit = spending(self._replacing(owner, stored, authorization), owner, spends)
        await commit.enqueue(_job(owner, authorization), self._clock()).run(self._connection)

    async def retry(
        self, owner: Owner, stored: Stored[Authorization], authorization: Authorization, look_at: datetime
    ) -> None:
        """Write a failed attempt and when to look again."""
        commit = self._replacing(owner, stored, authorization)
        await commit.look_at(_job(owner, authorization), look_at).run(self._connection)

    async def conclude(
        self,
        owner: Owner,
        stored: Stored[Authorization],
        authorization: Authorization,
        spends: Sequence[Spend] = (),
    ) -> None:
        """Write a settled or deactivated authorization, and what it cost, and tell who waits."""
        now = self._clock()
        commit = self._replacing(owner, stored, authorization).finished(_job(owner, authorization))
        spending(commit, owner, spends)
        if authorization.status(now) is AuthorizationStatus.VALID:
            held = keys.valid(owner, authorization.identifier)
            commit.put(held, authorization.id.encode(), authorization.expires - now)
        await commit.tell(authorization.id, authorization).run(self._connection)

    async def valid(
        self, owner: Owner, identifiers: Sequence[Identifier]
    ) -> Mapping[Identifier, Stored[Authorization]]:
        """Return the valid authorizations that an account holds for some identifiers."""
        held = await self._connection.read(Call("MGET", tuple(keys.valid(owner, i) for i in identifiers)))
        known = [(i, found.decode()) for i, found in zip(identifiers, held[0], strict=True) if found]
        if not known:
            return {}
        names = tuple(keys.authorization(owner, authorization_id) for _, authorization_id in known)
        documents = (await self._connection.read(Call("MGET", names)))[0]
        now = self._clock()
        return {
            identifier: authorization
            for (identifier, _), document in zip(known, documents, strict=True)
            if document
            and (authorization := stored_document(document, Authorization)).value.status(now)
            is AuthorizationStatus.VALID
        }

    async def create(self, owner: Owner, authorization: Authorization, spends: Sequence[Spend] = ()) -> None:
        """Store an authorization that belongs to no order (RFC 8555 §7.4.1)."""
        keep = _keep(authorization, self._clock())
        key = keys.authorization(owner, authorization.id)
        commit = Commit(keys.tag(owner)).create(key, authorization, keep)
        await spending(commit, owner, spends).run(self._connection)

    async def drop(self, owner: Owner, authorization: Authorization) -> None:
        """Have workers look at it no more."""
        await Commit(keys.tag(owner)).finished(_job(owner, authorization)).run(self._connection)

    def _replacing(self, owner: Owner, stored: Stored[Authorization], authorization: Authorization) -> Commit:
        commit = Commit(keys.tag(owner))
        key = keys.authorization(owner, authorization.id)
        commit.replace(key, stored, authorization, _keep(authorization, self._clock()))
        return commit


def _keep(authorization: Authorization, now: datetime) -> timedelta:
    """Keep the proof as long as what it may lead to."""
    return authorization.expires - now + KEEP_ISSUED


def _job(owner: Owner, authorization: Authorization) -> Job:
    return Job(JobKind.VALIDATE, owner.tenant, owner.account, authorization.id)
