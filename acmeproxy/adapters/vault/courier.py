"""The sign call over aiohttp: what is sent most often, for a third of what it costs over hvac.

The contract is that of `VaultClient.ask`. Why this call only: docs/decisions/0002-libraries.md.
"""

import asyncio
import json
import math
import re
import socket
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
from aiohttp.connector import Connection
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context
from yarl import URL

from acmeproxy.adapters.vault.client import MAX_ANSWER, Answer, answered, unquoted, with_our_wish
from acmeproxy.adapters.vault.connection import Reveal, VaultConnection
from acmeproxy.adapters.vault.gate import Gate
from acmeproxy.adapters.vault.transport import Call, LateError, LostError, UnsentError

_IDLE: Final = 15
_LOOK_AGAIN: Final = 10
_LONGEST_LINE: Final = 8190
_MOST_FIELDS: Final = 100
_FIELD: Final = re.compile(r"[!-~]([ -~]*[!-~])?", re.ASCII)
_NO_CONNECTION: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
# What requests calls it, and with it the rest of this package and docs/when-vault-fails.md.
_WORDS: Final = (
    (aiohttp.ClientSSLError, "SSLError"),
    (aiohttp.ConnectionTimeoutError, "ConnectTimeout"),
    (aiohttp.SocketTimeoutError, "ReadTimeout"),
    (aiohttp.ClientConnectionError, "ConnectionError"),
)
_CALL: Final[ContextVar[Call]] = ContextVar("call")


class Courier:
    """Posts to one Vault in one namespace, from the running loop. Follows no redirect and repeats nothing.

    When a kept connection turns out to be dead, aiohttp repeats what is idempotent. A POST is not, and
    nothing else can be sent (VLT-02, VLT-06).
    """

    def __init__(self, connection: VaultConnection, gate: Gate) -> None:
        self._connection = connection
        self._gate = gate
        self._below = f"{connection.address.rstrip('/')}/v1/"
        self._trust = (
            _Trust(connection.ca or DEFAULT_CA_BUNDLE_PATH) if self._below.startswith("https:") else None
        )
        self._tls: ssl.SSLContext | bool = True
        self._look_again = 0.0
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self,
        path: str,
        *,
        token: Reveal | None,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        leave_by: float = math.inf,
    ) -> Answer:
        """Send one request; `path` is below `/v1/`, `body` is sent as JSON.

        Nothing is sent from `leave_by` on, in seconds of the monotonic clock.

        Raises:
            UnsentError: The request did not leave.
            LostError: It may have arrived, and there is no answer, or one of more than 1 MiB.
        """
        octets = json.dumps(body).encode()

        async def work(call: Call) -> Answer:
            call.leave_by = leave_by
            try:
                return await self._send(call, path, octets, _fields(headers, token))
            except (UnsentError, LostError) as error:
                failed: BaseException = type(error)(str(error))
            except (aiohttp.ClientError, OSError, ValueError) as error:
                failed = _judged(error, call)
            except asyncio.CancelledError as error:
                failed = asyncio.CancelledError(*error.args)
            # Raised out here, for the frames of these errors hold the request and with it the token (INV-13).
            raise failed

        answer = await self._gate.accompany(work, self._connection.deadline)
        return with_our_wish(unquoted(answer, token), self._gate)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, call: Call, path: str, body: bytes, fields: Mapping[str, str]) -> Answer:
        tls = await self._trusted()
        _CALL.set(call)
        call.connecting = True
        response = await self._opened().post(
            URL(self._below + path),
            data=body,
            headers=fields,
            ssl=tls,
            allow_redirects=False,
        )
        try:
            read = bytearray()
            async for octets in response.content.iter_any():
                read += octets
                if len(read) > MAX_ANSWER:
                    raise LostError(f"an answer of more than {MAX_ANSWER} octets")
            return answered(response.status, response.headers.get("Retry-After", ""), bytes(read))
        finally:
            # Goes back to the others if all of the answer was read, and is cut off otherwise (VLT-05).
            response.close()

    async def _trusted(self) -> ssl.SSLContext | bool:
        """Return what a new connection must fulfil; a bundle that was replaced is seen within seconds."""
        now = asyncio.get_running_loop().time()
        if self._trust is not None and now >= self._look_again:
            self._tls = await self._gate.aside(self._trust.read)
            self._look_again = now + _LOOK_AGAIN
        return self._tls

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = _session(self._connection, self._gate)
        return self._session


def _session(connection: VaultConnection, gate: Gate) -> aiohttp.ClientSession:
    """Return a session that takes nothing from the environment, keeps no cookie and unpacks nothing."""
    fields = {"User-Agent": "acmeproxy", "Accept-Encoding": "identity", "X-Vault-Request": "true"}
    if connection.namespace:
        fields["X-Vault-Namespace"] = connection.namespace
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=gate.places,
            keepalive_timeout=_IDLE,
            resolver=_Names(gate),
            use_dns_cache=False,  # names are asked for at new connections only
        ),
        headers=fields,
        timeout=aiohttp.ClientTimeout(
            total=None,  # the gate has the deadline
            sock_connect=connection.connect_timeout.total_seconds(),
            sock_read=connection.read_timeout.total_seconds(),
            ceil_threshold=float("inf"),
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        request_class=_Request,
        trust_env=False,
        auto_decompress=False,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
        max_headers=_MOST_FIELDS,
    )


class _Request(aiohttp.ClientRequest):
    """A request that tells its call when there is a connection: from then on it may arrive."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        _CALL.get().leave()
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        # With Python 3.11 a turn of the loop later, and no octet has left yet: the fields go with the body.
        try:
            _CALL.get().leave()
        except LateError as error:
            if conn.protocol is not None:
                conn.protocol.set_exception(error)
            return
        await super().write_bytes(writer, conn, content_length)


def _fields(headers: Mapping[str, str], token: Reveal | None) -> dict[str, str]:
    """Return the fields of a request, if that is what they are: aiohttp looks when there is a connection."""
    fields = {"Content-Type": "application/json", **headers}
    if token is not None:
        fields["X-Vault-Token"] = token()
    if not all(map(_FIELD.fullmatch, fields.values())):
        raise UnsentError("InvalidHeader")
    return fields


def _judged(error: Exception, call: Call) -> LostError | UnsentError:
    """Say whether the request may have arrived, which it may where nothing else is known for certain."""
    kind = next((word for of, word in _WORDS if isinstance(error, of)), type(error).__name__)
    unsent = isinstance(error, _NO_CONNECTION) or not call.connecting
    return UnsentError(kind) if unsent and not call.sent else LostError(kind)


class _Trust:
    """The CAs that a server's certificate must lead to, as they are in a file or directory now."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._seen: tuple[int, ...] = ()
        self._context: ssl.SSLContext | None = None

    def read(self) -> ssl.SSLContext:
        """Return them, the same object until they are replaced: connections are kept by it. Blocks."""
        found = self._path.stat()
        seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        if self._context is None or seen != self._seen:
            # Of the same making as that of hvac's connections.
            context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
            if self._path.is_dir():
                context.load_verify_locations(capath=self._path)
            else:
                context.load_verify_locations(self._path)
            self._context, self._seen = context, seen
        return self._context


class _Names(AbstractResolver):
    """Asks the system for addresses, in the threads of the gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolve a name to addresses in numbers."""
        found = await self._gate.aside(
            partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Close nothing."""
