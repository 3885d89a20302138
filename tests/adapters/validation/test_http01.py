"""What an answer must be, and what is sent for it (RFC 8555 §8.3)."""

import asyncio
import gzip

import pytest

from tests.support.hostile_http import HostileHttp, Script, hostile_http, response, say
from tests.support.http01_look import (
    ANSWER,
    KEY_AUTHORIZATION,
    PATH,
    THUMBPRINT,
    TOKEN,
    dns_target,
    ip_target,
    kind,
    look,
    validator,
)

CONTENT = "incorrectResponse HTTP01-CONTENT"
STATUS = "incorrectResponse HTTP01-STATUS"
BROKEN = "connection CONNECTION-FAILED"
SECRET = b"s3cr3t-banner"


def ok(body: bytes, *fields: str) -> Script:
    return say(response(200, body, *fields))


async def judged(script: Script) -> str | None:
    async with hostile_http(script) as target:
        return kind(await look(target.port))


async def test_the_request_is_this_and_nothing_more() -> None:
    """H01-01, H01-03, H01-20, H01-22, HTT-07: exact path, bare name, no cookie, no compression, one dial."""
    async with hostile_http(ok(ANSWER, "Set-Cookie: a=b")) as target:
        assert await look(target.port) is None
        assert target.connections == 1
        (request,) = target.requests
        line, *fields = request.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
        assert line == f"GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1"
        assert sorted(fields) == [
            "Accept-Encoding: identity",
            "Accept: */*",
            "Connection: close",
            "Host: a.example",
            "User-Agent: acmeproxy-test",
        ]


async def test_an_a_label_is_sent_as_it_is() -> None:
    """H01-04."""
    async with hostile_http(ok(ANSWER)) as target:
        name = "xn--bcher-kva.example"
        assert await look(target.port, {name: {"A": ["127.0.0.1"]}}, target=dns_target(name)) is None
        assert b"\r\nHost: xn--bcher-kva.example\r\n" in target.requests[0]


@pytest.mark.parametrize(("address", "host"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
async def test_an_address_is_asked_at_itself(address: str, host: str) -> None:
    """H01-21, HTT-20, IPI-02."""
    async with hostile_http(ok(ANSWER), address) as target:
        assert await look(target.port, {}, target=ip_target(address)) is None
        assert f"\r\nHost: {host}\r\n".encode() in target.requests[0]


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n", b" \t\r\n\n", b" " * 900])
async def test_trailing_whitespace_is_no_part_of_the_answer(tail: bytes) -> None:
    """H01-06."""
    assert await judged(ok(ANSWER + tail)) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"\n", b" " + ANSWER, b"\n" + ANSWER, b"\xef\xbb\xbf" + ANSWER, ANSWER + b"\x00", ANSWER + b"\x0b",
     ANSWER + b"\n" + ANSWER, ANSWER + b"\nmore", ANSWER[:-1], ANSWER.lower(), ANSWER.swapcase(),
     b"<html>" + ANSWER + b"</html>", ANSWER.replace(b".", b" ."), ANSWER.decode().encode("utf-16"),
     f"{TOKEN[::-1]}.{THUMBPRINT}".encode(), TOKEN.encode(), ANSWER + b"\xa0", ANSWER * 2, b"\xff" * 87],
)  # fmt: skip
async def test_anything_else_is_not_the_answer(body: bytes) -> None:
    """H01-05, H01-06, HTT-10."""
    assert await judged(ok(body)) == CONTENT


async def test_the_key_of_another_account_is_told_apart() -> None:
    """HTT-18: who echoes the token with a thumbprint of his own proves his own account only."""
    async with hostile_http(ok(f"{TOKEN}.{THUMBPRINT[::-1]}".encode())) as target:
        problem = await look(target.port)
    assert problem is not None
    assert "has the token, but not with the key of this account" in problem.detail


@pytest.mark.parametrize(
    "field",
    [
        "Content-Type: text/html",
        "Content-Type: ;;;\xff",
        "Content-Encoding: identity",
        "Content-Encoding: IDENTITY",
        "X-Nothing: ",
    ],
)
async def test_fields_that_do_not_matter_do_not(field: str) -> None:
    """H01-07."""
    assert await judged(ok(ANSWER, field)) is None


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 300, 304, 305, 400, 401, 404, 429, 500, 503])
async def test_no_other_status_will_do(status: int) -> None:
    """H01-08, HTT-09: the right body under the wrong status, where a body may be."""
    body = b"" if status in {204, 304} else ANSWER
    async with hostile_http(say(response(status, body))) as target:
        problem = await look(target.port)
    assert kind(problem) == STATUS
    assert problem is not None
    assert f"a.example port {target.port} gave status {status} instead of 200" in problem.detail


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.0 200 OK\r\n\r\n" + ANSWER,
        b"HTTP/1.1 200 OK\r\n\r\n" + ANSWER,
        b"HTTP/1.1 200 \r\nContent-Length: 87\r\n\r\n" + ANSWER,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2c\r\n%b\r\n2b\r\n%b\r\n0\r\n\r\n"
        % (ANSWER[:44], ANSWER[44:]),
        b"HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\n" + ANSWER + b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + ANSWER,
    ],
)
async def test_every_way_to_send_a_body_will_do(raw: bytes) -> None:
    """H01-10."""
    assert await judged(say(raw)) is None


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate", "x-unknown", "identity, gzip", ""])
async def test_compressed_answers_are_refused(coding: str) -> None:
    """H01-09, HTT-07: also a bomb is not unpacked, and its size is of no interest."""
    bomb = gzip.compress(bytes(10_000_000))
    async with hostile_http(ok(bomb, f"Content-Encoding: {coding}")) as target:
        problem = await look(target.port)
    assert kind(problem) == CONTENT
    assert problem is not None
    assert "is compressed" in problem.detail


async def test_the_body_under_an_unsaid_coding_is_taken_as_it_is() -> None:
    assert await judged(ok(gzip.compress(ANSWER))) == CONTENT


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (ok(SECRET, f"X-Banner: {SECRET.decode()}"), CONTENT),
        (say(response(f"404 {SECRET.decode()}", SECRET)), STATUS),
        (say(SECRET), BROKEN),
        (say(b"HTTP/1.1 200 OK\r\n" + SECRET + b"\r\n\r\n"), BROKEN),
        (say(response(302, SECRET, f"Location: ftp://{SECRET.decode()}/")), "connection REDIRECT-REFUSED"),
        (say(response(302, SECRET, f"Location: http://{SECRET.decode()}.example/")), "dns DNS-FAILED"),
    ],
)
async def test_no_byte_of_an_answer_is_reported(script: Script, expected: str) -> None:
    """INV-10, HTT-05, VAL-08."""
    async with hostile_http(script) as target:
        problem = await look(target.port)
    assert problem is not None
    assert kind(problem) == expected
    assert SECRET.decode() not in repr(problem)
    assert problem.detail.isascii()
    assert '"' not in problem.detail


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """H01-20, HTT-12."""

    def proxy(target: HostileHttp) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{target.port}")
        monkeypatch.delenv("no_proxy", raising=False)

    async with hostile_http(ok(b"from the proxy")) as canary, hostile_http(ok(ANSWER)) as target:
        proxy(canary)
        assert await look(target.port) is None
        assert canary.connections == 0


async def test_one_validator_serves_many_looks_at_once() -> None:
    async with hostile_http(ok(ANSWER)) as target, validator(target.port) as http01:
        async with asyncio.TaskGroup() as group:
            looks = [group.create_task(http01.look(dns_target())) for _ in range(50)]
        assert [task.result() for task in looks] == [None] * 50


def test_the_constants_of_these_tests_are_an_answer() -> None:
    assert f"{TOKEN}.{THUMBPRINT}" == KEY_AUTHORIZATION
    assert len(ANSWER) == 87
    assert PATH.endswith(TOKEN)
