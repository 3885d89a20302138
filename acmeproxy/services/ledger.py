"""What the use cases need of issued certificates' state: found by name, revoked, replaced, listed."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import msgspec

from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import CertificateId, OrderId, TenantName
from acmeproxy.core.renewal import Campaign, CertId
from acmeproxy.services.stores import Owner, Stored, Watch


class Delivered(msgspec.Struct, frozen=True):
    """A certificate that was delivered, and whose it is."""

    owner: Owner
    certificate: Stored[Certificate]


class Ledger(Protocol):
    """Every certificate that was delivered, by what it says of itself (INV-5)."""

    async def record(self, tenant: TenantName, name: CertId, owner: Owner, order_id: OrderId) -> None:
        """Note for which order a certificate was signed; without effect until the order ends with it.

        Noted twice is noted once: whoever delivers it, the order is the same.
        """
        ...

    async def find(self, tenant: TenantName, name: CertId) -> Delivered | None:
        """Return the certificate of a tenant that has a name."""
        ...

    async def load(self, owner: Owner, certificate_id: CertificateId) -> Stored[Certificate] | None:
        """Return a certificate for a worker."""
        ...

    async def begin(self, owner: Owner, stored: Stored[Certificate], certificate: Certificate) -> None:
        """Write the intent to revoke and the job for it (K22).

        Raises:
            StaleError: Changed meanwhile.
        """
        ...

    async def look_again(self, owner: Owner, certificate: Certificate, when: datetime) -> None:
        """Have a worker try to revoke it again at some time."""
        ...

    async def conclude(self, owner: Owner, stored: Stored[Certificate], certificate: Certificate) -> None:
        """Write that it is revoked, and tell who waits.

        Raises:
            StaleError: Changed meanwhile.
        """
        ...

    async def drop(self, owner: Owner, certificate_id: CertificateId) -> None:
        """Have workers look at it no more."""
        ...

    async def page(
        self, tenant: TenantName, after: str, limit: int
    ) -> tuple[Sequence[Stored[Certificate]], str]:
        """Return certificates that have not expired long ago, and where the next ones begin.

        The cursor is empty before the first and after the last; a page may be short, or empty.
        """
        ...


class CertificateOutcomes(Protocol):
    """Notifications of what workers concluded; losing one only means waiting in vain."""

    def certificate(self, certificate_id: CertificateId) -> AbstractContextManager[Watch[Certificate]]:
        """Watch a certificate from now on."""
        ...


class Campaigns(Protocol):
    """What operators want renewed, by tenant."""

    async def add(self, tenant: TenantName, campaign: Campaign) -> None:
        """Keep a wish; of very many the oldest are forgotten."""
        ...

    async def list(self, tenant: TenantName) -> Sequence[Campaign]:
        """Return all wishes of a tenant."""
        ...


class BlockedKeys(Protocol):
    """Keys that somebody else is said to have: none of them is certified again (REV-14)."""

    async def block(self, tenant: TenantName, thumbprint: str) -> None:
        """Block a key, for good."""
        ...
