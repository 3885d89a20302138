"""Which account a key names: an entry in the key's slot, believed only together with the account's document.

A key names an account only while that account's document has this very key. An entry is `ACCOUNT`, or
`ACCOUNT|SECONDS` while a key change that began then is under way. One that leads to an account with another
key is a leftover of a killed process, and whoever needs the key takes it over once it is older than any key
change lasts.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Call, Connection
from acmeproxy.adapters.redis.documents import revision, stored
from acmeproxy.core.account import Account
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.services.account_stores import KeyTakenError
from acmeproxy.services.stores import Owner, StaleError, Stored

#: A key change takes two round trips; one that took longer than this has given up.
CHANGE_WITHIN: Final = timedelta(seconds=60)


class Holder(msgspec.Struct, frozen=True):
    """An entry as read."""

    octets: bytes

    @property
    def account(self) -> AccountId:
        """The account that it leads to."""
        return AccountId(self.octets.partition(b"|")[0].decode())

    def left_over(self, now: datetime) -> bool:
        """Tell whether no key change can still be under way, given that the account has another key."""
        since = self.octets.partition(b"|")[2]
        return not since or now.timestamp() - float(since) > CHANGE_WITHIN.total_seconds()


def settled(account_id: AccountId) -> bytes:
    """Write an entry of an account that has the key."""
    return account_id.encode()


class Holders:
    """The entries of all keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def account(self, tenant: TenantName, thumbprint: str, octets: bytes) -> Stored[Account] | None:
        """Return the account that an entry leads to, if it has the key."""
        owner = Owner(tenant, Holder(octets).account)
        document = (await self._connection.read(Call("GET", (keys.account(owner),))))[0]
        found = stored(document, Account) if document else None
        return found if found and found.value.thumbprint == thumbprint else None

    async def read(self, tenant: TenantName, thumbprint: str) -> Holder | None:
        """Return a key's entry."""
        octets = (await self._connection.read(Call("GET", (keys.key_holder(tenant, thumbprint),))))[0]
        return Holder(octets) if octets else None

    async def claim(self, tenant: TenantName, thumbprint: str, account_id: AccountId, now: datetime) -> bytes:
        """Take a free key for an account that is about to have it, and return the entry.

        Raises:
            KeyTakenError: Another account has it, or is about to.
            StaleError: Somebody else took it at this moment.
        """
        entry = f"{account_id}|{now.timestamp():.3f}".encode()
        try:
            await self._swap(tenant, thumbprint, await self._free(tenant, thumbprint, account_id, now), entry)
        except StaleError:
            # Somebody was faster: look who it is.
            await self._free(tenant, thumbprint, account_id, now)
            raise
        return entry

    async def _free(
        self, tenant: TenantName, thumbprint: str, account_id: AccountId, now: datetime
    ) -> bytes | None:
        """Return what stands where the claim would be written, if it may be written over."""
        before = await self.read(tenant, thumbprint)
        if before is not None and before.account != account_id:
            held = await self.account(tenant, thumbprint, before.octets)
            if held is not None or not before.left_over(now):
                raise KeyTakenError(before.account)
        return before.octets if before else None

    async def settle(self, tenant: TenantName, thumbprint: str, entry: bytes, account_id: AccountId) -> None:
        """End a claim that came true.

        Raises:
            StaleError: The claim was taken over.
        """
        await self._swap(tenant, thumbprint, entry, settled(account_id))

    async def release(self, tenant: TenantName, thumbprint: str, octets: bytes) -> None:
        """Take an entry away, if it is still this one."""
        commit = self._expecting(tenant, thumbprint, octets)
        try:
            await commit.delete(keys.key_holder(tenant, thumbprint)).run(self._connection)
        except StaleError:
            return

    async def _swap(self, tenant: TenantName, thumbprint: str, before: bytes | None, after: bytes) -> None:
        commit = self._expecting(tenant, thumbprint, before)
        await commit.put(keys.key_holder(tenant, thumbprint), after).run(self._connection)

    def _expecting(self, tenant: TenantName, thumbprint: str, octets: bytes | None) -> Commit:
        commit = Commit(keys.shard_tag(tenant, keys.shard_of_key(thumbprint)))
        key = keys.key_holder(tenant, thumbprint)
        return commit.require_revision(key, revision(octets)) if octets else commit.require_absent(key)
