"""The edge of what is public: no nonce, no problem documents, and little work for each of many requests."""

import time
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import Counter, Histogram

from acmeproxy.core.ids import random_id
from acmeproxy.core.ocsp import Fault
from acmeproxy.core.problem import Problem
from acmeproxy.telemetry import Metrics
from acmeproxy.web.cors import preflight
from acmeproxy.web.errors import Handler, handled
from acmeproxy.web.facts import facts
from acmeproxy.web.keys import FAULT, REQUEST_ID, SERVICES
from acmeproxy.web.pki import responder

_LOG: Final = structlog.get_logger()
_PREFIX: Final = "/pki/"
_RESPONDER: Final = frozenset({"ocsp", "ocspGet"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_OURS: Final = 500


class Tally:
    """Counts answers without looking each metric up by its labels: that costs more than the answer.

    `log` is bound once, for the lines of level debug that are hardly ever written.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.log = structlog.get_logger().bind()
        self._metrics = metrics
        self._known: dict[tuple[str, str, int, str], tuple[Counter, Histogram]] = {}

    def count(self, route: str, method: str, status: int, name: str, seconds: float) -> None:
        """Count an answer; every label has few values."""
        key = (route, method, status, name)
        if (found := self._known.get(key)) is None:
            counter = self._metrics.http_requests.labels(route, method, str(status), name)
            found = counter, self._metrics.http_request_duration.labels(route)
            self._known[key] = found
        found[0].inc()
        found[1].observe(seconds)


TALLY: Final = web.AppKey("TALLY", Tally)


def is_public(request: web.Request) -> bool:
    """Tell whether a request is for what relying parties read."""
    return request.rel_url.raw_path.startswith(_PREFIX)


async def publishing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request for something public, whatever happens to it."""
    begun = time.perf_counter()
    request[REQUEST_ID] = random_id()
    route = _route(request)
    response = preflight(request)
    if response is None:
        # OCSP by GET has base64 at its end; elsewhere an escaped spelling is another URL (JWS-20).
        plain = "%" not in request.rel_url.raw_path.partition(responder.SEPARATOR)[0]
        response = await handled(request, handler, escaped=plain and route == "ocspGet")
        if (problem := request.get(FAULT)) is not None:
            response = _plain(route, problem, response)
    _dress(request, response)
    _record(request, response, route, time.perf_counter() - begun)
    return response


def _plain(route: str, problem: Problem, answered: web.StreamResponse) -> web.StreamResponse:
    """Say in a line what the problem is: ACME's documents are for ACME's clients."""
    status = problem.status or _OURS
    if route in _RESPONDER and status >= _OURS:
        return responder.fault(Fault.INTERNAL_ERROR if status == _OURS else Fault.TRY_LATER)
    kept = {name: answered.headers[name] for name in ("Retry-After", "Allow") if name in answered.headers}
    return web.Response(status=status, text=f"{problem.detail}\n", headers=kept)


def _dress(request: web.Request, response: web.StreamResponse) -> None:
    headers = response.headers
    headers["Server"] = "acmeproxy"
    headers["X-Request-Id"] = request[REQUEST_ID]
    headers.setdefault("Cache-Control", "no-store")
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Access-Control-Expose-Headers"] = "Retry-After"


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return (resource.name if resource else None) or "none"


def _record(request: web.Request, response: web.StreamResponse, route: str, seconds: float) -> None:
    name = request.match_info.get("name", "")
    known = name if request.app[SERVICES].publishing.find(name) else ""
    method = request.method if request.method in _METHODS else "other"
    request.app[TALLY].count(route, method, response.status, known, seconds)
    # Many, all alike, and anybody's: a line for each would push those of the protocol out.
    tell = _LOG.info if response.status >= _OURS else request.app[TALLY].log.debug
    tell(
        "request.answered",
        **facts(request, response, seconds),
        tenant=known,
        route=route,
        method=method,
    )
