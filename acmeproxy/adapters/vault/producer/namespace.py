"""One namespace, asked with the token of an operator who may do everything there. Blocks."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import hvac
import msgspec
import requests
from hvac.adapters import RawAdapter

from acmeproxy.adapters.vault.client import INDEX_HEADER
from acmeproxy.adapters.vault.connection import Reveal

_TIMEOUTS: Final = (3, 30)
_LEVEL_WITHIN: Final = 10.0
_LEVEL_PAUSE: Final = 0.05
_READING: Final = frozenset({"get", "list"})
_NO_PATCH: Final = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})
#: Earned by everybody who names an object in its path, and said of nothing that matters (vault.md §1).
_HARMLESS: Final = "replaced the value of these parameters with the values captured from the endpoint's path"

#: The warning at a CA with a path length of 0.
NONE_BELOW: Final = "path length of the signed certificate is zero"


class ProducerError(Exception):
    """The server did not do what building a PKI needs. The text is for people and holds no secret."""


class AwayError(ProducerError):
    """The server gave no answer."""


class ForbiddenError(ProducerError):
    """The operator's token may not do this, or is none."""


class Written(msgspec.Struct, frozen=True):
    """What was answered to a write. `data` may hold a secret and is not shown."""

    data: Mapping[str, Any]
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        """Show what may be logged."""
        return f"Written(warnings={self.warnings!r})"


class Latest(msgspec.Struct):
    """How far the server's store was after the last write of a run; for handing back."""

    index: str = ""


class Namespace:
    """One namespace of a server; an empty `path` is the root's. Those of one run share `latest`."""

    def __init__(
        self,
        address: str,
        token: Reveal,
        path: str,
        session: requests.Session,
        latest: Latest | None = None,
    ) -> None:
        self.path = path
        self._latest = latest or Latest()
        self.address = address.rstrip("/")
        #: What the server warned of, each with its path: an issuer that is not there, an ignored parameter.
        self.warnings: list[str] = []
        self._client = hvac.Client(
            url=self.address,
            token=token(),
            namespace=path or None,
            session=session,
            verify=session.verify,
            timeout=_TIMEOUTS,
            allow_redirects=False,
            adapter=RawAdapter,
        )

    def read(self, path: str, method: str = "get") -> dict[str, Any] | None:
        """Return the data at a path, `None` if there is nothing, not even the mount or the namespace."""
        response = self._send(method, path, None)
        if response.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.NO_CONTENT}:
            return None
        return dict(self._written(response, path).data)

    def list(self, path: str) -> dict[str, Any]:
        """Return what a list says: `keys`, and mostly `key_info`; nothing for an empty one."""
        return self.read(path, "list") or {}

    def write(self, path: str, body: Mapping[str, Any]) -> Written:
        """Write to a path: of a role or an issuer, what the body lacks takes its default (vault.md §1)."""
        return self._noted(self._send("post", path, body), path)

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """Change some fields of an object and leave the others; where a server cannot, read, merge, write."""
        headers = {"Content-Type": "application/merge-patch+json"}
        response = self._send("patch", path, body, headers)
        if response.status_code in _NO_PATCH or _unsupported(response):
            self.write(path, {**(self.read(path) or {}), **body})
        else:
            self._noted(response, path)

    def accepts(self, path: str) -> frozenset[str]:
        """Return the parameters that writing to a path takes, as its help says; nothing of a path without."""
        response = self._send("get", f"{path}?help=1", None)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return frozenset()
        if response.status_code != HTTPStatus.OK:
            raise self._failed(response, path)
        document = _json(response).get("openapi") or {}
        schemas = document.get("components", {}).get("schemas", {})
        return frozenset(
            name
            for title, schema in schemas.items()
            if title.endswith("Request")
            for name in schema.get("properties", {})
        )

    def has_namespaces(self) -> bool:
        """Tell whether the server has namespaces (vault.md §4): one without knows no such path."""
        response = self._send("list", "sys/namespaces", None)
        if response.status_code == HTTPStatus.FORBIDDEN:
            return "ent" in str(_json(self._send("get", "sys/seal-status", None)).get("version")) or (
                "commit_date" in _json(self._send("get", "sys/seal-status", None))
            )
        return response.ok or not _json(response).get("errors")

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request, to be answered from a store that has all that this run has written.

        A standby reads from a copy that is a moment behind: the mount that was just made is not there yet.
        """
        until = time.monotonic() + _LEVEL_WITHIN
        response = self._sent(method, path, body, headers)
        while _is_behind(response) and time.monotonic() < until:
            time.sleep(_LEVEL_PAUSE)
            response = self._sent(method, path, body, headers)
        if method not in _READING and (index := response.headers.get(INDEX_HEADER)):
            self._latest.index = index
        return response

    def _sent(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> requests.Response:
        # hvac would quote the question mark of a query.
        path, _, query = path.partition("?")
        parameters = dict([query.split("=")]) if query else None
        level = {INDEX_HEADER: self._latest.index} if self._latest.index else {}
        try:
            response: requests.Response = self._client.adapter.request(
                method,
                f"/v1/{path}",
                raise_exception=False,
                json=body,
                params=parameters,
                headers={**(headers or {}), **level},
            )
        except requests.RequestException as error:
            kind = type(error).__name__
        else:
            return response
        # Raised out here, for these errors carry the request and with it the token (INV-13).
        raise AwayError(f"no answer from {self.address}: {kind}")

    def _noted(self, response: requests.Response, path: str) -> Written:
        written = self._written(response, path)
        where = f"{self.path}/{path}" if self.path else path
        # A CA that can have none below it is what is asked for.
        self.warnings += [f"{where}: {text}" for text in written.warnings if NONE_BELOW not in text.lower()]
        return written

    def _written(self, response: requests.Response, path: str) -> Written:
        if response.status_code == HTTPStatus.NO_CONTENT:
            return Written({}, ())
        if response.status_code != HTTPStatus.OK:
            raise self._failed(response, path)
        answer = _json(response)
        data = answer.get("data")
        warnings = tuple(text for text in answer.get("warnings") or () if _HARMLESS not in text)
        return Written(data if isinstance(data, dict) else {}, warnings)

    def _failed(self, response: requests.Response, path: str) -> ProducerError:
        where = f"{self.path}/{path}" if self.path else path
        errors = _json(response).get("errors") or []
        said = " ".join(" ".join(map(str, errors)).split())[:300]
        text = f"{self.address} answered {response.status_code} at {where}: {said!a}"
        if response.status_code == HTTPStatus.FORBIDDEN:
            return ForbiddenError(f"{text}: the operator's token may not do this, or it has ended")
        if response.is_redirect:
            return ProducerError(f"{text}: it is a standby; give the address of the active node")
        return ProducerError(text)


def _is_behind(response: requests.Response) -> bool:
    """Vault answers 412; OpenBao 429 without the reason that a quota's 429 has."""
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return _json(response) == {"errors": []}
    return response.status_code == HTTPStatus.PRECONDITION_FAILED


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _unsupported(response: requests.Response) -> bool:
    return response.status_code == HTTPStatus.NOT_FOUND and bool(_json(response).get("errors"))
