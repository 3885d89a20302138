"""One handshake with one checked address (RFC 8737 §3, §4); the certificate: test_alpn_certificate."""

import asyncio
import contextlib
import ssl
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network

import pytest

from acmeproxy.adapters.validation.egress import Egress
from acmeproxy.adapters.validation.handshake import server_name
from acmeproxy.core.identifier import Identifier, IdentifierType
from tests.support.alpn_certificate import OCTET_STRING, certificate, ip, names, proof
from tests.support.alpn_look import look, only, server_context
from tests.support.der import dns, extension
from tests.support.dns_server import Zone, after, from_zone
from tests.support.hostile_http import Script, hostile_http, repeat, reset, say, say_and_stay
from tests.support.http01_look import AT_EASE, SOON, black_hole, closed_port, dns_target, ip_target, kind

BOTH: Zone = {"a.example": {"AAAA": ["::1"], "A": ["127.0.0.1"]}}
CERTIFICATE = "incorrectResponse TLS-ALPN01-CERTIFICATE"
PROTOCOL = "incorrectResponse TLS-ALPN01-PROTOCOL"
NO_TLS = "tls TLS-FAILED"
UNREACHABLE = "connection CONNECTION-FAILED"
DENIED = "connection EGRESS-DENIED"
#: no_application_protocol, fatal (RFC 7301 §3.2), as a record of TLS 1.2.
ALERT = bytes.fromhex("15030300020278")


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Wait until the other side has gone."""
    await reader.read()


async def judged(context: ssl.SSLContext) -> str | None:
    async with hostile_http(hang, tls=context, request_ends=b"") as target:
        return kind(await look(target.port))


async def answered(script: Script, timeout: timedelta = SOON) -> str | None:  # noqa: ASYNC109 - the validator's own
    async with hostile_http(script, request_ends=b"") as target:
        return kind(await look(target.port, timeout=timeout))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_right_certificate_over_a_good_version(version: ssl.TLSVersion) -> None:
    """TAL-01."""
    assert await judged(only(server_context(), version)) is None


async def test_an_old_version_is_refused() -> None:
    """TAL-01, HTT-15."""
    assert await judged(only(server_context(), ssl.TLSVersion.TLSv1_1)) == NO_TLS


@pytest.mark.parametrize(
    ("target", "host", "name"),
    [
        (dns_target("xn--bcher-kva.example"), "127.0.0.1", b"xn--bcher-kva.example"),
        (ip_target("127.0.0.1"), "127.0.0.1", b"1.0.0.127.in-addr.arpa"),
        (ip_target("::1"), "::1", b"1." + b"0." * 31 + b"ip6.arpa"),
    ],
)
async def test_what_the_hello_says(target: object, host: str, name: bytes) -> None:
    """TAL-02, TAL-03, TAL-13, ALP-05: one protocol, and SNI without port or dot; IPI-03: nobody is asked."""
    hello: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(5)
        hello.append(await reader.readexactly(int.from_bytes(head[3:], "big")))

    zone: Zone = {"xn--bcher-kva.example": {"A": ["127.0.0.1"]}}
    async with hostile_http(keep, host, request_ends=b"") as server:
        assert kind(await look(server.port, zone, target=target)) == NO_TLS  # type: ignore[arg-type] # of two makers
    one_protocol = b"\x00\x10\x00\x0d\x00\x0b\x0aacme-tls/1"
    assert one_protocol in hello[0]
    sized = len(name).to_bytes(2, "big") + name
    entry = b"\x00" + sized
    listed = len(entry).to_bytes(2, "big") + entry
    assert b"\x00\x00" + len(listed).to_bytes(2, "big") + listed in hello[0]


def test_the_name_of_an_address() -> None:
    """TAL-13: as RFC 8738 §6 writes them."""
    assert server_name(Identifier(IdentifierType.IP, "192.0.2.1")) == "1.2.0.192.in-addr.arpa"
    assert server_name(Identifier(IdentifierType.IP, "2001:db8::1")) == (
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_address_is_dialled_at_itself(address: str) -> None:
    """TAL-13, IPI-02."""
    context = server_context(certificate([names(ip(address)), proof()]))
    async with hostile_http(hang, address, tls=context, request_ends=b"") as server:
        assert await look(server.port, {}, target=ip_target(address)) is None


@pytest.mark.parametrize("protocols", [[], ["h2"], ["h2", "http/1.1"], ["acme-tls/2"]])
async def test_a_server_that_does_not_choose_the_protocol(protocols: list[str]) -> None:
    """TAL-04, ALP-02: whatever certificate it shows."""
    assert await judged(server_context(protocols=protocols)) == PROTOCOL


async def test_the_protocol_may_be_one_of_several() -> None:
    """TAL-04: what else the server knows was not asked for."""
    assert await judged(server_context(protocols=["h2", "acme-tls/1"])) is None


async def test_nothing_is_said_after_the_handshake() -> None:
    """TAL-11: not a byte is written, and none is waited for."""
    heard: list[bytes] = []
    done = asyncio.Event()

    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 welcome\r\n" * 1000)
        with contextlib.suppress(OSError):
            heard.append(await reader.read())
        done.set()

    async with hostile_http(talkative, tls=server_context(), request_ends=b"") as server:
        assert await look(server.port) is None
        async with asyncio.timeout(60):
            await done.wait()
    assert b"".join(heard) == b""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_no_session_is_ever_resumed(version: ssl.TLSVersion) -> None:
    """TAL-12: a resumed one would show no certificate."""
    context = only(server_context(), version)
    async with hostile_http(hang, tls=context, request_ends=b"") as server:
        for _ in range(3):
            assert await look(server.port) is None
    assert context.session_stats()["hits"] == 0


@pytest.mark.parametrize(
    "extensions",
    [
        [names(dns(b"b.example")), proof()],
        [names(dns(b"a.example"), dns(b"b.example")), proof()],
        [names(dns(b"a.example"), ip("127.0.0.1")), proof()],
        [names(ip("127.0.0.1")), proof()],
        [proof()],
        [names()],
        [names(), proof(critical=False)],
        [names(), proof(), proof()],
        [names(), proof(OCTET_STRING[2:])],
        [names(), proof(b"\x04\x81" + OCTET_STRING[1:])],
        [names(), proof(b"\x04\x20" + bytes(32))],
    ],
)
async def test_a_wrong_certificate_is_a_wrong_answer(extensions: list[bytes]) -> None:
    """TAL-05..TAL-08, TAL-17..TAL-19."""
    assert await judged(server_context(certificate(extensions))) == CERTIFICATE


async def test_what_is_wrong_is_told_without_a_word_of_it() -> None:
    """INV-10, HTT-05."""
    context = server_context(certificate([names(dns(b"s3cr3t.internal")), proof()]))
    async with hostile_http(hang, tls=context, request_ends=b"") as server:
        found = await look(server.port)
    assert found is not None
    assert found.detail == (
        f"let a.example port {server.port} serve the ACME client's certificate for this challenge: the one"
        " that came is for another name [ref TLS-ALPN01-CERTIFICATE]"
    )


async def test_an_expired_certificate_passes() -> None:
    """TAL-10."""
    assert await judged(server_context(certificate(expired=True))) is None


@pytest.mark.parametrize(("size", "expected"), [(66_000, CERTIFICATE), (90_000, NO_TLS), (400_000, NO_TLS)])
async def test_a_huge_certificate_is_not_taken(size: int, expected: str) -> None:
    """ALP-08."""
    huge = certificate([names(), proof(), extension("1.2.3.4", bytes(size))])
    assert await judged(server_context(huge)) == expected


@pytest.mark.parametrize(
    "script",
    [
        say(ALERT),  # TAL-04
        say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        say(b"220 mail.example ESMTP\r\n"),
        say(b"\x16\x03\x03\xff\xff" + bytes(65535)),
        say(bytes(200_000)),
        say(),
        reset(),
    ],
)
async def test_what_is_no_tls_is_a_failed_handshake(script: Script) -> None:
    """TAL-18."""
    assert await answered(script) == NO_TLS


@pytest.mark.parametrize(
    "script",
    [
        say_and_stay(),
        say_and_stay(b"\x16\x03\x03\x40\x00\x02"),
        repeat(b"\x00", b"\x16\x03\x03\x40\x00\x02", every=0.02),
    ],
)
async def test_a_stalled_handshake_ends_with_the_deadline(script: Script) -> None:
    """HTT-08, HTT-15, VAL-06."""
    assert await answered(script) == UNREACHABLE


async def test_records_without_end_are_bounded() -> None:
    """ALP-08: ignorable records, of which TLS takes any number."""
    change_cipher_spec = b"\x14\x03\x03\x00\x01\x01"
    assert await answered(repeat(change_cipher_spec * 4000), AT_EASE) == NO_TLS


async def test_ipv6_comes_first_and_ipv4_where_nobody_listens() -> None:
    """TAL-15."""
    async with hostile_http(hang, tls=server_context(), request_ends=b"") as four:
        assert await look(four.port, BOTH) is None
        async with hostile_http(say(ALERT), "::1", four.port, request_ends=b"") as six:
            assert kind(await look(four.port, BOTH)) == NO_TLS
            assert six.connections == 1


async def test_ipv4_is_tried_where_ipv6_swallows_everything() -> None:
    """TAL-15: half of the time is left for it."""
    async with (
        hostile_http(hang, tls=server_context(), request_ends=b"") as four,
        black_hole("::1", four.port),
    ):
        assert await look(four.port, BOTH, timeout=3 * SOON) is None


async def test_a_closed_port_is_no_connection() -> None:
    with closed_port() as port:
        assert kind(await look(port)) == UNREACHABLE


async def test_an_address_out_of_bounds_is_never_dialled() -> None:
    """ALP-07, VAL-07, HTT-01."""
    narrow = Egress(allow=(IPv4Network("127.0.0.2/32"), IPv6Network("::1/128")))
    async with hostile_http(hang, request_ends=b"") as canary:
        assert kind(await look(canary.port, egress=narrow)) == DENIED
        assert kind(await look(canary.port, {}, egress=narrow, target=ip_target("127.0.0.1"))) == DENIED
        mapped: Zone = {"a.example": {"AAAA": ["::ffff:127.0.0.1"], "A": ["169.254.169.254"]}}
        assert kind(await look(canary.port, mapped, egress=narrow)) == DENIED
        own = Egress(allow=(IPv4Network("127.0.0.0/8"),), own=(("127.0.0.1", canary.port),))
        assert kind(await look(canary.port, egress=own)) == DENIED
        assert canary.connections == 0


async def test_the_checked_address_is_dialled_and_the_name_not_resolved_again() -> None:
    """ALP-07, HTT-02: every answer after the first leads elsewhere."""
    good, evil = (from_zone({"a.example": {"A": [a]}}) for a in ("127.0.0.1", "127.0.0.3"))
    async with (
        hostile_http(hang, tls=server_context(), request_ends=b"") as server,
        hostile_http(hang, "127.0.0.3", server.port, request_ends=b"") as canary,
    ):
        rebinding = after(2, good, evil)  # A and AAAA are one look-up
        assert await look(server.port, rebinding) is None
        assert canary.connections == 0


@pytest.mark.parametrize("zone", [{}, {"a.example": {"TXT": ["x"]}}])
async def test_a_name_without_an_address(zone: Zone) -> None:
    """VAL-13."""
    assert kind(await look(443, zone)) == "dns DNS-FAILED"
