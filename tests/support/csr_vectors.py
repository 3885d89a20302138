"""Requests that OpenSSL made (tests/vectors/README.md), and what they are held against."""

import base64
from pathlib import Path

from acmeproxy.core.identifier import Identifier, IdentifierType

_DIRECTORY = Path(__file__).parents[1] / "vectors" / "csr"


def from_openssl(name: str) -> bytes:
    """Return the DER of a request of tests/vectors/csr."""
    lines = (_DIRECTORY / f"{name}.pem").read_text("ascii").splitlines()
    return base64.b64decode("".join(lines[1:-1]))


def vectors() -> set[str]:
    """Return the names of all requests that there are."""
    return {path.stem for path in _DIRECTORY.glob("*.pem")}


def dns(*values: str) -> frozenset[Identifier]:
    """Return the names of an order."""
    return frozenset(Identifier(IdentifierType.DNS, value) for value in values)
