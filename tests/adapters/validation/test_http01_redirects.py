"""Redirects on the wire (H01-11 to H01-17, HTT-03, HTT-15, IPI-07)."""

import ssl

import pytest

from tests.support.hostile_http import (
    Script,
    by_path,
    hostile_http,
    redirect,
    reset,
    response,
    say,
    say_and_stay,
)
from tests.support.http01_look import (
    ANSWER,
    PATH,
    SOON,
    closed_port,
    dns_target,
    ip_target,
    kind,
    look,
)
from tests.support.server_tls import server_tls

REFUSED = "connection REDIRECT-REFUSED"
OK = say(response(200, ANSWER))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_followed(status: int) -> None:
    """H01-11, H01-15: and each hop is a new connection, with the host's own name."""
    async with hostile_http(redirect("http://b.example/x?y=%2f", status=status)) as first:
        async with hostile_http(OK, "127.0.0.2", first.port) as second:
            assert await look(first.port) is None
            assert second.requests[0].startswith(b"GET /x?y=%2f HTTP/1.1\r\nHost: b.example\r\n")
        assert first.connections == 1


async def test_status_303_is_not_followed() -> None:
    """H01-12."""
    async with hostile_http(redirect("/x", status=303)) as target:
        assert kind(await look(target.port)) == REFUSED
        assert target.connections == 1


@pytest.mark.parametrize(("redirects", "expected"), [(10, None), (11, REFUSED)])
async def test_ten_redirects_and_no_more(redirects: int, expected: str | None) -> None:
    """H01-12."""
    async with hostile_http(OK) as target:
        pages = {f"/{n}": redirect(f"/{n + 1}") for n in range(1, redirects)}
        target.script = by_path({PATH: redirect("/1"), **pages, f"/{redirects}": OK})(target)
        assert kind(await look(target.port)) == expected
        assert target.connections == 11


@pytest.mark.parametrize("back", [PATH, "", "http://a.example:80", "#x"])
async def test_a_loop_is_refused_at_once(back: str) -> None:
    """H01-12."""
    location = back if back in {PATH, "#x"} else back + PATH
    async with hostile_http(redirect(location)) as target:
        problem = await look(target.port)
        assert kind(problem) == REFUSED
        assert problem is not None
        assert "redirect 1 was not followed, as it leads back" in problem.detail
        assert target.connections == 1


async def test_a_longer_loop_is_refused() -> None:
    async with hostile_http(OK) as target:
        target.script = by_path({PATH: redirect("/x"), "/x": redirect("/y"), "/y": redirect("/x")})(target)
        assert kind(await look(target.port)) == REFUSED
        assert target.connections == 3


@pytest.mark.parametrize(
    "location",
    ["ftp://b.example/", "http://b.example:6379/", "http://user@b.example/", "http://2130706433/",
     "http:\\\\127.0.0.2", "http://[::1%25lo]/", "http://b.example\xe9/", "https://b.example:8200/"],
)  # fmt: skip
async def test_a_redirect_against_the_rules_is_refused(location: str) -> None:
    """H01-13, HTT-03; all rules are in test_hop."""
    async with (
        hostile_http(redirect(location)) as first,
        hostile_http(OK, "127.0.0.2", first.port) as second,
    ):
        assert kind(await look(first.port)) == REFUSED
        assert second.connections == 0


@pytest.mark.parametrize("locations", [(), ("/x", "/x")])
async def test_a_redirect_has_one_location(locations: tuple[str, ...]) -> None:
    """H01-14."""
    async with hostile_http(redirect(*locations)) as target:
        assert kind(await look(target.port)) == REFUSED


async def test_an_address_may_redirect_to_a_name_and_back() -> None:
    """IPI-07."""
    async with hostile_http(OK) as first:
        first.script = by_path({PATH: redirect("http://b.example/x"), "/y": OK})(first)
        async with hostile_http(redirect("http://127.0.0.1/y"), "127.0.0.2", first.port):
            assert await look(first.port, target=ip_target("127.0.0.1")) is None
            assert b"\r\nHost: 127.0.0.1\r\n" in first.requests[1]


@pytest.mark.parametrize("sort", ["self-signed for another name", "expired"])
async def test_https_is_not_asked_who_it_is(sort: str) -> None:
    """H01-16: SNI is the host redirected to."""
    names: list[str | None] = []
    context = server_tls("other.example", expired=sort == "expired")
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with (
        hostile_http(OK, "127.0.0.2", tls=context) as secure,
        hostile_http(redirect("https://b.example/x")) as first,
    ):
        assert await look(first.port, https_port=secure.port) is None
        assert names == ["b.example"]
        assert secure.requests[0].startswith(b"GET /x HTTP/1.1\r\nHost: b.example\r\n")


async def test_an_address_is_no_server_name() -> None:
    """RFC 6066 §3."""
    names: list[str | None] = []
    context = server_tls("other.example")
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with (
        hostile_http(OK, "127.0.0.2", tls=context) as secure,
        hostile_http(redirect("https://127.0.0.2/x")) as first,
    ):
        assert await look(first.port, https_port=secure.port) is None
        assert names == [None]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
async def test_tls_below_1_2_is_refused() -> None:
    """HTT-15."""
    context = server_tls("b.example")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with (
        hostile_http(OK, "127.0.0.2", tls=context) as secure,
        hostile_http(redirect("https://b.example/x")) as first,
    ):
        assert kind(await look(first.port, https_port=secure.port)) == "tls TLS-FAILED"


@pytest.mark.parametrize("script", [say(b"SSH-2.0-OpenSSH_9.9\r\n\r\n" * 40), say(), reset()])
async def test_what_does_not_speak_tls_is_said_to_be_so(script: Script) -> None:
    async with (
        hostile_http(script, "127.0.0.2", request_ends=b"") as plain,
        hostile_http(redirect("https://b.example/x")) as first,
    ):
        assert kind(await look(first.port, https_port=plain.port)) == "tls TLS-FAILED"


async def test_a_handshake_that_stalls_ends_with_the_deadline() -> None:
    """HTT-15."""
    async with (
        hostile_http(say_and_stay(), "127.0.0.2") as stalling,
        hostile_http(redirect("https://b.example/x")) as first,
    ):
        problem = await look(first.port, https_port=stalling.port, timeout=SOON)
        assert kind(problem) == "connection CONNECTION-FAILED"


async def test_the_first_hop_is_never_https() -> None:
    """H01-17: also where browsers would insist on it."""
    async with hostile_http(OK) as target:
        zone = {"www.google.dev": {"A": ["127.0.0.1"]}}
        assert await look(target.port, zone, https_port=1, target=dns_target("www.google.dev")) is None


async def test_beyond_a_redirect_neither_name_nor_address_is_told() -> None:
    """INV-10: or a Location would be a way to read this network's DNS and ports."""
    with closed_port("127.0.0.2") as port:
        zone = {
            "a.example": {"A": ["127.0.0.1"]},
            "b.example": {"A": ["127.0.0.2"]},
            "c.example": {"A": ["10.0.0.9"]},
        }
        async with hostile_http(redirect("http://b.example/x"), port=port) as first:
            unreachable = await look(first.port, zone)
            first.script = redirect("http://c.example/x")
            denied = await look(first.port, zone)
            first.script = redirect("http://d.example/x")
            absent = await look(first.port, zone)
    assert kind(unreachable) == "connection CONNECTION-FAILED"
    assert kind(denied) == "connection EGRESS-DENIED"
    assert kind(absent) == "dns DNS-FAILED"
    for problem in (unreachable, denied, absent):
        text = repr(problem)
        assert "redirect 1" in text
        for told in ("b.example", "c.example", "d.example", "127.0.0.2", "10.0.0.9", "NXDOMAIN"):
            assert told not in text
