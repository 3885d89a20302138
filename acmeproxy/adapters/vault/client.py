"""hvac made asynchronous, bounded and silent about secrets: one client a tenant."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import hvac
import msgspec
import requests
import urllib3
from hvac.adapters import RawAdapter

from acmeproxy.adapters.vault.connection import Confidential, Reveal, VaultConnection
from acmeproxy.adapters.vault.gate import Gate, serves_nobody
from acmeproxy.adapters.vault.transport import Call, LostError, UnsentError, session

__all__ = ["Answer", "Gate", "VaultClient"]

INDEX_HEADER: Final = "X-Vault-Index"
MAX_ANSWER: Final = 1 << 20
_LONGEST_WISH: Final = 3600
_REASON_CHARACTERS: Final = 300
_DOORS: Final = ("auth/", "sys/")


class Answer(msgspec.Struct, frozen=True):
    """What Vault answered. `data` and `auth` may hold secrets and are not shown.

    `retry_after` is its wish, an hour at most, or ours where the address serves nobody; `errors` are its
    texts, which quote no secret of the request. `help` is what it says of a path, `octets` the body where it
    is not JSON. `index` tells how far the store was of the node that answered; it is for handing back only.
    """

    status: int
    data: dict[str, Any] | None = None
    auth: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    request_id: str = ""
    retry_after: timedelta | None = None
    help: str = ""
    octets: bytes = b""
    index: str = ""

    def __repr__(self) -> str:
        """Show what may be logged."""
        return f"Answer(status={self.status}, request_id={self.request_id!r})"

    @property
    def ok(self) -> bool:
        """Whether it is a 200 or 204."""
        return self.status in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}

    @property
    def reason(self) -> str:
        """Status and first error as one line of ASCII, for the log only."""
        text = self.errors[0][:_REASON_CHARACTERS] if self.errors else ""
        return f"Vault answered {self.status} {text!a}"


class _Envelope(msgspec.Struct):
    data: dict[str, Any] | None = None
    auth: dict[str, Any] | None = None
    warnings: tuple[str, ...] | None = None
    errors: tuple[str, ...] | None = None
    request_id: str = ""
    help: str = ""


class VaultClient:
    """Asks one Vault in one namespace. Follows no redirect and repeats nothing (VLT-06).

    `certificate` is the paths of a client certificate and its key, read at every new connection.
    """

    def __init__(
        self, connection: VaultConnection, gate: Gate, certificate: tuple[str, str] | None = None
    ) -> None:
        verify = connection.ca or True
        self._deadline = connection.deadline
        self._gate = gate
        self._session = session(verify, gate.places)
        self._hvac = hvac.Client(
            url=connection.address.rstrip("/"),
            # An empty token, since hvac would take none from the environment or a home directory.
            token="",
            namespace=connection.namespace or None,
            verify=verify,
            # An empty one, likewise.
            cert=certificate or (),
            timeout=(connection.connect_timeout.total_seconds(), connection.read_timeout.total_seconds()),
            allow_redirects=False,
            session=self._session,
            adapter=RawAdapter,
        )

    async def ask(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        token: Reveal | None = None,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        largest: int = MAX_ANSWER,
    ) -> Answer:
        """Send one request; `path` is below `/v1/`, and `largest` is the most octets that are read.

        `body` is sent as JSON, `content` as it is.

        Raises:
            UnsentError: The request did not leave.
            LostError: It may have arrived, and there is no answer, or one that is too large.
        """

        def work(call: Call) -> Answer:
            call.enter()
            try:
                response: requests.Response = self._hvac.adapter.request(
                    method,
                    f"/v1/{path}",
                    headers={
                        "Accept-Encoding": "identity",
                        **(headers or {}),
                        **({"X-Vault-Token": token()} if token else {}),
                    },
                    raise_exception=False,
                    json=body,
                    data=content,
                    params=query,
                    stream=True,
                )
                return unquoted(_read(response, largest), token, body)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                kind = type(error).__name__
            # Raised out here, for these errors carry the request and with it the token (INV-13).
            raise LostError(kind) if call.sent else UnsentError(kind)

        answer = await self._gate.run(work, self._deadline, door=path.startswith(_DOORS))
        return with_our_wish(answer, self._gate)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()


def _read(response: requests.Response, largest: int) -> Answer:
    with response:
        body = response.raw.read(largest + 1, decode_content=False)
        if len(body) > largest:
            raise LostError(f"an answer of more than {largest} octets")
    answer = answered(response.status_code, response.headers.get("Retry-After", ""), body)
    return msgspec.structs.replace(answer, index=response.headers.get(INDEX_HEADER, ""))


def answered(status: int, retry_after: str, body: bytes) -> Answer:
    """Read an answer from its status, the field `Retry-After`, and its body, whatever that is."""
    octets = b""
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # DER; or a gateway's page, or worse: an answer without anything in it.
        envelope, octets = _Envelope(), body
    return Answer(
        status,
        envelope.data,
        envelope.auth,
        envelope.warnings or (),
        envelope.errors or (),
        envelope.request_id,
        _wish(retry_after),
        envelope.help,
        octets,
    )


def unquoted(answer: Answer, token: Reveal | None, body: Mapping[str, Any] | None = None) -> Answer:
    """Return an answer whose texts, which are logged, quote no secret of the request (INV-13)."""
    if not (answer.errors or answer.warnings):
        return answer
    secrets = [*([token()] if token else ()), *(body.secrets if isinstance(body, Confidential) else ())]

    def without(text: str) -> str:
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text

    errors, warnings = tuple(map(without, answer.errors)), tuple(map(without, answer.warnings))
    return msgspec.structs.replace(answer, errors=errors, warnings=warnings)


def with_our_wish(answer: Answer, gate: Gate) -> Answer:
    """Say when to come again, where the address serves nobody and does not say so itself."""
    if answer.retry_after is None and serves_nobody(answer):
        return msgspec.structs.replace(answer, retry_after=gate.again())
    return answer


def _wish(header: str) -> timedelta | None:
    if not (header.isascii() and header.isdigit()):
        return None
    return timedelta(seconds=min(int(header[:9]), _LONGEST_WISH))
