"""What handlers find in the application and leave in the request, typed."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from acmeproxy.core.ids import TenantName
from acmeproxy.core.problem import Problem
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.authentication import Authentication
from acmeproxy.services.finalization import Finalization
from acmeproxy.services.ordering import Ordering
from acmeproxy.services.ports import Clock
from acmeproxy.services.publishing import Publishing
from acmeproxy.services.registration import Registration
from acmeproxy.services.renewal import Renewal
from acmeproxy.services.responding import Responding
from acmeproxy.services.revocation import Revocation
from acmeproxy.services.rollover import Rollover
from acmeproxy.services.stores import Gate
from acmeproxy.telemetry import Metrics

#: Answers, by dependency, `ok` or what is wrong with it.
Readiness = Callable[[], Awaitable[Mapping[str, str]]]


class Services(msgspec.Struct, frozen=True):
    """The use cases that the protocol is served from, and the tenants that it is served for."""

    tenants: Mapping[TenantName, Tenant]
    public_url: str
    gate: Gate
    authentication: Authentication
    registration: Registration
    rollover: Rollover
    ordering: Ordering
    responding: Responding
    finalization: Finalization
    revocation: Revocation
    renewal: Renewal
    publishing: Publishing
    clock: Clock
    metrics: Metrics
    readiness: Readiness


SERVICES: Final = web.AppKey("SERVICES", Services)

#: Names a request in the log and in its answer.
REQUEST_ID: Final = web.RequestKey("REQUEST_ID", str)
#: The problem that a request was answered with.
FAULT: Final = web.RequestKey("FAULT", Problem)
