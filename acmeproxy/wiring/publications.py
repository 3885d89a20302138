"""The CAs of all tenants as the world may see them, built from the settings."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog

from acmeproxy import settings
from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.vault.client import VaultClient
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.gate import Address, Gate
from acmeproxy.adapters.vault.public_mount import PublicMount
from acmeproxy.services.flights import flights
from acmeproxy.services.ledger import Ledger
from acmeproxy.services.publishing import Publishing
from acmeproxy.services.recalling import Recalling
from acmeproxy.telemetry import Metrics
from acmeproxy.web.pki.measured import MeasuredAuthority

_LOG: Final = structlog.get_logger()
#: At one Vault at the same time, of every process that answers the world; the mounts share them fairly.
_PLACES: Final = 4

#: A namespace, and a mount in it.
Place = tuple[str, str]


@asynccontextmanager
async def publications(
    given: settings.Settings, metrics: Metrics, ledger: Ledger, more: Mapping[str, Place] | None = None
) -> AsyncIterator[Publishing]:
    """Publish what every tenant's CA shows to anybody; Vault is asked without a token, and not before needed.

    Args:
        given: The settings.
        metrics: What is asked of Vault is counted there.
        ledger: What is revoked there is never said to be good.
        more: Further CAs by name, such as the signing CA.
    """
    places: dict[str, Place] = {
        name: (tenant.vault.namespace, tenant.vault.mount) for name, tenant in given.tenant_values().items()
    }
    places |= more or {}
    async with AsyncExitStack() as stack:
        address = Address(min(_PLACES, given.vault.max_in_flight), given.vault.address)
        stack.callback(address.close)
        mounts: dict[Place, MeasuredAuthority] = {}
        for name, place in places.items():
            if place not in mounts:
                # A way of its own: a mount that hangs takes neither every place nor the others' breaker.
                client = VaultClient(_connection(given, place[0]), Gate(address, name))
                stack.callback(client.close)
                mounts[place] = MeasuredAuthority(PublicMount(client, place[1]), metrics)
        made = await stack.enter_async_context(
            flights(_crashed, max(given.server.max_requests // 4, _PLACES))
        )
        authorities = {name: mounts[place] for name, place in places.items()}
        yield Publishing(authorities, made, utc_now, _told, Recalling(ledger))


def _told(name: str, reason: str) -> None:
    _LOG.warning("publication.away", ca=name, reason=reason)


def _crashed(error: BaseException) -> None:
    _LOG.error("publication.failed", exc_info=error)


def _connection(given: settings.Settings, namespace: str) -> VaultConnection:
    vault = given.vault
    return VaultConnection(
        address=vault.address,
        login=TokenLogin(Secret("")),
        namespace=namespace,
        ca=str(vault.ca) if vault.ca else None,
        connect_timeout=vault.timeout / 5,
        read_timeout=vault.timeout * 4 / 5,
        deadline=vault.timeout,
        plain_http=vault.allow_insecure,
    )
