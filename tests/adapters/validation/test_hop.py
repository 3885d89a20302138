"""Where redirects may lead (H01-13, H01-14, HTT-03, HTT-17)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmeproxy.adapters.validation.hop import Hop, Ports, RedirectError, first_hop, follow
from acmeproxy.core.identifier import Identifier, IdentifierType

STANDARD = Ports()
MOVED = Ports(http=5002, https=5003)
START = first_hop(Identifier(IdentifierType.DNS, "a.example"), "token", STANDARD)


def led(location: str, ports: Ports = STANDARD, start: Hop = START) -> str:
    """Follow a redirect; write down where it is dialled, `Host`, and the path."""
    hop = follow(start, (location,), ports)
    return f"{hop.scheme} {hop.host.value}:{hop.port} {hop.authority} {hop.path}"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/x", "http a.example:80 a.example /x"),
        ("x?y=%2F&z", "http a.example:80 a.example /.well-known/acme-challenge/x?y=%2F&z"),
        ("../x", "http a.example:80 a.example /.well-known/x"),
        ("?y", "http a.example:80 a.example /.well-known/acme-challenge/token?y"),
        ("//b.example/x", "http b.example:80 b.example /x"),
        ("http://b.example", "http b.example:80 b.example /"),
        ("http://b.example/x#fragment", "http b.example:80 b.example /x"),
        ("HTTP://B.Example/X", "http b.example:80 b.example /X"),
        ("https://b.example/x", "https b.example:443 b.example /x"),
        ("https://b.example:443/x", "https b.example:443 b.example /x"),
        ("http://b.example:/x", "http b.example:80 b.example /x"),
        ("http://b.example:80/x", "http b.example:80 b.example /x"),
        ("http://b.example:443/x", "http b.example:443 b.example:443 /x"),
        ("https://b.example:80/x", "https b.example:80 b.example:80 /x"),
        ("http://xn--bcher-kva.example/", "http xn--bcher-kva.example:80 xn--bcher-kva.example /"),
        ("http://192.0.2.1/x", "http 192.0.2.1:80 192.0.2.1 /x"),
        ("https://[2001:db8::1]/x", "https 2001:db8::1:443 [2001:db8::1] /x"),
        ("http://b.example//x/../%2e%2E/", "http b.example:80 b.example //x/../%2e%2E/"),
        ("http://b.example/" + "x" * 1999, "http b.example:80 b.example /" + "x" * 1999),
    ],
)
def test_where_redirects_lead(location: str, expected: str) -> None:
    assert led(location) == expected


@pytest.mark.parametrize(
    ("location", "rule"),
    [
        ("", "not a URI"),
        ("ftp://b.example/", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("gopher://b.example:80/x", "only http and https"),
        ("data:text/plain,x", "only http and https"),
        ("javascript:alert(1)", "only http and https"),
        ("redis://127.0.0.1:6379/", "only http and https"),
        ("http://b.example:6379/", "only ports 80 and 443"),
        ("https://b.example:8200/", "only ports 80 and 443"),
        ("http://b.example:8080/", "only ports 80 and 443"),
        ("http://b.example:0/", "only ports 80 and 443"),
        ("http://b.example:99999/", "not a URI"),
        ("http://b.example:8o/", "not a URI"),
        ("http://b.example:080/", "canonical"),
        ("http://b.example:80:80/", "not a URI"),
        ("http://user@b.example/", "user names"),
        ("http://user:secret@b.example/", "user names"),
        ("http://@b.example/", "user names"),
        ("http://a.example@169.254.169.254/", "user names"),
        ("http://[fe80::1%25eth0]/", "zones"),
        ("http://[fe80::1%eth0]/", "zones"),
        ("http://[2001:0db8::1]/", "canonical"),
        ("http://[::ffff:127.0.0.1]/", "canonical"),
        ("http://[::ffff:7f00:1]/", "canonical"),
        ("http://[::1]x/", "canonical"),
        ("http://x[::1]/", "canonical"),
        ("http://[v1.x]/", "not an IPv6 address"),
        ("http://[127.0.0.1]/", "UR|IPv6"),
        ("http://[::1/", "not a URI"),
        ("http://2130706433/", "canonical"),
        ("http://0x7f000001/", "canonical"),
        ("http://127.1/", "canonical"),
        ("http://0177.0.0.1/", "canonical"),
        ("http://127.0.0.01/", "canonical"),
        ("http://127.0.0.1./", "canonical"),
        ("http://0x7f.1/", "canonical"),
        ("http://localhost/", "canonical"),
        ("http://*.b.example/", "canonical"),
        ("http://b_c.example/", "canonical"),
        ("http://b.example./", "canonical"),
        ("http://b%2eexample/", "canonical"),
        ("http:\\\\10.0.0.1", "not a URI"),
        ("http://b.example\\@c.example/", "not a URI"),
        ("/\\10.0.0.1/", "not a URI"),
        ("http://b.example/a b", "not a URI"),
        ("http://b.example/\tx", "not a URI"),
        ("http://b.example/\r\nX: y", "not a URI"),
        ("\x01http://b.example/", "not a URI"),
        ("http://b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example/", "not a URI"),
        ("http://\N{FULLWIDTH DIGIT ONE}27.0.0.1/", "not a URI"),
        ("http://b.example/" + "x" * 2000, "longer than 2000"),
        ("http://b.example/?" + "x" * 1999, "longer than 2000"),
    ],
)
def test_where_they_may_not_lead(location: str, rule: str) -> None:
    with pytest.raises(RedirectError, match=rule):
        led(location)


@pytest.mark.parametrize("locations", [(), ("/x", "/y")])
def test_there_is_one_location(locations: tuple[str, ...]) -> None:
    with pytest.raises(RedirectError, match="one Location"):
        follow(START, locations, STANDARD)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://b.example/x", "http b.example:5002 b.example /x"),
        ("http://b.example:80/x", "http b.example:5002 b.example /x"),
        ("https://b.example/x", "https b.example:5003 b.example /x"),
        ("http://b.example:5002/x", "http b.example:5002 b.example:5002 /x"),
        ("https://b.example:5003/x", "https b.example:5003 b.example:5003 /x"),
    ],
)
def test_ports_are_moved_for_development_only_as_configured(location: str, expected: str) -> None:
    """H01-02."""
    assert led(location, MOVED) == expected


def test_relative_redirects_keep_to_the_url_they_are_on() -> None:
    """H01-14, HTT-20."""
    start = first_hop(Identifier(IdentifierType.IP, "2001:db8::1"), "token", MOVED)
    assert start.url == "http://[2001:db8::1]/.well-known/acme-challenge/token"
    assert led("/x", MOVED, start) == "http 2001:db8::1:5002 [2001:db8::1] /x"
    there = follow(start, ("https://b.example:5003/x",), MOVED)
    assert led("y", MOVED, there) == "https b.example:5003 b.example:5003 /y"


@settings(deadline=None)
@given(
    st.text(max_size=60)
    | st.text(alphabet="htps:/.[]@%#?\\0123456789abx", max_size=40).map("http://".__add__)
)
def test_every_location_is_followed_by_the_rules_or_refused(location: str) -> None:
    """HTT-03: no other exception, and whatever is followed is in one form only."""
    try:
        hop = follow(START, (location,), STANDARD)
    except RedirectError:
        return
    assert hop.scheme in {"http", "https"}
    assert hop.port in {80, 443}
    assert hop.path.startswith("/")
    assert hop.url.isascii()
