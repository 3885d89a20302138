"""From a job to the use case that does it; the worker's edge, where every fault is caught and told."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog

from acmeproxy.core.ids import TenantName
from acmeproxy.core.job import Job, JobKind
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.issuance import Issuance
from acmeproxy.services.reports import Report
from acmeproxy.services.revoking import Revoking
from acmeproxy.services.roles import RoleReading
from acmeproxy.services.stores import StateAwayError
from acmeproxy.services.validation import Validation
from acmeproxy.telemetry import Metrics

_LOG: Final = structlog.get_logger()
#: Longer than any deadline inside a job; what outlives it is a fault of ours.
_DEADLINE: Final = timedelta(seconds=120)
_BROKEN: Final = Report("failed", alarm=True)


class Dispatch:
    """Does one job and says in one log line what came of it. Never raises: an unfinished job is due again."""

    def __init__(  # noqa: PLR0913, PLR0917 - a use case for every kind of job
        self,
        validation: Validation,
        issuance: Issuance,
        revoking: Revoking,
        roles: RoleReading,
        tenants: Mapping[TenantName, Tenant],
        metrics: Metrics,
    ) -> None:
        self._validation = validation
        self._issuance = issuance
        self._revoking = revoking
        self._roles = roles
        self._tenants = tenants
        self._metrics = metrics

    async def __call__(self, job: Job) -> None:
        """Do a job."""
        begun = time.perf_counter()
        report = await self._bounded(job, self._done)
        if report is _BROKEN and job.kind is JobKind.VALIDATE:
            report = await self._bounded(job, self._validation.give_up)
        self._record(job, report, time.perf_counter() - begun)

    async def _bounded(self, job: Job, do: Callable[[Job], Awaitable[Report]]) -> Report:
        try:
            async with asyncio.timeout(_DEADLINE.total_seconds()):
                return await do(job)
        except StateAwayError as error:
            return Report("state-away", {"reason": str(error)}, alarm=True)
        except Exception:  # noqa: BLE001 - the worker boundary, one of two such places (design §10)
            _LOG.exception("job.failed", kind=job.kind.value, tenant=job.tenant, subject=job.subject)
            return _BROKEN

    async def _done(self, job: Job) -> Report:
        if job.tenant not in self._tenants:
            # Nothing is signed for it, and nothing that is due is forgotten: it may come back (TEN-09).
            return Report("unserved", alarm=True)
        match job.kind:
            case JobKind.VALIDATE:
                return await self._validation.look(job)
            case JobKind.ISSUE:
                return await self._issuance.issue(job)
            case JobKind.REVOKE:
                return await self._revoking.revoke(job)
            case JobKind.READ_ROLE:
                return await self._roles.answer(job)
            case JobKind.REVOKE_SURPLUS:
                return await self._revoking.revoke_surplus(job)

    def _record(self, job: Job, report: Report, seconds: float) -> None:
        self._metrics.jobs.labels(job.kind.value, report.outcome).inc()
        if job.kind is JobKind.VALIDATE and "method" in report.fields:
            method = report.fields["method"]
            self._metrics.validations.labels(job.tenant, method, report.outcome).inc()
            self._metrics.validation_duration.labels(method).observe(seconds)
        if report.outcome in {"issued", "adopted"}:
            self._metrics.certificates_issued.labels(job.tenant).inc()
        log = _LOG.error if report.alarm else _LOG.info
        log(
            f"job.{report.outcome}",
            **{
                "kind": job.kind.value,
                "tenant": job.tenant,
                "account": job.account,
                "subject": job.subject,
                "duration_ms": round(seconds * 1000, 1),
                **report.fields,
            },
        )
