"""Certificates of a CA, their chains, and revocation lists (RFC 5280 §4.2.1.13, §4.2.2.1)."""

import base64
import hashlib
from datetime import timedelta
from typing import Final

from aiohttp import web

from acmeproxy.core import crl as lists
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.services.flights import AwayError
from acmeproxy.services.publication import Known
from acmeproxy.web.keys import SERVICES
from acmeproxy.web.pki.naming import away, published_by
from acmeproxy.web.pki.showing import Shown, show

_CERTIFICATE_TYPE: Final = "application/pkix-cert"
_CHAIN_TYPE: Final = "application/pem-certificate-chain"
#: For as long others may keep it: the default issuer changes, and a list is replaced, before it is over.
_KEEP_ISSUERS: Final = timedelta(hours=1)
_KEEP_LISTS: Final = timedelta(minutes=5)


async def certificate(request: web.Request) -> web.Response:
    """Show an issuer's certificate in DER (RFC 5280 §4.2.2.1)."""
    known = await _issuer(request)
    return _show_lasting(request, known.issuer.certificate, _CERTIFICATE_TYPE)


async def chain(request: web.Request) -> web.Response:
    """Show an issuer's certificate and those above it in PEM (RFC 8555 §9.1)."""
    known = await _issuer(request)
    pem = "".join(_pem(der) for der in known.issuer.chain)
    return _show_lasting(request, pem.encode("ascii"), _CHAIN_TYPE)


async def crl(request: web.Request) -> web.Response:
    """Show an issuer's whole revocation list in DER."""
    return await _list(request, delta=False)


async def delta_crl(request: web.Request) -> web.Response:
    """Show what changed since the last whole list."""
    return await _list(request, delta=True)


async def _issuer(request: web.Request) -> Known:
    published = published_by(request)
    try:
        known = await published.publication.issuer(request.match_info.get("issuer"))
    except AwayError:
        raise away() from None
    if known is None:
        raise refuse(Reference.NOT_FOUND, "this CA has no such issuer")
    return known


async def _list(request: web.Request, *, delta: bool) -> web.Response:
    known = await _issuer(request)
    try:
        found = await published_by(request).publication.revocation_list(known, delta=delta)
    except AwayError:
        raise away() from None
    if found is None:
        raise refuse(Reference.NOT_FOUND, "this issuer has no such list")
    now = request.app[SERVICES].clock()
    keep_until = min(found.next_update, now + _KEEP_LISTS)
    shown = Shown(found.der, lists.MEDIA_TYPE, found.digest, keep_until, found.this_update)
    return show(request, shown, now)


def _show_lasting(request: web.Request, body: bytes, media_type: str) -> web.Response:
    now = request.app[SERVICES].clock()
    digest = hashlib.sha256(body).hexdigest()
    return show(request, Shown(body, media_type, digest, now + _KEEP_ISSUERS), now)


def _pem(der: bytes) -> str:
    text = base64.b64encode(der).decode("ascii")
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
