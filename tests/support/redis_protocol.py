"""What clients of Redis say, read from the wire, and in which slot of a cluster a key lies."""

import binascii
import hashlib
from collections.abc import Iterator
from importlib.resources import files

SLOTS = 16384


def commands(wire: bytes) -> Iterator[list[bytes]]:
    """Take requests apart: each is an array of strings, each string with its length before it."""
    lines = _Reader(wire)
    while not lines.ended:
        count = int(lines.line()[1:])
        yield [lines.octets(int(lines.line()[1:])) for _ in range(count)]


def slot(key: bytes) -> int:
    """Return the slot: CRC16 (XMODEM) of what stands in the first braces, or of all."""
    before, brace, rest = key.partition(b"{")
    tag, closing, _ = rest.partition(b"}")
    hashed = tag if brace and closing and tag else key
    assert before or hashed
    return binascii.crc_hqx(hashed, 0) % SLOTS


def scripts() -> dict[bytes, str]:
    """Return the names of our scripts by the digest under which they are called."""
    found = files("acmeproxy.adapters.redis.scripts").iterdir()
    return {
        hashlib.sha1(script.read_bytes(), usedforsecurity=False).hexdigest().encode(): script.name
        for script in found
        if script.name.endswith(".lua")
    }


class _Reader:
    def __init__(self, wire: bytes) -> None:
        self._wire = wire
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._wire)

    def line(self) -> bytes:
        end = self._wire.index(b"\r\n", self._at)
        line = self._wire[self._at : end]
        self._at = end + 2
        return line

    def octets(self, length: int) -> bytes:
        octets = self._wire[self._at : self._at + length]
        self._at += length + 2
        return octets
