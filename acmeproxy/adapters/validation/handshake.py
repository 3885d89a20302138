"""One TLS handshake with one checked address, and no byte more (RFC 8737 §3, §4).

TLS runs over memory here and the socket is ours, so that what a server may send is counted, and nothing is
read or written once the certificate is there (TAL-11).
"""

import asyncio
import ipaddress
import socket
import ssl
from functools import cache
from typing import Final

import msgspec

from acmeproxy.adapters.validation.egress import Address
from acmeproxy.adapters.validation.faults import is_ours
from acmeproxy.core.identifier import Identifier, IdentifierType

PROTOCOL: Final = "acme-tls/1"
_IPV6: Final = 6
_RECORD: Final = 16 * 1024
#: A certificate of 64 KiB, and the rest of the handshake.
_MOST_OCTETS: Final = 80 * 1024


class Seen(msgspec.Struct, frozen=True):
    """What a server showed: the ALPN protocol it chose, if any, and the DER of its certificate."""

    protocol: str | None
    certificate: bytes


class NoConnectionError(Exception):
    """No TCP connection came about: the address may be tried in another family (TAL-15)."""


class NoHandshakeError(Exception):
    """A connection came about, and TLS did not."""


async def handshake(identifier: Identifier, address: Address, port: int, connect_within: float) -> Seen:
    """Shake hands as a tls-alpn-01 validator, and hang up. The caller sets the deadline for all of it.

    Raises:
        NoConnectionError: No connection within `connect_within` seconds.
        NoHandshakeError: TLS failed, ended early, or went beyond what a handshake needs.
        OSError: This host is out of sockets or memory.
    """
    family = socket.AF_INET6 if address.version == _IPV6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)  # noqa: FBT003 - the socket's own signature
        await _connect(connection, (str(address), port), connect_within)
        try:
            return await _shake(connection, server_name(identifier))
        except (ssl.SSLError, EOFError) as error:
            raise NoHandshakeError from error
        except OSError as error:
            if is_ours(error):
                raise
            raise NoHandshakeError from error


def server_name(identifier: Identifier) -> str:
    """Return what SNI says: the name, or the reverse name of an address; no dot ends it (TAL-13)."""
    if identifier.type is IdentifierType.IP:
        return ipaddress.ip_address(identifier.value).reverse_pointer
    return identifier.value


async def _connect(connection: socket.socket, place: tuple[str, int], within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await asyncio.get_running_loop().sock_connect(connection, place)
    except TimeoutError as error:
        raise NoConnectionError from error
    except OSError as error:
        if is_ours(error):
            raise
        raise NoConnectionError from error


async def _shake(connection: socket.socket, name: str) -> Seen:
    loop = asyncio.get_running_loop()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = _context().wrap_bio(incoming, outgoing, server_hostname=name)
    received = 0
    while not _done(tls):
        await loop.sock_sendall(connection, outgoing.read())
        octets = await loop.sock_recv(connection, _RECORD)
        received += len(octets)
        if not octets or received > _MOST_OCTETS:
            raise EOFError
        incoming.write(octets)
    # Our last flight, so that the server does not log a failure. It answers the challenge no better for it.
    await loop.sock_sendall(connection, outgoing.read())
    return Seen(tls.selected_alpn_protocol(), tls.getpeercert(binary_form=True) or b"")


def _done(tls: ssl.SSLObject) -> bool:
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


@cache
def _context() -> ssl.SSLContext:
    """Make the one context: no session is ever given to it, so every handshake is a full one (TAL-12)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    context.set_alpn_protocols([PROTOCOL])
    return context
