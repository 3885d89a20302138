"""The AWS login of a Vault: its rules, and the signature computed a second time.

Vault sends the signed request on to STS, which checks the signature; here the secret key is known.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from tests.support.connections import connections

TOKEN = "hvs.made-by-aws"
QUESTION = "Action=GetCallerIdentity&Version=2011-06-15"


def signature(  # noqa: PLR0913 - the parts of a request
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    date: str,
    scope: str,
    secret_key: str,
) -> str:
    """Compute an AWS4-HMAC-SHA256 signature; `headers` are those that are signed, in lower case."""
    canonical = "\n".join(
        (
            method,
            path,
            "",
            *(f"{name}:{headers[name].strip()}" for name in sorted(headers)),
            "",
            ";".join(sorted(headers)),
            hashlib.sha256(body).hexdigest(),
        )
    )
    text = "\n".join(("AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


class AwsLogins:
    """Takes logins that are signed for one STS endpoint by one of the known principals."""

    def __init__(self, endpoint: str, server_id: str, keys: Mapping[str, str]) -> None:
        self.port = 0
        self.logins: list[dict[str, str]] = []
        self.signed: list[dict[str, str]] = []
        self._endpoint = endpoint
        self._server_id = server_id
        self._keys = keys

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until the other side ends it."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(fields.get("content-length", "0")))
                status, answer = self._answer(head, fields, body)
                octets = json.dumps(answer).encode()
                line = f"HTTP/1.1 {status} Answered\r\nContent-Type: application/json\r\n"
                writer.write(f"{line}Content-Length: {len(octets)}\r\n\r\n".encode() + octets)
                await writer.drain()
        writer.close()

    def _answer(self, head: str, fields: Mapping[str, str], body: bytes) -> tuple[int, object]:
        if not head.startswith("POST /v1/auth/aws/login "):
            known = fields.get("x-vault-token") == TOKEN.lower()
            return (200, {"data": {"path": "auth/aws/login"}}) if known else (403, {"errors": ["denied"]})
        login: dict[str, str] = json.loads(body)
        self.logins.append(login)
        if why := self._wrong(login):
            return 400, {"errors": [f"error making upstream request: {why}"]}
        auth = {"client_token": TOKEN, "lease_duration": 3600, "renewable": True}
        return 200, {"auth": auth}

    def _wrong(self, login: Mapping[str, str]) -> str:
        decoded = {
            name: base64.b64decode(login[f"iam_request_{name}"]).decode()
            for name in ("url", "headers", "body")
        }
        headers = {name.lower(): " ".join(values) for name, values in json.loads(decoded["headers"]).items()}
        # As in Vault: the host is that of the URL, whatever the headers say.
        headers["host"] = urlsplit(decoded["url"]).netloc
        self.signed.append(headers)
        if decoded["url"] != self._endpoint:
            return "signed for another endpoint"
        if login["iam_http_request_method"] != "POST" or decoded["body"] != QUESTION:
            return "another question than GetCallerIdentity"
        scheme, _, rest = headers["authorization"].partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        principal, _, scope = parts["Credential"].partition("/")
        names = parts["SignedHeaders"].split(";")
        if self._server_id and (
            "x-vault-aws-iam-server-id" not in names
            or headers["x-vault-aws-iam-server-id"] != self._server_id
        ):
            return "the server id is missing or not signed"
        if "x-amz-security-token" in headers and "x-amz-security-token" not in names:
            return "the session token is not signed"
        computed = signature(
            "POST",
            "/",
            {name: headers[name] for name in names},
            QUESTION.encode(),
            date=headers["x-amz-date"],
            scope=scope,
            secret_key=self._keys.get(principal, ""),
        )
        good = scheme == "AWS4-HMAC-SHA256" and computed == parts["Signature"]
        return "" if good and "host" in names else "SignatureDoesNotMatch"


@asynccontextmanager
async def aws_logins(endpoint: str, server_id: str, keys: Mapping[str, str]) -> AsyncIterator[AwsLogins]:
    """Answer on a free port until the context ends."""
    logins = AwsLogins(endpoint, server_id, keys)
    async with connections(logins.serve) as logins.port:
        yield logins
