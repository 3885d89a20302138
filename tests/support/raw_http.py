"""HTTP by the byte, for requests that no client library sends."""

import asyncio
from dataclasses import dataclass

_DEADLINE = 60


@dataclass(frozen=True)
class RawAnswer:
    """One answer: its fields as `(name, value)` in the order in which they came."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return [value for field, value in self.fields if field.lower() == name.lower()]


async def exchange(origin: str, request: bytes) -> RawAnswer:
    """Send octets on a connection of their own and read the answer.

    Its body ends as its length says, or with the connection.
    """
    host, _, port = origin.removeprefix("http://").rpartition(":")
    async with asyncio.timeout(_DEADLINE):
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            while head.startswith(b"HTTP/1.1 100 "):
                head = await reader.readuntil(b"\r\n\r\n")
            line, *fields = head.decode("latin-1").rstrip().split("\r\n")
            pairs = tuple((name, value.strip()) for name, _, value in (f.partition(":") for f in fields))
            length = {name.lower(): value for name, value in pairs}.get("content-length")
            bodiless = request.startswith(b"HEAD ") or line.split(" ")[1] == "204"
            body = (
                b""
                if bodiless
                else await reader.read()
                if length is None
                else await reader.readexactly(int(length))
            )
        finally:
            writer.close()
    return RawAnswer(int(line.split(" ")[1]), pairs, body)


def request(method: str, path: str, *fields: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """Write a request; `Host` and `Connection: close` come by themselves unless a field names a host."""
    lines = [f"{method} {path} HTTP/{version}", *fields]
    if not any(field.lower().startswith("host:") for field in fields):
        lines.append("Host: acme.example")
    lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
