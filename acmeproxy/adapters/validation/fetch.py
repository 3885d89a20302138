"""One GET to one checked address, with every bound that a hostile server calls for (HTT-07, HTT-08, H01-24).

aiohttp is the client, and three of its habits are undone here: it repeats a GET whose connection was lost, it
reads interim (1xx) answers without end, and it would resolve names by itself, so it is given none.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from yarl import URL

from acmeproxy.adapters.validation.egress import Address
from acmeproxy.adapters.validation.faults import is_ours
from acmeproxy.adapters.validation.hop import Hop

LONGEST_BODY: Final = 1024  # a key authorization has 87 bytes; the rest is room for trailing whitespace
_MOST_INTERIM_ANSWERS: Final = 8
_MOST_FIELDS: Final = 64
_LONGEST_STATUS_LINE: Final = 1024
_LONGEST_FIELD: Final = 8192
_RECEIVE_BUFFER: Final = 16 * 1024
_OK: Final = 200
_IPV6: Final = 6


class Answer(msgspec.Struct, frozen=True):
    """What a target answered, as far as anybody may look: it never leaves this package (INV-10).

    `locations` are its Location fields; `body` is read for status 200 only, to one byte beyond
    `LONGEST_BODY`; `encoded` tells that it said to have compressed it, and then nothing is read.
    """

    status: int
    locations: tuple[str, ...] = ()
    encoded: bool = False
    body: bytes = b""


class DialError(Exception):
    """No connection came about: the address may be tried in another family (H01-18)."""


class HandshakeError(Exception):
    """A connection came about, and TLS did not."""


class BrokenAnswerError(Exception):
    """The answer broke off, was not HTTP, or went beyond a bound."""


async def fetch(hop: Hop, address: Address, user_agent: str, connect_within: float) -> Answer:
    """GET a hop's URL from an address that the caller has checked, over one connection.

    The caller sets the deadline; `connect_within` are the seconds that TCP and TLS may take of it. On https
    any certificate will do: what counts is what is served, not by whom (H01-16).

    Raises:
        DialError: No connection within `connect_within`.
        HandshakeError: TLS failed.
        BrokenAnswerError: The connection is useless.
        OSError: This host is out of sockets or memory.
    """
    # An address in the URL, and the name in Host and SNI only: nothing is left to resolve.
    authority = f"[{address}]" if address.version == _IPV6 else str(address)
    url = URL(f"{hop.scheme}://{authority}:{hop.port}{hop.path}", encoded=True)
    with _errors_named():
        async with (
            _session(user_agent, connect_within) as session,
            session.get(
                url,
                headers={"Host": hop.authority},
                server_hostname=hop.host.value,
                allow_redirects=False,
            ) as response,
        ):
            return await _read(response)


async def _read(response: aiohttp.ClientResponse) -> Answer:
    if response.status != _OK:
        return Answer(response.status, locations=tuple(response.headers.getall("Location", ())))
    encodings = response.headers.getall("Content-Encoding", ())
    if any(encoding.strip().lower() != "identity" for encoding in encodings):
        return Answer(response.status, encoded=True)
    body = b""
    while len(body) <= LONGEST_BODY:
        more = await response.content.read(LONGEST_BODY + 1 - len(body))
        if not more:
            break
        body += more
    return Answer(response.status, body=body)


def _session(user_agent: str, connect_within: float) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        ssl=_any_certificate(),
        resolver=_NoNames(),
        force_close=True,
        use_dns_cache=False,
        happy_eyeballs_delay=None,
        socket_factory=_small_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers={"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_within),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(_once,),
        response_class=_FinalAnswer,
        trust_env=False,
        auto_decompress=False,
        read_bufsize=LONGEST_BODY,
        max_line_size=_LONGEST_STATUS_LINE,
        max_field_size=_LONGEST_FIELD,
        max_headers=_MOST_FIELDS,
    )


@cache
def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _small_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket that takes little from a server that sends much, and so wakes us for little at a time."""
    family, kind, protocol, _, _ = info
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    return made


class _NoNames(AbstractResolver):
    """Stands where aiohttp would ask getaddrinfo: that no name gets there is the rule of this package."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise RuntimeError(f"a name was to be resolved behind the egress policy: {host} {port} {family}")

    async def close(self) -> None:
        """Close nothing."""


class _FinalAnswer(aiohttp.ClientResponse):
    """A response that gives up on a server which sends interim answers and never comes to the point.

    Nobody asked for them, and each costs as much as a response: a flood of them would keep a core busy.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        if (protocol := connection.protocol) is not None:
            read, answers = protocol.read, count(1)

            async def bounded_read() -> Any:  # noqa: ANN401 - as aiohttp types it
                if next(answers) > _MOST_INTERIM_ANSWERS:
                    raise aiohttp.ClientPayloadError("too many interim answers")
                return await read()

            protocol.read = bounded_read  # type: ignore[method-assign] # aiohttp has no bound of its own
        return await super().start(connection)


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request once: aiohttp would dial anew for a GET whose connection was lost (H01-18, H01-19)."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise BrokenAnswerError from error


@contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        if is_ours(error.os_error):
            raise error.os_error from error
        raise (HandshakeError if _connected(error) else DialError) from error
    except aiohttp.ConnectionTimeoutError as error:
        raise DialError from error
    except (
        aiohttp.ClientConnectionError,
        aiohttp.ClientResponseError,
        aiohttp.ClientPayloadError,
    ) as error:
        raise BrokenAnswerError from error


def _connected(error: aiohttp.ClientConnectorError) -> bool:
    """Whether TCP stood when the error came: TLS was refused, or the peer hung up in its midst."""
    return isinstance(error, aiohttp.ClientSSLError) or isinstance(
        error.os_error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError
    )
