"""The way from an HTTP POST to somebody who signed it (RFC 8555 §6.2, conformance 0.5 steps 2 and 3)."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from acmeproxy.core import jws
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.services.authentication import Applicant, Principal, SignedRequest
from acmeproxy.services.stores import Wanted
from acmeproxy.web.acme.tenancy import links_of, tenant_of
from acmeproxy.web.body import CutOffError, TooLargeError, TooLateError, read_body
from acmeproxy.web.crowd import CROWD
from acmeproxy.web.keys import SERVICES

MAX_BODY: Final = 64 * 1024
_NOTHING: Final = Wanted()


async def principal(request: web.Request, wanted: Wanted | Callable[[bytes], Wanted] = _NOTHING) -> Principal:
    """Authenticate an account's request, and read with it what it is about.

    Raises:
        AcmeError: See `Authentication.by_account`; also `malformed` with status 413 or 415.
    """
    signed = await _signed(request)
    ask = wanted if callable(wanted) else lambda _: wanted
    return await request.app[SERVICES].authentication.by_account(signed, ask)


async def applicant(request: web.Request) -> Applicant:
    """Authenticate a request that carries its own key.

    Raises:
        AcmeError: See `Authentication.by_key`; also `malformed` with status 413 or 415.
    """
    return await request.app[SERVICES].authentication.by_key(await _signed(request))


async def principal_or_applicant(request: web.Request) -> Principal | Applicant:
    """Authenticate an account's request, or one of whoever has a certificate's key.

    Raises:
        AcmeError: See `Authentication.by_account_or_certificate_key`; also `malformed`, as `principal`.
    """
    signed = await _signed(request)
    return await request.app[SERVICES].authentication.by_account_or_certificate_key(
        signed, lambda _: _NOTHING
    )


async def _signed(request: web.Request) -> SignedRequest:
    tenant, links = tenant_of(request), links_of(request)
    if request.content_type.lower() != jws.MEDIA_TYPE or "Content-Type" not in request.headers:
        raise refuse(Reference.MEDIA_TYPE, f"send Content-Type {jws.MEDIA_TYPE}")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise refuse(Reference.MEDIA_TYPE, "send the body as it is, without Content-Encoding")
    # The path as sent: what was handed out needs no escaping, so that an escaped spelling is another URL.
    url = request.app[SERVICES].public_url + _target(request)
    body = await _body(request)
    request.app[CROWD].enter(request)
    return SignedRequest(tenant, url, body, links.account_prefix)


def _target(request: web.Request) -> str:
    """Return path and query as sent, also where a client names the whole URL (RFC 9112 §3.2.2)."""
    return request.raw_path if request.raw_path.startswith("/") else request.rel_url.raw_path_qs


async def _body(request: web.Request) -> bytes:
    try:
        return await read_body(request, MAX_BODY)
    except TooLargeError:
        raise refuse(Reference.BODY_SIZE, "the request is larger than 64 KiB") from None
    except TooLateError:
        raise refuse(Reference.JWS_SHAPE, "the request body did not arrive within 10 s") from None
    except CutOffError:
        # It is no fault of ours that should be looked into.
        raise refuse(Reference.JWS_SHAPE, "the connection ended before the request body") from None
