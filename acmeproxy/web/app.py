"""The HTTP application."""

from aiohttp import web

from acmeproxy.web import health
from acmeproxy.web.acme.routes import add_routes as add_acme_routes
from acmeproxy.web.acme.signed import MAX_BODY
from acmeproxy.web.answering import answering
from acmeproxy.web.crowd import CROWD, Crowd, crowding
from acmeproxy.web.errors import Handler
from acmeproxy.web.keys import SERVICES, Services
from acmeproxy.web.pki.edge import TALLY, Tally, is_public, publishing
from acmeproxy.web.pki.routes import add_routes as add_pki_routes


def build_app(services: Services, max_requests: int) -> web.Application:
    """Put the application together; it holds no task and no connection of its own."""
    app = web.Application(middlewares=[_edge, crowding], client_max_size=MAX_BODY)
    app[SERVICES] = services
    app[CROWD] = Crowd(max_requests)
    app[TALLY] = Tally(services.metrics)
    add_acme_routes(app.router)
    add_pki_routes(app.router)
    app.router.add_get("/healthz", health.healthz, name="healthz")
    app.router.add_get("/livez", health.healthz, name="livez")
    app.router.add_get("/readyz", health.readyz, name="readyz")
    app.router.add_get("/metrics", health.metrics, name="metrics")
    return app


@web.middleware
async def _edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer the protocol's clients and the readers of what is public each in their way."""
    if is_public(request):
        return await publishing(request, handler)
    return await answering(request, handler)
