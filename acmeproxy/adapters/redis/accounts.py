"""Accounts, the keys that lead to them, EAB keys, and keys that were certified."""

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Call, Connection
from acmeproxy.adapters.redis.documents import decode, encode
from acmeproxy.adapters.redis.documents import stored as stored_document
from acmeproxy.core.account import Account
from acmeproxy.core.eab import EabKey
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.services.stores import KeyCertifiedError, Owner, StaleError, Stored


class RedisAccounts:
    """Implements `Accounts`: an account's id begins with its key's shard, so one script holds both."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def new_id(self, thumbprint: str) -> AccountId:
        """Return an unguessable id in the shard of a key."""
        return keys.account_id(thumbprint)

    async def create(self, tenant: TenantName, account: Account) -> None:
        """Store a new account and the way from its key to it."""
        owner = Owner(tenant, account.id)
        holder = keys.key_holder(tenant, account.thumbprint)
        certified = keys.certified_key(tenant, account.thumbprint)
        commit = Commit(keys.tag(owner)).require_absent(holder).require_absent(certified)
        commit.create(keys.account(owner), account).put(holder, account.id.encode())
        try:
            await commit.run(self._connection)
        except StaleError:
            if (await self._connection.read(Call("EXISTS", (certified,))))[0]:
                raise KeyCertifiedError from None
            raise

    async def replace(self, tenant: TenantName, stored: Stored[Account], account: Account) -> None:
        """Write a new state of an account; the key stays."""
        owner = Owner(tenant, account.id)
        commit = Commit(keys.tag(owner))
        commit.replace(keys.account(owner), stored, account)
        await commit.run(self._connection)

    async def find(self, tenant: TenantName, thumbprint: str) -> Stored[Account] | None:
        """Return the account that a key names."""
        holder = (await self._connection.read(Call("GET", (keys.key_holder(tenant, thumbprint),))))[0]
        if holder is None:
            return None
        owner = Owner(tenant, AccountId(holder.decode()))
        document = (await self._connection.read(Call("GET", (keys.account(owner),))))[0]
        return stored_document(document, Account) if document else None


class RedisEabKeys:
    """Implements `EabKeys`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, tenant: TenantName, kid: str) -> EabKey | None:
        """Return a key of this tenant."""
        document = (await self._connection.read(Call("GET", (keys.eab(tenant, kid),))))[0]
        return decode(document, EabKey) if document else None

    async def add(self, tenant: TenantName, key: EabKey) -> None:
        """Keep a new key."""
        await self._connection.write(Call("SET", (keys.eab(tenant, key.kid), encode(key), "NX")))


class RedisCertifiedKeys:
    """Implements `CertifiedKeys`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, tenant: TenantName, thumbprint: str) -> None:
        """Remember a key."""
        await self._connection.write(Call("SET", (keys.certified_key(tenant, thumbprint), "1")))
