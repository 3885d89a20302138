"""One look of the tls-alpn-01 validator at TLS servers on loopback."""

import ssl
import tempfile
import warnings
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from acmeproxy.adapters.validation.egress import Egress
from acmeproxy.adapters.validation.resolver import Resolver
from acmeproxy.adapters.validation.tls_alpn01 import TlsAlpn01
from acmeproxy.core.problem import Problem
from acmeproxy.services.ports import Target
from tests.support.alpn_certificate import Leaf, certificate
from tests.support.dns_server import Reply, Zone, dns_server
from tests.support.http01_look import AT_EASE, LOOPBACK, ZONE, dns_target
from tests.support.in_time import in_time

PROTOCOL: Final = "acme-tls/1"


def server_context(leaf: Leaf | None = None, protocols: Sequence[str] = (PROTOCOL,)) -> ssl.SSLContext:
    """Make a server's context that shows a certificate and knows these ALPN protocols, perhaps none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    show(context, leaf or certificate())
    if protocols:
        context.set_alpn_protocols([*protocols])
    return context


def show(context: ssl.SSLContext, shown: Leaf) -> None:
    """Have a server show another certificate from now on."""
    with tempfile.TemporaryDirectory() as directory:
        pem = Path(directory) / "server.pem"
        pem.write_bytes(shown.key + ssl.DER_cert_to_PEM_cert(shown.der).encode())
        context.load_cert_chain(pem)


def only(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Have a server speak one version of TLS, however old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = version
        context.maximum_version = version
    return context


async def look(
    port: int,
    zone: Reply | Zone = ZONE,
    *,
    egress: Egress = LOOPBACK,
    timeout: timedelta = AT_EASE,  # noqa: ASYNC109 - the validator's own
    target: Target | None = None,
) -> Problem | None:
    """Look once, and make sure that the look ends with its deadline."""
    async with dns_server(zone) as server:
        resolver = Resolver(("127.0.0.1", server.port), timeout)
        validator = TlsAlpn01(resolver=resolver, egress=egress, timeout=timeout, port=port)
        async with in_time(timeout.total_seconds() + 1):
            return await validator.look(target or dns_target())
