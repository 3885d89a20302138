"""The HTTP application."""

from aiohttp import web

from acmeproxy.web import health
from acmeproxy.web.acme.routes import add_routes
from acmeproxy.web.acme.signed import MAX_BODY
from acmeproxy.web.answering import answering
from acmeproxy.web.crowd import CROWD, Crowd, crowding
from acmeproxy.web.keys import SERVICES, Services


def build_app(services: Services, max_requests: int) -> web.Application:
    """Put the application together; it holds no task and no connection of its own."""
    app = web.Application(middlewares=[answering, crowding], client_max_size=MAX_BODY)
    app[SERVICES] = services
    app[CROWD] = Crowd(max_requests)
    add_routes(app.router)
    app.router.add_get("/healthz", health.healthz, name="healthz")
    app.router.add_get("/livez", health.healthz, name="livez")
    app.router.add_get("/readyz", health.readyz, name="readyz")
    app.router.add_get("/metrics", health.metrics, name="metrics")
    return app
