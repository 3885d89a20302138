"""Counts and times what relying parties make us ask of Vault."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from acmeproxy.services.authority import Authority, Issuers
from acmeproxy.services.flights import AwayError
from acmeproxy.telemetry import Metrics


class MeasuredAuthority:
    """Implements `Authority` by another one, and keeps account of it."""

    def __init__(self, authority: Authority, metrics: Metrics) -> None:
        self._authority = authority
        self._metrics = metrics

    async def issuers(self) -> Issuers:
        """Return all issuers."""
        with self._measured("issuers"):
            return await self._authority.issuers()

    async def revocation_list(self, issuer_id: str, *, delta: bool) -> bytes | None:
        """Return an issuer's list."""
        with self._measured("crl"):
            return await self._authority.revocation_list(issuer_id, delta=delta)

    async def status(self, request: bytes) -> bytes:
        """Return the answer to an OCSP request."""
        with self._measured("ocsp"):
            return await self._authority.status(request)

    @contextmanager
    def _measured(self, operation: str) -> Iterator[None]:
        begun, code = time.perf_counter(), "failed"
        try:
            yield
            code = "ok"
        except AwayError:
            code = "away"
            raise
        finally:
            self._metrics.vault_requests.labels(operation, code).inc()
            self._metrics.vault_request_duration.labels(operation).observe(time.perf_counter() - begun)
