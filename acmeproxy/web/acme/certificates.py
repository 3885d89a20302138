"""Certificate chains (RFC 8555 §7.4.2, §9.1)."""

import base64
import re
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from acmeproxy.core import payload
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import CertificateId
from acmeproxy.services.stores import Wanted
from acmeproxy.web.acme.missing import present
from acmeproxy.web.acme.signed import principal
from acmeproxy.web.acme.tenancy import links_of

_NUMBER: Final = re.compile(r"[1-9][0-9]?")


async def certificate(request: web.Request) -> web.Response:
    """Hand out a chain in PEM, the leaf first and without the root."""
    return await _handed_out(request, 0)


async def alternate(request: web.Request) -> web.Response:
    """Hand out another chain of the same leaf, by its number."""
    number = request.match_info["number"]
    return await _handed_out(request, int(number) if _NUMBER.fullmatch(number) else None)


def pem(der: bytes) -> str:
    """Write one certificate in strict PEM: lines of 64, LF, nothing around it (RFC 7468 §3)."""
    text = base64.b64encode(der).decode("ascii")
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


async def _handed_out(request: web.Request, number: int | None) -> web.Response:
    who = await principal(request, Wanted(certificate=CertificateId(request.match_info["certificate"])))
    found = present(who.admitted.certificate)
    chains = (found.chain, *found.alternates)
    chain = present(chains[number] if number is not None and number < len(chains) else None)
    payload.require_empty(who.payload)
    headers = CIMultiDict({"Content-Type": "application/pem-certificate-chain"})
    for other in _others(found, number):
        headers.add("Link", f'<{links_of(request).alternate(found.id, other)}>;rel="alternate"')
    return web.Response(body="".join(pem(der) for der in chain).encode("ascii"), headers=headers)


def _others(found: Certificate, number: int | None) -> list[int]:
    """Number the other chains; the certificate's own is 0 (CRT-04)."""
    return [other for other in range(len(found.alternates) + 1) if other != number]
