"""What the use cases need of accounts' state: accounts, the keys that name them, EAB keys."""

from collections.abc import Sequence
from typing import Protocol

from acmeproxy.core.account import Account
from acmeproxy.core.eab import EabKey
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.services.stores import Owner, Stored


class Accounts(Protocol):
    """Accounts and the keys that name them: a key has at most one account (KEY-09)."""

    async def create(self, tenant: TenantName, account: Account) -> None:
        """Store a new account under an id whose shard is its key's.

        Raises:
            StaleError: The key has an account by now.
            KeyCertifiedError: The key is the key of a certificate (KEY-11).
        """
        ...

    async def replace(self, tenant: TenantName, stored: Stored[Account], account: Account) -> None:
        """Write a new state of an account; the key stays.

        Raises:
            StaleError: Changed meanwhile.
        """
        ...

    async def rekey(self, tenant: TenantName, stored: Stored[Account], account: Account) -> None:
        """Give an account another key: from then on the new one names it and the old one nobody (§7.3.5).

        A kill -9 on the way leaves the old key or the new one, never both and never none (K25); doing it
        again finishes it.

        Raises:
            KeyTakenError: The new key has an account.
            KeyCertifiedError: The new key is the key of a certificate.
            StaleError: The account changed meanwhile.
        """
        ...

    async def get(self, owner: Owner) -> Stored[Account] | None:
        """Return an account by its id."""
        ...

    async def find(self, tenant: TenantName, thumbprint: str) -> Stored[Account] | None:
        """Return the account that a key names."""
        ...

    def new_id(self, thumbprint: str) -> AccountId:
        """Return an unguessable id in the shard of a key."""
        ...


class KeyTakenError(Exception):
    """A key has an account already: `holder`."""

    def __init__(self, holder: AccountId) -> None:
        super().__init__("the key has an account")
        self.holder = holder


class KeyCertifiedError(Exception):
    """The key of a certificate must not become an account's (RFC 8555 §11.1)."""


class EabKeys(Protocol):
    """The MAC keys that operators gave out, by tenant."""

    async def get(self, tenant: TenantName, kid: str) -> Stored[EabKey] | None:
        """Return a key of this tenant."""
        ...

    async def list(self, tenant: TenantName) -> Sequence[EabKey]:
        """Return all keys of a tenant, oldest first."""
        ...

    async def add(self, tenant: TenantName, key: EabKey) -> None:
        """Keep a new key."""
        ...

    async def replace(self, tenant: TenantName, stored: Stored[EabKey], key: EabKey) -> None:
        """Write a key's new state.

        Raises:
            StaleError: Changed meanwhile.
        """
        ...


class CertifiedKeys(Protocol):
    """Keys that were certified, so that none becomes an account's (KEY-11)."""

    async def add(self, tenant: TenantName, thumbprint: str) -> None:
        """Remember a key."""
        ...
