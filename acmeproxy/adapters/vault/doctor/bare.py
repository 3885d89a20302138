"""Asking without a token, and seeing the answer as it came: status, date and octets."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec
import requests
import urllib3

from acmeproxy.adapters.vault.client import Answer
from acmeproxy.adapters.vault.connection import VaultConnection
from acmeproxy.adapters.vault.gate import Address, Gate
from acmeproxy.adapters.vault.transport import Call, LostError, UnsentError, session
from acmeproxy.services.ports import Clock

_MAX_ANSWER: Final = 16 << 20


class Heard(msgspec.Struct, frozen=True):
    """An answer. `ahead` is by how much the server's clock is before ours, as its Date header tells."""

    status: int
    body: bytes
    ahead: timedelta | None

    @property
    def members(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}


class BareClient:
    """Asks one Vault as anybody could. Follows no redirect and repeats nothing."""

    def __init__(self, connection: VaultConnection, gate: Gate, clock: Clock) -> None:
        self._connection = connection
        self._gate = gate
        # Of its own: whether others answer says nothing about this Vault.
        self._elsewhere = Gate(Address(2, "what certificates name"))
        self._clock = clock
        self._session = session(connection.ca or True, gate.places)

    async def ask(
        self,
        path: str,
        namespace: str = "",
        *,
        body: bytes | None = None,
        kind: str = "application/octet-stream",
    ) -> Heard:
        """Get a path below `/v1/`, or post a body to it. The header of an empty namespace is left out.

        Raises:
            UnsentError: The request did not leave.
            LostError: It may have arrived, and there is no answer, or one that is too large.
        """
        # What a listener of an agent may ask for, as hvac does.
        headers = {"Accept-Encoding": "identity", "X-Vault-Request": "true"}
        headers |= {"X-Vault-Namespace": namespace} if namespace else {}
        headers |= {"Content-Type": kind} if body is not None else {}
        url = f"{self._connection.address.rstrip('/')}/v1/{path}"
        return await self._ask(self._gate, url, headers, body)

    async def visit(self, url: str) -> int:
        """Get a URL that stands in a certificate, and return the status of the answer.

        Raises:
            UnsentError: The request did not leave.
            LostError: There is no answer, or one that is too large.
        """
        return (await self._ask(self._elsewhere, url, {"Accept-Encoding": "identity"}, None)).status

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()
        self._elsewhere.close()

    async def _ask(self, gate: Gate, url: str, headers: Mapping[str, str], body: bytes | None) -> Heard:
        heard: list[Heard] = []

        def work(call: Call) -> Answer:
            call.enter()
            try:
                heard.append(self._hear(url, headers, body))
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                kind = type(error).__name__
            else:
                return Answer(heard[0].status)
            raise LostError(kind) if call.sent else UnsentError(kind)

        await gate.run(work, self._connection.deadline)
        return heard[0]

    def _hear(self, url: str, headers: Mapping[str, str], body: bytes | None) -> Heard:
        connection = self._connection
        patience = (connection.connect_timeout.total_seconds(), connection.read_timeout.total_seconds())
        asked = self._clock()
        with self._session.request(
            "GET" if body is None else "POST",
            url,
            headers=dict(headers),
            data=body,
            timeout=patience,
            allow_redirects=False,
            stream=True,
        ) as response:
            between = asked + (self._clock() - asked) / 2
            content = response.raw.read(_MAX_ANSWER + 1, decode_content=False)
            if len(content) > _MAX_ANSWER:
                raise LostError(f"an answer of more than {_MAX_ANSWER} octets")
            return Heard(response.status_code, content, _ahead(response.headers.get("Date", ""), between))


def _ahead(date: str, between: datetime) -> timedelta | None:
    """Compare a Date header, which is cut to the second, with the middle of the exchange."""
    try:
        told = parsedate_to_datetime(date)
        return told + timedelta(milliseconds=500) - between
    except (ValueError, TypeError):
        return None
