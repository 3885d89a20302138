"""What browsers ask before they ask (Fetch standard, CORS): anybody may use every resource."""

from aiohttp import web


def preflight(request: web.Request) -> web.StreamResponse | None:
    """Answer a question of a browser, or return `None` where the request is none."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    response = web.Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST"
    response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    response.headers["Access-Control-Max-Age"] = "86400"
    return response
