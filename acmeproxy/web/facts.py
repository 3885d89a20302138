"""What the log says of every request, whoever asked for what."""

from aiohttp import web

from acmeproxy.web.keys import REQUEST_ID


def facts(request: web.Request, response: web.StreamResponse, seconds: float) -> dict[str, object]:
    """Return who asked what, and how and how fast it was answered."""
    return {
        "request_id": request[REQUEST_ID],
        "path": request.path,
        "status": response.status,
        "duration_ms": round(seconds * 1000, 1),
        "client_ip": request.remote,
        "user_agent": request.headers.get("User-Agent", ""),
    }
