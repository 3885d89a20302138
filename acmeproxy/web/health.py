"""For load balancers and scrapers: alive, ready, metrics (ecosystem conventions; no client sees them)."""

from aiohttp import web

from acmeproxy.core.encoding import json_bytes
from acmeproxy.web.keys import SERVICES

#: Without these nothing can be answered; without the others only some work waits.
_NEEDED = frozenset({"redis", "serving"})


async def healthz(_: web.Request) -> web.Response:
    """Answer as long as the loop turns; asks nobody else."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.Response:
    """Tell what every dependency says: 200 if requests can be answered, else 503.

    Vault being away does not make it 503: orders wait as `processing`, while a load balancer without any
    replica would answer clients with a page that is no problem document.
    """
    states = await request.app[SERVICES].readiness()
    ready = all(states.get(name) == "ok" for name in _NEEDED)
    return web.Response(
        status=200 if ready else 503,
        body=json_bytes({"ready": ready, **states}),
        content_type="application/json",
    )


async def metrics(request: web.Request) -> web.Response:
    """Show the metrics in Prometheus' text format."""
    body = request.app[SERVICES].metrics.render()
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
