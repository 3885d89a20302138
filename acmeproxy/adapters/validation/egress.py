"""Where validation may connect to: addresses are strangers' input, and names lead anywhere (RFC 8555 §10.4).

`ipaddress.is_global` and its kin are no guard: they call NAT64, 6to4 and site-local addresses global and see
nothing in `::ffff:127.0.0.1`. IANA's special-purpose registries (RFC 6890) are written down here instead.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

import msgspec

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


class Egress(msgspec.Struct, frozen=True):
    """Decides for one address and port whether validation may dial it.

    `allow` must hold the address and each IPv4 address wrapped in it; `deny` beats `allow`; what is never
    a host to validate (metadata, link-local, multicast, reserved, ...) is denied whatever they say. Loopback
    opens only to an `allow` entry that lies inside loopback: `0.0.0.0/0` does not name it.

    `own` are the (address, port) pairs that this proxy listens on. An unspecified address there stands for
    every loopback address; further addresses of the machine must be listed to be known.

    Raises:
        ValueError: An entry of `own` is not the text of an address.
    """

    allow: tuple[Network, ...]
    deny: tuple[Network, ...] = ()
    own: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        for host, _ in self.own:
            ip_address(host)

    def permits(self, address: Address, port: int) -> bool:
        """Whether `address` may be dialled at `port`, with all that is wrapped in it."""
        return all(self._permits(face, port) for face in _faces(address))

    def _permits(self, face: Address, port: int) -> bool:
        if isinstance(face, IPv6Address) and face.scope_id is not None:
            return False
        if _is_special(face) or _within(face, self.deny) or self._is_own(face, port):
            return False
        allowed = [network for network in self.allow if _within(face, (network,))]
        if _within(face, _LOOPBACK):
            return any(_lies_inside(network, _LOOPBACK) for network in allowed)
        return bool(allowed)

    def _is_own(self, face: Address, port: int) -> bool:
        return any(port == own and _stands_for(ip_address(host), face) for host, own in self.own)


def _faces(address: Address) -> Iterator[Address]:
    """Yield the address and, however deep, every IPv4 address that a tunnel or translator finds in it."""
    yield address
    if isinstance(address, IPv6Address):
        octets = address.packed
        if address in _MAPPED or address in _NAT64:
            yield IPv4Address(octets[12:])
        elif address in _SIX_TO_FOUR:
            yield IPv4Address(octets[2:6])
        elif address in _TEREDO:
            yield IPv4Address(octets[4:8])
            yield IPv4Address(bytes(octet ^ 0xFF for octet in octets[12:]))
        if octets[8:12] in _ISATAP:
            yield IPv4Address(octets[12:])


def _is_special(face: Address) -> bool:
    if isinstance(face, IPv4Address):
        return _within(face, _NEVER)
    if _within(face, _LOOPBACK):
        return False
    return _within(face, _NEVER) or not _within(face, _USABLE6)


def _stands_for(listener: Address, face: Address) -> bool:
    if listener.is_unspecified:
        return _within(face, _LOOPBACK)
    return listener == face


def _within(face: Address, networks: tuple[Network, ...]) -> bool:
    # An address is in no network of the other version; `in` says so by itself.
    return any(face in network for network in networks)


def _lies_inside(inner: Network, networks: tuple[Network, ...]) -> bool:
    return any(inner.network_address in outer and inner.prefixlen >= outer.prefixlen for outer in networks)


_LOOPBACK: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

_MAPPED: Final = IPv6Network("::ffff:0:0/96")  # RFC 4291 §2.5.5.2
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")  # RFC 3056 §2
_TEREDO: Final = IPv6Network("2001::/32")  # RFC 4380 §4
_ISATAP: Final = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")  # RFC 5214 §6.1, under any prefix

_NEVER: Final[tuple[Network, ...]] = (
    IPv4Network("0.0.0.0/8"),  # this network, unspecified
    IPv4Network("169.254.0.0/16"),  # link-local; metadata of most clouds and of container hosts
    IPv4Network("192.0.0.0/24"),  # protocol assignments; metadata of Oracle
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv4Network("224.0.0.0/4"),  # multicast
    IPv4Network("240.0.0.0/4"),  # reserved, broadcast
    IPv4Network("100.100.100.200/32"),  # metadata of Alibaba
    IPv4Network("168.63.129.16/32"),  # host of Azure
    IPv6Network("2001:10::/28"),  # ORCHID, names of keys and of no hosts
    IPv6Network("2001:20::/28"),  # ORCHIDv2
    IPv6Network("fd00:ec2::/32"),  # metadata, time and DNS of AWS
    IPv6Network("fd20:ce::254/128"),  # metadata of Google
)

# Everything else of IPv6 is reserved, link-local, site-local, multicast or deprecated. So are 64:ff9b:1::/48,
# where only the network's operator knows which bits are the IPv4 address, and IPv4-compatible `::a.b.c.d`.
_USABLE6: Final[tuple[Network, ...]] = (
    IPv6Network("2000::/3"),
    IPv6Network("fc00::/7"),
    _MAPPED,
    _NAT64,
)
