"""What operators do: give out EAB keys (RFC 8555 §7.3.4)."""

import secrets

from acmeproxy.core import ids
from acmeproxy.core.eab import EabKey
from acmeproxy.core.ids import TenantName
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import EabKeys


class Administration:
    """Acts for an operator."""

    def __init__(self, eab_keys: EabKeys, clock: Clock) -> None:
        self._eab_keys = eab_keys
        self._clock = clock

    async def create_eab_key(self, tenant: TenantName, label: str) -> EabKey:
        """Make a MAC key of 256 random bits for one tenant; its secret is shown now and never again."""
        key = EabKey(
            kid=f"eab_{ids.random_id()}",
            secret=secrets.token_bytes(32),
            created_at=self._clock(),
            label=label,
        )
        await self._eab_keys.add(tenant, key)
        return key
