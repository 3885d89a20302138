"""Where validation may connect to (VAL-07, HTT-01, IDN-07)."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmeproxy.adapters.validation.egress import Address, Egress

EVERYWHERE = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
OPEN = Egress(allow=EVERYWHERE)

DENIED_WHATEVER_IS_ALLOWED = [
    "0.0.0.0",  # noqa: S104 - nothing is bound
    "0.1.2.3", "127.0.0.1", "127.0.0.53", "127.255.255.255", "169.254.0.1",
    "169.254.169.254", "169.254.170.2", "192.0.0.8", "192.0.0.192", "192.88.99.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "100.100.100.200", "168.63.129.16", "::", "::1",
    "::2", "::127.0.0.1", "::10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1",
    "64:ff9b:1:7f00:0:100::", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::",
    "2001:0:a00:1::80ff:fffe", "2001:db8::5efe:7f00:1", "2001:db8::200:5efe:7f00:1", "100::1",
    "2001:10::1", "2001:20::1", "5f00::1", "fe80::1", "fe80::1%eth0", "2001:db8::1%1", "febf::1",
    "fec0::1", "ff02::1", "ff0e::1", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
]  # fmt: skip

ALLOWED_WHERE_ALL_IS = [
    "1.1.1.1", "10.0.0.1", "100.64.0.1", "172.16.0.1", "192.168.1.1", "192.0.2.1", "126.255.255.255",
    "128.0.0.1", "169.253.255.255", "2001:db8::1", "2606:4700::1111", "fd12:3456::1", "fc00::1",
    "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1",
]  # fmt: skip


@pytest.mark.parametrize("text", DENIED_WHATEVER_IS_ALLOWED)
def test_what_is_never_a_host_to_validate_is_denied(text: str) -> None:
    assert not OPEN.permits(ip_address(text), 80)


@pytest.mark.parametrize("text", ALLOWED_WHERE_ALL_IS)
def test_hosts_are_permitted_where_all_is_allowed(text: str) -> None:
    assert OPEN.permits(ip_address(text), 80)


def test_nothing_is_permitted_that_is_not_allowed() -> None:
    narrow = Egress(allow=(IPv4Network("10.0.0.0/8"),))
    assert narrow.permits(IPv4Address("10.255.0.1"), 80)
    assert not narrow.permits(IPv4Address("11.0.0.1"), 80)
    assert not narrow.permits(IPv6Address("2001:db8::1"), 80)
    assert not Egress(allow=()).permits(IPv4Address("10.0.0.1"), 80)


def test_deny_wins_over_allow_even_where_allow_is_narrower() -> None:
    egress = Egress(allow=(*EVERYWHERE, IPv4Network("10.1.0.0/16")), deny=(IPv4Network("10.0.0.0/8"),))
    assert not egress.permits(IPv4Address("10.1.2.3"), 80)
    assert not egress.permits(IPv6Address("64:ff9b::a01:203"), 80)
    assert egress.permits(IPv4Address("11.0.0.1"), 80)


def test_a_wrapped_address_must_be_allowed_by_itself_too() -> None:
    egress = Egress(allow=(IPv6Network("::/0"), IPv4Network("10.0.0.0/8")))
    assert egress.permits(IPv6Address("64:ff9b::a00:1"), 80)
    assert not egress.permits(IPv6Address("64:ff9b::c0a8:1"), 80)


@pytest.mark.parametrize(
    ("allow", "address", "permitted"),
    [
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.0/8", "127.9.9.9", True),
        ("127.0.0.1/32", "127.0.0.1", True),
        ("127.0.0.1/32", "127.0.0.2", False),
        ("::1/128", "::1", True),
        ("127.0.0.0/8", "::1", False),
        ("0.0.0.0/0", "127.0.0.1", False),
        ("126.0.0.0/7", "127.0.0.1", False),
        ("::/0", "::1", False),
        ("::/64", "::1", False),
    ],
)
def test_loopback_opens_only_to_an_entry_inside_loopback(allow: str, address: str, permitted: bool) -> None:  # noqa: FBT001 - a column of the table
    assert Egress(allow=(ip_network(allow),)).permits(ip_address(address), 80) is permitted


def test_own_listeners_are_denied_by_address_and_port() -> None:
    allow = (*EVERYWHERE, IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
    egress = Egress(allow=allow, own=(("10.0.0.5", 443), ("127.0.0.1", 80)))
    assert not egress.permits(IPv4Address("10.0.0.5"), 443)
    assert not egress.permits(IPv6Address("::ffff:10.0.0.5"), 443)
    assert not egress.permits(IPv4Address("127.0.0.1"), 80)
    assert egress.permits(IPv4Address("10.0.0.5"), 80)
    assert egress.permits(IPv4Address("127.0.0.2"), 80)


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])  # noqa: S104 - nothing is bound
def test_a_listener_on_every_address_denies_all_loopback(everywhere: str) -> None:
    allow = (*EVERYWHERE, IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
    egress = Egress(allow=allow, own=((everywhere, 8080),))
    for text in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"):
        assert not egress.permits(ip_address(text), 8080)
        assert egress.permits(ip_address(text), 80)


def test_a_listener_must_be_given_by_address() -> None:
    with pytest.raises(ValueError, match=r"proxy\.example"):
        Egress(allow=(), own=(("proxy.example", 80),))


FORBIDDEN = [
    IPv4Network("0.0.0.0/8"),
    IPv4Network("127.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("224.0.0.0/4"),
    IPv4Network("240.0.0.0/4"),
]
DENIED_BY_RULE = IPv4Network("10.20.0.0/16")


def wrapped(inner: IPv4Address) -> list[Address]:
    """Return an IPv4 address in every form that IPv6 has for it."""
    octets = inner.packed
    inverted = bytes(octet ^ 0xFF for octet in octets)
    forms = (
        bytes(10) + b"\xff\xff" + octets,
        bytes(12) + octets,
        bytes(8) + b"\xff\xff\x00\x00" + octets,
        b"\x00\x64\xff\x9b" + bytes(8) + octets,
        b"\x00\x64\xff\x9b\x00\x01" + bytes(6) + octets,
        b"\x20\x02" + octets + bytes(10),
        b"\x20\x01\x00\x00" + octets + bytes(8),
        b"\x20\x01\x00\x00\x0a\x00\x00\x01" + bytes(4) + inverted,
        b"\x20\x01\x0d\xb8" + bytes(4) + b"\x00\x00\x5e\xfe" + octets,
        b"\xfd\x12" + bytes(6) + b"\x02\x00\x5e\xfe" + octets,
    )
    return [inner, *(IPv6Address(form) for form in forms)]


def inside(network: IPv4Network) -> st.SearchStrategy[IPv4Address]:
    return st.integers(0, network.num_addresses - 1).map(
        lambda offset: IPv4Address(int(network.network_address) + offset)
    )


@settings(deadline=None)
@given(st.sampled_from([*FORBIDDEN, DENIED_BY_RULE]).flatmap(inside), st.integers(1, 65535))
def test_no_form_of_a_denied_address_is_permitted(inner: IPv4Address, port: int) -> None:
    """HTT-01, IDN-07: mapped, compatible, translated, NAT64, 6to4, Teredo and ISATAP forms."""
    egress = Egress(allow=EVERYWHERE, deny=(DENIED_BY_RULE,))
    assert [str(form) for form in wrapped(inner) if egress.permits(form, port)] == []


@settings(deadline=None)
@given(st.ip_addresses(v=4), st.ip_addresses(v=6))
def test_whatever_is_permitted_is_inside_allow_and_outside_deny(v4: IPv4Address, v6: IPv6Address) -> None:
    egress = Egress(
        allow=(IPv4Network("64.0.0.0/2"), IPv6Network("2000::/4")), deny=(IPv4Network("96.0.0.0/3"),)
    )
    for address in [*wrapped(v4), v6]:
        if egress.permits(address, 80):
            assert any(address in network for network in egress.allow)
            assert not any(address in network for network in egress.deny)
