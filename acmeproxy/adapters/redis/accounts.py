"""Accounts, the keys that lead to them, EAB keys, and keys that were certified."""

from collections.abc import Sequence

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Call, Connection
from acmeproxy.adapters.redis.documents import decode
from acmeproxy.adapters.redis.documents import stored as stored_document
from acmeproxy.adapters.redis.holders import Holders, settled
from acmeproxy.core.account import Account
from acmeproxy.core.eab import EabKey
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.services.account_stores import KeyCertifiedError
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Owner, StaleError, Stored


class RedisAccounts:
    """Implements `Accounts`: an account's id begins with its key's shard, so one script holds both."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._holders = Holders(connection)
        self._clock = clock

    def new_id(self, thumbprint: str) -> AccountId:
        """Return an unguessable id in the shard of a key."""
        return keys.account_id(thumbprint)

    async def create(self, tenant: TenantName, account: Account) -> None:
        """Store a new account and the way from its key to it."""
        owner = Owner(tenant, account.id)
        holder = keys.key_holder(tenant, account.thumbprint)
        certified = keys.certified_key(tenant, account.thumbprint)
        commit = Commit(keys.tag(owner)).require_absent(holder).require_absent(certified)
        commit.create(keys.account(owner), account).put(holder, settled(account.id))
        try:
            await commit.run(self._connection)
        except StaleError:
            await self._refuse_certified(tenant, account.thumbprint)
            await self._tidy(tenant, account.thumbprint)
            raise

    async def rekey(self, tenant: TenantName, stored: Stored[Account], account: Account) -> None:
        """Give an account another key: claim it, write the account, settle the claim, free the old key."""
        owner, before = Owner(tenant, account.id), stored.value
        await self._refuse_certified(tenant, account.thumbprint)
        entry = await self._holders.claim(tenant, account.thumbprint, account.id, self._clock())
        commit = Commit(keys.tag(owner))
        written = commit.replace(keys.account(owner), stored, account)
        try:
            await commit.run(self._connection)
        except StaleError:
            # Another change of this account was first: the key that was claimed in vain is free again.
            await self._holders.release(tenant, account.thumbprint, entry)
            raise
        try:
            await self._holders.settle(tenant, account.thumbprint, entry, account.id)
        except StaleError:
            # We were so slow that somebody took the claim over: the key is theirs (KEY-09).
            back = Commit(keys.tag(owner))
            back.replace(keys.account(owner), written, before)
            await back.run(self._connection)
            raise
        await self._holders.release(tenant, before.thumbprint, settled(account.id))

    async def replace(self, tenant: TenantName, stored: Stored[Account], account: Account) -> None:
        """Write a new state of an account; the key stays."""
        owner = Owner(tenant, account.id)
        commit = Commit(keys.tag(owner))
        commit.replace(keys.account(owner), stored, account)
        await commit.run(self._connection)

    async def get(self, owner: Owner) -> Stored[Account] | None:
        """Return an account by its id."""
        document = (await self._connection.read(Call("GET", (keys.account(owner),))))[0]
        return stored_document(document, Account) if document else None

    async def find(self, tenant: TenantName, thumbprint: str) -> Stored[Account] | None:
        """Return the account that a key names."""
        holder = await self._holders.read(tenant, thumbprint)
        return await self._holders.account(tenant, thumbprint, holder.octets) if holder else None

    async def _refuse_certified(self, tenant: TenantName, thumbprint: str) -> None:
        certified = keys.certified_key(tenant, thumbprint)
        if (await self._connection.read(Call("EXISTS", (certified,))))[0]:
            raise KeyCertifiedError

    async def _tidy(self, tenant: TenantName, thumbprint: str) -> None:
        """Take a leftover of a killed key change away, so that the next try finds the key free."""
        holder = await self._holders.read(tenant, thumbprint)
        if holder is None or not holder.left_over(self._clock()):
            return
        if await self._holders.account(tenant, thumbprint, holder.octets) is None:
            await self._holders.release(tenant, thumbprint, holder.octets)


class RedisEabKeys:
    """Implements `EabKeys`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, tenant: TenantName, kid: str) -> Stored[EabKey] | None:
        """Return a key of this tenant."""
        document = (await self._connection.read(Call("GET", (keys.eab(tenant, kid),))))[0]
        return stored_document(document, EabKey) if document else None

    async def list(self, tenant: TenantName) -> Sequence[EabKey]:
        """Return all keys of a tenant, oldest first."""
        kids = (await self._connection.read(Call("ZRANGE", (keys.eab_keys(tenant), 0, -1))))[0]
        if not kids:
            return ()
        names = tuple(keys.eab(tenant, kid.decode()) for kid in kids)
        documents = (await self._connection.read(Call("MGET", names)))[0]
        return tuple(decode(document, EabKey) for document in documents if document)

    async def add(self, tenant: TenantName, key: EabKey) -> None:
        """Keep a new key."""
        commit = Commit(keys.eab_tag(tenant)).create(keys.eab(tenant, key.kid), key)
        commit.rank(keys.eab_keys(tenant), key.created_at.timestamp(), key.kid)
        await commit.run(self._connection)

    async def replace(self, tenant: TenantName, stored: Stored[EabKey], key: EabKey) -> None:
        """Write a key's new state."""
        commit = Commit(keys.eab_tag(tenant))
        commit.replace(keys.eab(tenant, key.kid), stored, key)
        await commit.run(self._connection)


class RedisCertifiedKeys:
    """Implements `CertifiedKeys` and `BlockedKeys`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, tenant: TenantName, thumbprint: str) -> None:
        """Remember a key."""
        await self._connection.write(Call("SET", (keys.certified_key(tenant, thumbprint), "1")))

    async def block(self, tenant: TenantName, thumbprint: str) -> None:
        """Mark a key as compromised, for good."""
        await self._connection.write(Call("SET", (keys.blocked_key(tenant, thumbprint), "1")))
