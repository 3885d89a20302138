"""The URLs that one http-01 look visits, and the rules for being sent on (RFC 8555 §8.3, H01-11..H01-14)."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec

from acmeproxy.core.identifier import Identifier, IdentifierType, dns_name

REDIRECTS: Final = frozenset({301, 302, 307, 308})
SEE_OTHER: Final = 303  # leads to another resource by meaning (RFC 9110 §15.4.4), so it is not followed
_LONGEST_PATH: Final = 2000
# What RFC 3986 lets stand in a URI, and no more: browsers repair backslashes, blanks and controls, and every
# repair is a way to mean another host than was checked.
_URI: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_NO_HOST: Final = "the host must be a DNS name or an address in canonical form"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class RedirectError(Exception):
    """A redirect breaks a rule. The text is the rule, never a byte of the Location (INV-10)."""


class Ports(msgspec.Struct, frozen=True):
    """Where 80 and 443 are dialled: themselves, unless this is a development set-up (H01-02)."""

    http: int = 80
    https: int = 443


class Hop(msgspec.Struct, frozen=True):
    """One URL to GET: where to look for it and what to ask for.

    `port` is the one that is dialled; `authority` is the value of `Host`; `path` holds the query, too.
    """

    scheme: str
    host: Identifier
    port: int
    authority: str
    path: str

    @property
    def url(self) -> str:
        """The URL as the target knows it."""
        return f"{self.scheme}://{self.authority}{self.path}"


def first_hop(identifier: Identifier, token: str, ports: Ports) -> Hop:
    """Return where the answer to a challenge is: plain http, whatever browsers know of the name (H01-17)."""
    path = f"/.well-known/acme-challenge/{token}"
    return Hop("http", identifier, ports.http, _literal(identifier), path)


def follow(hop: Hop, locations: tuple[str, ...], ports: Ports) -> Hop:
    """Return the hop that a redirect leads to, its `Location` fields given as received.

    Raises:
        RedirectError: With the rule that it breaks.
    """
    if len(locations) != 1:
        raise RedirectError("there must be one Location")
    if not _URI.fullmatch(locations[0]):
        raise RedirectError("the Location is not a URI")
    try:
        parts = urlsplit(urljoin(hop.url, locations[0]))
        given = parts.port
    except ValueError as error:
        raise RedirectError("the Location is not a URI") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise RedirectError("only http and https are followed")
    if "@" in parts.netloc:
        raise RedirectError("user names and passwords are not allowed")
    host = _host(parts)
    authority = _literal(host)
    if parts.netloc.lower() not in {authority, f"{authority}:", f"{authority}:{given}"}:
        raise RedirectError("the host is not in canonical form")
    if given is not None and given != _DEFAULT_PORTS[parts.scheme]:
        authority = f"{authority}:{given}"
    return Hop(parts.scheme, host, _dialled(parts.scheme, given, ports), authority, _path(parts))


def _host(parts: SplitResult) -> Identifier:
    """Take a name of letters, digits and hyphens, or an address in its one form.

    Whatever else getaddrinfo would make an address of (`127.1`, `2130706433`, `0x7f.1`) is neither.
    """
    text = parts.hostname or ""
    if parts.netloc.startswith("["):
        return Identifier(IdentifierType.IP, _ipv6(text))
    try:
        return Identifier(IdentifierType.IP, str(IPv4Address(text)))
    except AddressValueError:
        pass
    try:
        name = dns_name(text)
    except ValueError as error:
        raise RedirectError(_NO_HOST) from error
    if name.startswith("*."):
        raise RedirectError(_NO_HOST)
    return Identifier(IdentifierType.DNS, name)


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError as error:
        raise RedirectError("the host is not an IPv6 address") from error
    if address.scope_id is not None:
        raise RedirectError("IPv6 zones are not allowed")
    if str(address) != text or address.ipv4_mapped is not None:
        raise RedirectError("the IPv6 address is not in canonical form")
    return text


def _dialled(scheme: str, given: int | None, ports: Ports) -> int:
    wanted = _DEFAULT_PORTS[scheme] if given is None else given
    allowed = {ports.http: ports.http, ports.https: ports.https, 80: ports.http, 443: ports.https}
    if wanted not in allowed:
        raise RedirectError("only ports 80 and 443 are followed")
    return allowed[wanted]


def _path(parts: SplitResult) -> str:
    path = parts.path or "/"
    if parts.query:
        path = f"{path}?{parts.query}"
    if len(path) > _LONGEST_PATH:
        raise RedirectError(f"the path is longer than {_LONGEST_PATH} characters")
    return path


def _literal(host: Identifier) -> str:
    is_ipv6 = host.type is IdentifierType.IP and ":" in host.value
    return f"[{host.value}]" if is_ipv6 else host.value
