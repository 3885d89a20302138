"""The OCSP responder (RFC 6960 appendix A, RFC 5019)."""

import base64
import binascii
import hashlib
from typing import Final
from urllib.parse import unquote_to_bytes

from aiohttp import web

from acmeproxy.core import ocsp
from acmeproxy.core.ocsp import Fault, MalformedRequestError, Status
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.services.statuses import Said, fresh_until
from acmeproxy.web.body import CutOffError, TooLargeError, TooLateError, read_body
from acmeproxy.web.crowd import CROWD
from acmeproxy.web.keys import SERVICES
from acmeproxy.web.pki.naming import published_by
from acmeproxy.web.pki.showing import Shown, show

#: A request about one certificate has a tenth of it, a nonce included.
_LARGEST: Final = 10 * 1024
#: What stands between the name of a CA and a request by GET.
SEPARATOR: Final = "/ocsp/"


async def get(request: web.Request) -> web.Response:
    """Answer a request in the path: base64, escaped or not, with its padding or without."""
    try:
        der = base64.b64decode(_as_sent(request.rel_url.raw_path.partition(SEPARATOR)[2]), validate=True)
    except (binascii.Error, ValueError):
        der = b""
    said = await _said(request, der)
    if isinstance(said, Fault):
        return fault(said)
    now = request.app[SERVICES].clock()
    shown = Shown(
        said.der,
        ocsp.RESPONSE_TYPE,
        hashlib.sha256(said.der).hexdigest(),
        fresh_until(said, said.this_update),
        said.this_update,
        # What was said before it was revoked may be of the same second (RFC 9110 §8.8.2.2).
        by_date=said.status is not Status.REVOKED,
    )
    return show(request, shown, now)


async def post(request: web.Request) -> web.Response:
    """Answer a request in the body. Nobody keeps the answer: it is for who asked."""
    if request.content_type.lower() != ocsp.REQUEST_TYPE:
        raise refuse(Reference.MEDIA_TYPE, f"send Content-Type {ocsp.REQUEST_TYPE}")
    try:
        der = await read_body(request, _LARGEST)
    except TooLargeError:
        raise refuse(Reference.BODY_SIZE, "the request is larger than 10 KiB") from None
    except (TooLateError, CutOffError):
        return fault(Fault.MALFORMED_REQUEST)
    request.app[CROWD].enter(request)
    said = await _said(request, der)
    if isinstance(said, Fault):
        return fault(said)
    return web.Response(body=said.der, content_type=ocsp.RESPONSE_TYPE)


def fault(what: Fault) -> web.Response:
    """Return the answer that is none: it is in the body, and to HTTP all is well (RFC 6960 appendix A.2)."""
    return web.Response(body=what.value, content_type=ocsp.RESPONSE_TYPE)


async def _said(request: web.Request, der: bytes) -> Said:
    published = published_by(request)
    try:
        asked = ocsp.parse_request(der)
    except MalformedRequestError:
        return Fault.MALFORMED_REQUEST
    return await published.statuses.answer(asked)


def _as_sent(path: str) -> bytes:
    """Return the base64 that was meant: with its padding, and as it was before others laid hands on it.

    A URL in a certificate that ends in a slash gives two. Who takes a path for a form makes pluses spaces.
    """
    text = unquote_to_bytes(path).lstrip(b"/").rstrip(b"=").replace(b" ", b"+")
    return text + b"=" * (-len(text) % 4)
