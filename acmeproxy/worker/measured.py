"""Counts and times what is asked of Vault."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from acmeproxy.core.order import Intent
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.ports import (
    Signed,
    Signer,
    SigningDeferredError,
    SigningRefusedError,
    SigningUncertainError,
)
from acmeproxy.telemetry import Metrics

_CODES = {
    SigningDeferredError: "deferred",
    SigningUncertainError: "uncertain",
    SigningRefusedError: "refused",
}


class MeasuredSigner:
    """Implements `Signer` by another one, and keeps account of it."""

    def __init__(self, signer: Signer, metrics: Metrics) -> None:
        self._signer = signer
        self._metrics = metrics

    async def sign(self, tenant: Tenant, intent: Intent) -> Signed:
        """Have an intent signed."""
        with self._measured("sign"):
            return await self._signer.sign(tenant, intent)

    async def find(self, tenant: Tenant, intent: Intent) -> Sequence[Signed]:
        """Look in Vault's store."""
        with self._measured("find"):
            return await self._signer.find(tenant, intent)

    async def revoke(self, tenant: Tenant, certificate: bytes) -> None:
        """Revoke a certificate."""
        with self._measured("revoke"):
            await self._signer.revoke(tenant, certificate)

    @contextmanager
    def _measured(self, operation: str) -> Iterator[None]:
        begun, code = time.perf_counter(), "failed"
        try:
            yield
            code = "ok"
        except (SigningDeferredError, SigningUncertainError, SigningRefusedError) as error:
            code = _CODES[type(error)]
            raise
        finally:
            self._metrics.vault_requests.labels(operation, code).inc()
            self._metrics.vault_request_duration.labels(operation).observe(time.perf_counter() - begun)


def proof_gauges(metrics: Metrics) -> Callable[[int], None]:
    """Return what shows how many failures were found on Vault's side, and when that was looked at."""

    def heard(failures: int) -> None:
        metrics.vault_unsafe.set(failures)
        metrics.vault_proven.set_to_current_time()

    return heard


def breaker_gauge(metrics: Metrics) -> Callable[[str, str, str, int], None]:
    """Return what shows the state of a breaker: of an address, or of a tenant's mount or login there."""

    def heard(address: str, tenant: str, what: str, state: int) -> None:
        metrics.vault_breaker.labels(address, tenant, what).set(state)

    return heard
