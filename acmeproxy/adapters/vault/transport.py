"""HTTP that knows whether a request can have reached Vault: a sign is not idempotent (threat-model §4.1)."""

import math
import re
import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_PLAIN_URL: Final = re.compile(r"https?://[a-z0-9.:\[\]-]+/[A-Za-z0-9._/-]*", re.ASCII)


class NoAnswerError(Exception):
    """There is no answer. `retry_after` is when to come again, if that is known."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class UnsentError(NoAnswerError):
    """The request did not leave: nothing can have happened."""


class LateError(UnsentError):
    """The request did not leave, since it is too late for it: that says nothing of whom it was for."""


class LostError(NoAnswerError):
    """The request may have arrived, and there is no answer to it."""


class Call:
    """How far one request has come; made by the caller, moved on by the thread that sends it.

    Whoever gives up calls `abort` first and reads `sent` second; the sender says `_go` before its first byte,
    which raises after an abort. So either the sender stops or the other one sees that it did not.
    """

    def __init__(self) -> None:
        self.sent = False
        self.connecting = False
        self.leave_by = math.inf
        self._aborted = False
        self._connection: HTTPConnection | None = None

    def abort(self) -> None:
        """Have the sender stop soon: a server that trickles would hold its thread (VLT-05)."""
        self._aborted = True
        sock = getattr(self._connection, "sock", None)
        if sock is not None:
            with suppress(OSError):
                # Not the method of an SSL socket, which is not made for a second thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def leave(self) -> None:
        """Say that the first byte is sent now.

        Raises:
            LateError: It must not be, `leave_by` is over: this process may have been stopped for a while.
        """
        if time.monotonic() >= self.leave_by:
            self.sent = False
            raise LateError("too late to be sent: another worker may do it now")
        self.sent = True

    def enter(self) -> None:
        """Make this the call of the current thread."""
        _LOCAL.call = self

    def _connecting(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self.connecting = True
        self.sent = False

    def _go(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self.sent = True
        if self._aborted:
            raise ConnectionAbortedError("given up before it was sent")


class _Thread(threading.local):
    def __init__(self) -> None:
        super().__init__()
        self.call = Call()


_LOCAL: Final = _Thread()


class _Plain(HTTPConnection):
    def connect(self) -> None:
        _connect(self, super().connect)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - http.client's own
        _LOCAL.call._go(self)  # noqa: SLF001 - one idea in two classes
        super().putrequest(*args, **kwargs)


class _Tls(HTTPSConnection):
    def connect(self) -> None:
        _connect(self, super().connect)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - http.client's own
        _LOCAL.call._go(self)  # noqa: SLF001 - one idea in two classes
        super().putrequest(*args, **kwargs)


def _connect(connection: HTTPConnection, connect: Any) -> None:  # noqa: ANN401 - a bound method
    call = _LOCAL.call
    call._connecting(connection)  # noqa: SLF001 - one idea in two classes
    connect()
    call._go(connection)  # noqa: SLF001 - one idea in two classes


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class _Adapter(HTTPAdapter):
    """Goes nowhere but where the request says, and keeps of an answer what is asked for."""

    def request_url(self, request: requests.PreparedRequest, proxies: object) -> str:  # noqa: ARG002 - requests' own
        return request.path_url

    def build_response(
        self, request: requests.PreparedRequest, answer: urllib3.BaseHTTPResponse
    ) -> requests.Response:
        response = requests.Response()
        response.status_code, response.reason = answer.status, answer.reason or ""
        response.headers = CaseInsensitiveDict(answer.headers)
        response.encoding = "utf-8"
        response.raw, response.url, response.request = answer, request.url or "", request
        return response


class _Session(requests.Session):
    """Sends a request as it is given: nothing of the environment, no cookie, no redirect, no hook.

    Putting settings of three places together, which requests does, is a quarter of its work.
    """

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method)
        if not request.params and _PLAIN_URL.fullmatch(str(request.url)):
            prepared.url = str(request.url)  # there is nothing to quote
        else:
            prepared.prepare_url(request.url, request.params)
        prepared.prepare_headers({"User-Agent": "acmeproxy", **request.headers})
        prepared.prepare_body(request.data, None, request.json)
        return prepared

    def merge_environment_settings(  # type: ignore[override] # requests has the type of the result private
        self,
        url: object,  # noqa: ARG002 - requests' own
        proxies: object,  # noqa: ARG002 - likewise
        stream: object,
        verify: object,
        cert: object,
    ) -> dict[str, Any]:
        given = self.verify if verify is None else verify
        return {"proxies": {}, "stream": bool(stream), "verify": given, "cert": cert or self.cert}

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:  # noqa: ANN401 - likewise
        settings.pop("allow_redirects", None)
        response = self.get_adapter(request.url or "").send(request, **settings)
        if not settings["stream"]:
            _ = response.content  # read here, within the time that the caller gave
        return response


def session(verify: str | bool, connections: int) -> requests.Session:  # noqa: FBT001 - requests' own type
    """Return a session that repeats nothing, keeps no cookie and reads no environment."""
    adapter = _Adapter(pool_connections=2, pool_maxsize=connections, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    made = _Session()
    made.trust_env = False
    made.verify = verify
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made
