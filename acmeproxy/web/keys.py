"""What handlers find in the application, typed."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.authentication import Authentication
from acmeproxy.services.finalization import Finalization
from acmeproxy.services.ordering import Ordering
from acmeproxy.services.ports import Clock
from acmeproxy.services.registration import Registration
from acmeproxy.services.responding import Responding
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
    ordering: Ordering
    responding: Responding
    finalization: Finalization
    clock: Clock
    metrics: Metrics
    readiness: Readiness


SERVICES: Final = web.AppKey("SERVICES", Services)
