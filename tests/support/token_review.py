"""What a Kubernetes API answers to a Vault that asks about service accounts (TokenReview)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.connections import connections


class TokenReviews:
    """Knows some tokens and whose they are: `namespace:service account`."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.asked: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until the other side ends it."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(
                    line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
                )
                body = json.loads(await reader.readexactly(int(fields[b"content-length"])))
                assert head.startswith(b"POST /apis/authentication.k8s.io/v1/tokenreviews ")
                spec = body["spec"]
                self.asked.append(spec["token"])
                status = {**self._status(spec["token"]), "audiences": spec.get("audiences", [])}
                answer = json.dumps({**body, "status": status}).encode()
                writer.write(
                    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                    % len(answer)
                    + answer
                )
                await writer.drain()
        writer.close()

    def _status(self, token: str) -> dict[str, object]:
        if token not in self.known:
            return {"authenticated": False, "error": "invalid bearer token"}
        username = f"system:serviceaccount:{self.known[token]}"
        user = {"username": username, "uid": "0d9d8a1c", "groups": ["system:serviceaccounts"]}
        return {"authenticated": True, "user": user}


@asynccontextmanager
async def token_reviews(known: dict[str, str]) -> AsyncIterator[TokenReviews]:
    """Answer on a free port until the context ends."""
    reviews = TokenReviews(known)
    async with connections(reviews.serve) as reviews.port:
        yield reviews
