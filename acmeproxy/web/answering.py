"""What every answer carries: a nonce, the way to the directory, CORS; and its line in the log."""

import time
from typing import Final

import structlog
from aiohttp import web

from acmeproxy.core.ids import TenantName, random_id
from acmeproxy.core.problem import ERROR_NAMESPACE
from acmeproxy.core.reference import Reference
from acmeproxy.web.acme.links import Links
from acmeproxy.web.cors import preflight
from acmeproxy.web.errors import Handler, handled
from acmeproxy.web.facts import facts
from acmeproxy.web.keys import FAULT, REQUEST_ID, SERVICES

_LOG: Final = structlog.get_logger()
_EXPOSED: Final = "Link, Replay-Nonce, Location, Retry-After"


async def answering(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request, whatever happens to it, with the headers of its kind."""
    begun = time.perf_counter()
    request[REQUEST_ID] = random_id()
    response = preflight(request) or await handled(request, handler)
    _dress(request, response)
    _record(request, response, time.perf_counter() - begun)
    return response


def _dress(request: web.Request, response: web.StreamResponse) -> None:
    headers, services, route = response.headers, request.app[SERVICES], _route(request)
    headers["Server"] = "acmeproxy"
    headers["X-Request-Id"] = request[REQUEST_ID]
    headers.setdefault("Cache-Control", "no-store")
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Access-Control-Expose-Headers"] = _EXPOSED
    if request.method == "POST" or route == "newNonce":
        headers["Replay-Nonce"] = services.gate.mint()
    tenant = _tenant(request)
    if tenant and route != "directory":
        headers.add("Link", f'<{Links.of(services.public_url, tenant).directory}>;rel="index"')


def _tenant(request: web.Request) -> TenantName | None:
    """Return the tenant of the path, of paths that lead nowhere too."""
    parts = request.path.split("/")
    named = TenantName(parts[2]) if parts[1:2] == ["acme"] and len(parts) > 2 else None  # noqa: PLR2004 - ["", "acme", tenant]
    return named if named in request.app[SERVICES].tenants else None


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return (resource.name if resource else None) or "none"


def _record(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
    metrics, route, tenant = request.app[SERVICES].metrics, _route(request), _tenant(request) or ""
    fault = request.get(FAULT)
    method = request.method if request.method in {"GET", "HEAD", "POST", "OPTIONS"} else "other"
    metrics.http_requests.labels(route, method, str(response.status), tenant).inc()
    metrics.http_request_duration.labels(route).observe(seconds)
    if fault:
        kind = fault.type.removeprefix(ERROR_NAMESPACE)
        if kind == Reference.NONCE.type:
            metrics.nonces_rejected.labels(fault.detail.partition("it is ")[2].partition(" ")[0]).inc()
        metrics.acme_errors.labels(tenant, kind, fault.detail.rpartition("[ref ")[2].rstrip("]")).inc()
    _LOG.info(
        "request.answered",
        **facts(request, response, seconds),
        tenant=tenant,
        route=route,
        method=method,
        error=fault.detail if fault else None,
    )
