"""What operators do: give out EAB keys and take them back (RFC 8555 §7.3.4), and note who agreed to terms."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from acmeproxy.core import ids
from acmeproxy.core.account import Account
from acmeproxy.core.eab import EabKey, new_secret
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.services.account_stores import Accounts, EabKeys
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Owner, StaleError

_TRIES: Final = 5


class Grant(msgspec.Struct, frozen=True):
    """What a new EAB key is for; see `EabKey`."""

    label: str = ""
    names: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    uses: int | None = None
    expires_at: datetime | None = None
    tags: dict[str, str] = {}


class Administration:
    """Acts for an operator."""

    def __init__(self, accounts: Accounts, eab_keys: EabKeys, clock: Clock) -> None:
        self._accounts = accounts
        self._eab_keys = eab_keys
        self._clock = clock

    async def create_eab_key(self, tenant: TenantName, grant: Grant) -> EabKey:
        """Make a MAC key for one tenant; its secret is shown now and never again."""
        key = EabKey(
            kid=f"eab_{ids.random_id()}",
            secret=new_secret(),
            created_at=self._clock(),
            label=grant.label,
            names=grant.names,
            profiles=grant.profiles,
            uses=grant.uses,
            expires_at=grant.expires_at,
            tags=grant.tags,
        )
        await self._eab_keys.add(tenant, key)
        return key

    async def eab_keys(self, tenant: TenantName) -> Sequence[EabKey]:
        """List a tenant's keys, oldest first; their secrets are nobody's to show again (ADM-07)."""
        return await self._eab_keys.list(tenant)

    async def revoke_eab_key(self, tenant: TenantName, kid: str) -> Sequence[AccountId] | None:
        """End a key and close the accounts that it bound (ACC-07); return them, or `None` for no such key.

        Raises:
            StaleError: Others kept changing it.
        """
        for _ in range(_TRIES):
            stored = await self._eab_keys.get(tenant, kid)
            if stored is None:
                return None
            try:
                await self._eab_keys.replace(tenant, stored, stored.value.revoke(self._clock()))
            except StaleError:
                continue
            bound = tuple(stored.value.accounts.values())
            for account in bound:
                await self._change(Owner(tenant, account), lambda found: found.revoke(self._clock()))
            return bound
        raise StaleError

    async def record_agreement(self, owner: Owner, terms: str) -> bool:
        """Note that an account's owner agreed to terms, out of band (RFC 8555 §7.3.3)."""
        return await self._change(owner, lambda found: found.agree(terms, self._clock()))

    async def _change(self, owner: Owner, change: Callable[[Account], Account]) -> bool:
        for _ in range(_TRIES):
            stored = await self._accounts.get(owner)
            if stored is None:
                return False
            after = change(stored.value)
            if after == stored.value:
                return True
            try:
                await self._accounts.replace(owner.tenant, stored, after)
            except StaleError:
                continue
            return True
        raise StaleError
