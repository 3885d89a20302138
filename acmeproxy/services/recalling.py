"""What we wrote down of certificates ourselves, beside what Vault says of them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import TenantName
from acmeproxy.core.renewal import CertId
from acmeproxy.services.ledger import Ledger
from acmeproxy.services.stores import StateAwayError

Recall: TypeAlias = Callable[[Sequence[str], CertId], Awaitable[Certificate | None]]
"""Returns our record of a certificate of one of some tenants, `None` where there is none to be had."""


class Recalling:
    """Looks into the ledger; a `Recall`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def __call__(self, tenants: Sequence[str], name: CertId) -> Certificate | None:
        """Return our record of a certificate."""
        try:
            for tenant in tenants:
                if (found := await self._ledger.find(TenantName(tenant), name)) is not None:
                    return found.certificate.value
        except StateAwayError:
            return None
        return None
