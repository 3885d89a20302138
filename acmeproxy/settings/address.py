"""Addresses and URLs as an operator writes them."""

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>[0-9]{1,5})")
_MAX_PORT: Final = 65535


class Address(msgspec.Struct, frozen=True):
    """A host (name, IPv4, or IPv6 without brackets) and a TCP or UDP port; its text is `HOST:PORT`."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def parse_address(value: object) -> Address:
    """Parse `HOST:PORT`, with an IPv6 host in brackets.

    Raises:
        ValueError: If it is anything else. An empty host is refused: every address is `0.0.0.0` or `[::]`.
    """
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found["port"]) > _MAX_PORT:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8443 or [::1]:8443")
    if found["v6"]:
        try:
            return Address(str(ipaddress.IPv6Address(found["v6"])), int(found["port"]))
        except ValueError:
            raise ValueError("must have an IPv6 address in the brackets") from None
    return Address(found["host"], int(found["port"]))


def parse_server(value: object) -> Address:
    """Parse the `HOST:PORT` of a name server, whose host must be an address: nobody could look up its name.

    Raises:
        ValueError: If it is anything else.
    """
    address = parse_address(value)
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        raise ValueError("must be an IP address and a port, such as 10.0.0.53:53") from None
    return address


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine and nothing else."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def parse_url(value: object, *schemes: str) -> SplitResult:
    """Split an absolute URL of one of the schemes, without user, query and fragment.

    Raises:
        ValueError: If it is anything else; the text does not repeat the value.
    """
    expected = " or ".join(f"{scheme}://" for scheme in schemes)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"must be an absolute URL: {expected} and a host")
    try:
        url = urlsplit(value)
        _ = url.port
    except ValueError:
        raise ValueError(f"must be an absolute URL: {expected} and a host") from None
    if url.scheme not in schemes or not url.hostname:
        raise ValueError(f"must be an absolute URL: {expected} and a host")
    if "@" in url.netloc or "?" in value or "#" in value:
        raise ValueError("must have no user, query or fragment")
    return url


def root_url(url: SplitResult) -> str:
    """Return a URL that has no path, in lower case and without a slash at its end.

    Raises:
        ValueError: If it has a path.
    """
    if url.path not in {"", "/"}:
        raise ValueError("must end after the host and port: no path")
    return f"{url.scheme}://{url.netloc.lower()}"
