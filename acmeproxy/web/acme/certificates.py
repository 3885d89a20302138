"""Certificate chains (RFC 8555 §7.4.2, §9.1)."""

import base64

from aiohttp import web

from acmeproxy.core import payload
from acmeproxy.core.ids import CertificateId
from acmeproxy.services.stores import Wanted
from acmeproxy.web.acme.missing import present
from acmeproxy.web.acme.signed import principal


async def certificate(request: web.Request) -> web.Response:
    """Hand out a chain in PEM, the leaf first and without the root."""
    who = await principal(request, Wanted(certificate=CertificateId(request.match_info["certificate"])))
    found = present(who.admitted.certificate)
    payload.require_empty(who.payload)
    chain = "".join(pem(der) for der in found.chain)
    headers = {"Content-Type": "application/pem-certificate-chain"}
    return web.Response(body=chain.encode("ascii"), headers=headers)


def pem(der: bytes) -> str:
    """Write one certificate in strict PEM: lines of 64, LF, nothing around it (RFC 7468 §3)."""
    text = base64.b64encode(der).decode("ascii")
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
