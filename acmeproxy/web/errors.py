"""The edge: every fault becomes a problem document, and ours are never blamed on clients (RFC 8555 §6.7)."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web

from acmeproxy.core.encoding import json_bytes
from acmeproxy.core.problem import MEDIA_TYPE, AcmeError, problem, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.services.roles import RoleUnreadError
from acmeproxy.services.stores import StateAwayError
from acmeproxy.web.keys import FAULT

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOG: Final = structlog.get_logger()


async def handled(request: web.Request, handler: Handler, *, escaped: bool = False) -> web.StreamResponse:
    """Run a handler and answer its faults; the one place that catches everything (HTTP-16).

    Args:
        request: What came.
        handler: Who answers it.
        escaped: Whether the path may have escapes, as one with base64 in it must.
    """
    try:
        if not escaped:
            _refuse_escapes(request)
        return await handler(request)
    except AcmeError as error:
        return _answer(request, error)
    except web.HTTPException as error:
        return _answer(request, _of_http(request, error))
    except StateAwayError as error:
        _LOG.warning("state.away", reason=str(error), path=request.path)
        text = "the state store does not answer, and may have done what was asked: try again"
        return _answer(request, refuse(Reference.STATE_AWAY, text, retry_after=2))
    except RoleUnreadError as error:
        _LOG.warning("role.unread", reason=str(error), path=request.path)
        text = "the vault role may refuse this, and cannot be read now: try again"
        return _answer(request, refuse(Reference.ROLE_AWAY, text, retry_after=5))
    except Exception:  # noqa: BLE001 - the web boundary, one of two such places (design §10)
        _LOG.exception("request.failed", path=request.path)
        text = "the fault is here, not in the request: try again"
        return _answer(request, refuse(Reference.INTERNAL, text, retry_after=5))


def _refuse_escapes(request: web.Request) -> None:
    """Nothing that was handed out needs escaping: an escaped spelling is another URL (JWS-20)."""
    if "%" in request.rel_url.raw_path:
        raise refuse(Reference.NOT_FOUND, "there is no such resource")


def _of_http(request: web.Request, error: web.HTTPException) -> AcmeError:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allow = tuple(sorted(error.allowed_methods))
        text = f"this resource takes {', '.join(allow)}, not {request.method[:10]}"
        return AcmeError(problem(Reference.METHOD, text), allow=allow)
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return refuse(Reference.BODY_SIZE, "the request is larger than 64 KiB")
    return refuse(Reference.NOT_FOUND, "there is no such resource", status=error.status)


def _answer(request: web.Request, error: AcmeError) -> web.Response:
    response = web.Response(status=error.problem.status, body=json_bytes(error.problem))
    response.content_type = MEDIA_TYPE
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, error.retry_after))
    if error.location:
        response.headers["Location"] = error.location
    if error.allow:
        response.headers["Allow"] = ", ".join(error.allow)
    for url, relation in error.link:
        response.headers.add("Link", f'<{url}>;rel="{relation}"')
    request[FAULT] = error.problem
    return response
