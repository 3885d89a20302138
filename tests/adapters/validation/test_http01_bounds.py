"""Servers that send too slowly, too much, or nonsense (H01-09, H01-23, H01-24, HTT-07, HTT-08, VAL-06)."""

import asyncio
import random
import tracemalloc
from datetime import timedelta

import pytest

from tests.support.hostile_http import Script, hostile_http, redirect, repeat, response, say, say_and_stay
from tests.support.http01_look import ANSWER, SOON, dns_target, ip_target, kind, look, validator

OK = say(response(200, ANSWER))
BROKEN = "connection CONNECTION-FAILED"
CONTENT = "incorrectResponse HTTP01-CONTENT"
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "script",
    [
        say_and_stay(),
        say_and_stay(b"HTTP/1.1 2"),
        say_and_stay(HEAD + b"\r\n" + ANSWER[:40]),
        say_and_stay(HEAD + b"\r\n" + ANSWER),
        say_and_stay(HEAD + b"Content-Length: 88\r\n\r\n" + ANSWER),
        say_and_stay(HEAD + b"Transfer-Encoding: chunked\r\n\r\n57\r\n" + ANSWER + b"\r\n"),
        repeat(b"x", b"HTTP/1.1 200 ", every=0.02),
        repeat(b"X: y\r\n", HEAD, every=0.02),
        repeat(b"x", HEAD + b"\r\n", every=0.02),
        repeat(b"1\r\nx\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", every=0.02),
        repeat(b" ", HEAD + b"\r\n" + ANSWER, every=0.02),
    ],
)
async def test_a_server_that_drips_meets_the_one_deadline(script: Script) -> None:
    """H01-23, HTT-08: however often it sends a byte."""
    async with hostile_http(script) as target:
        problem = await look(target.port, timeout=SOON)
        assert kind(problem) == BROKEN
        assert problem is not None
        assert "answer faster: after 1 s the answer was not complete" in problem.detail


async def test_the_deadline_is_for_all_hops_together() -> None:
    """HTT-08: ten redirects of a quarter each do not add up."""
    # Long enough for a busy machine to resolve and dial in a small part of it.
    deadline = 2 * SOON

    async def slow_redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(deadline.total_seconds() / 4)
        await redirect(f"/{target.connections}")(reader, writer)

    async with hostile_http(slow_redirect) as target:
        assert kind(await look(target.port, timeout=deadline)) == BROKEN
        assert target.connections <= 4


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (say(HEAD + b"\r\n" + ANSWER + b" " * 1024), CONTENT),
        (repeat(b"x" * 65536, HEAD + b"\r\n"), CONTENT),
        (repeat(b"\n" * 65536, HEAD + b"\r\n" + ANSWER), CONTENT),
        (repeat(b"x" * 65536, HEAD + b"Content-Length: 999999999999\r\n\r\n"), CONTENT),
        (repeat(b"400\r\n" + b"x" * 1024 + b"\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"), CONTENT),
        (repeat(b"x" * 65536, HEAD + b"X: "), BROKEN),
        (repeat(b"x" * 65536, b"HTTP/1.1 200 "), BROKEN),
        (repeat(b"x" * 65536, b""), BROKEN),
        (repeat(b"X: y\r\n" * 1000, HEAD), BROKEN),
        (repeat(b" folded\r\n" * 1000, HEAD + b"X: y\r\n"), BROKEN),
        (repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), BROKEN),
        (repeat(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000), BROKEN),
        (repeat(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", HEAD + b"\r\n"), CONTENT),
    ],
)
async def test_a_server_that_never_stops_is_cut_short(script: Script, expected: str) -> None:
    """H01-09, H01-24, HTT-07: well before the deadline, and without keeping what it sends."""
    async with hostile_http(script) as target:
        problem = await look(target.port)
        assert kind(problem) == expected
        assert problem is not None
        # Which is what the deadline would have said.
        assert "answer faster" not in problem.detail


async def test_a_huge_answer_is_not_buffered() -> None:
    """H01-09, HTT-07."""
    async with (
        hostile_http(repeat(bytes(1_000_000), HEAD + b"\r\n")) as target,
        validator(target.port) as http01,
    ):
        await http01.look(dns_target())
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            await http01.look(dns_target())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # The sender is in this process, too, with its chunk and what the kernel did not take of it.
    assert peak - before < 4_000_000


async def test_dripping_servers_do_not_delay_a_good_one() -> None:
    """HTT-08."""
    all_drip = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if slow.connections == 100:
            all_drip.set()
        await repeat(b"x", HEAD + b"\r\n", every=0.05)(reader, writer)

    async with (
        hostile_http(drip) as slow,
        hostile_http(OK) as good,
        validator(slow.port, timeout=timedelta(minutes=2)) as tarpitted,
        validator(good.port) as http01,
        asyncio.TaskGroup() as group,
    ):
        drips = [group.create_task(tarpitted.look(ip_target("127.0.0.1"))) for _ in range(100)]
        await all_drip.wait()
        assert await http01.look(dns_target()) is None
        assert not any(task.done() for task in drips)
        for task in drips:
            task.cancel()


NONSENSE = [
    b"",
    b"\r\n\r\n",
    b"\x00" * 100,
    b"\x16\x03\x01\x00\x05hello",
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"HTTP/0.9 200 OK\r\n\r\n",
    b"ICY 200 OK\r\n\r\n" + ANSWER,
    b"HTTP/1.1 99999 OK\r\n\r\n",
    b"HTTP/1.1 000 OK\r\n\r\n",
    b"HTTP/1.1 -1 OK\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + ANSWER,
    HEAD + b"Content-Length: -1\r\n\r\n" + ANSWER,
    HEAD + b"Content-Length: 87\r\nContent-Length: 10\r\n\r\n" + ANSWER,
    HEAD + b"Content-Length: 88\r\n\r\n" + ANSWER,
    HEAD + b"Content-Length: 87\r\nTransfer-Encoding: chunked\r\n\r\n" + ANSWER,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + ANSWER,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n57\r\n" + ANSWER,
    HEAD + b"Set-Cookie: \xff=\x80; Expires=x; Max-Age=" + b"9" * 100 + b"\r\nNo colon\r\n\r\n" + ANSWER,
    HEAD + b": empty name\r\n\r\n" + ANSWER,
    HEAD + b"X: a\x00b\r\n\r\n" + ANSWER,
]


@pytest.mark.parametrize("raw", NONSENSE)
async def test_nonsense_is_a_problem_and_nothing_else(raw: bytes) -> None:
    async with hostile_http(say(raw)) as target:
        assert await look(target.port) is not None


async def test_whatever_a_server_sends_a_look_ends_in_a_verdict() -> None:
    """Fuzz: nothing that a target does is raised."""
    chance = random.Random(8555)  # noqa: S311 - a reproducible fuzz, no secret
    seeds = [
        response(200, ANSWER, "Content-Type: text/plain", "Content-Length: 87", "Set-Cookie: a=b; Path=/"),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n57;x=y\r\n" + ANSWER + b"\r\n0\r\nTrailer: x\r\n\r\n",
        response(302, b"", "Location: http://b.example/x", "Content-Length: 0"),
        response(404, b"no", "Content-Encoding: gzip", "Connection: keep-alive", "Content-Length: 2"),
    ]

    async def mangled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(0, 5)):
            at = chance.randrange(len(raw))
            match chance.randrange(3):
                case 0:
                    raw[at] = chance.randrange(256)
                case 1:
                    raw[at:at] = chance.choice([b"\r\n", b"\x00", b":", b" ", b"\xff", b"0"])
                case _:
                    del raw[at : at + chance.randint(1, 8)]
        await say(bytes(raw[: chance.randint(0, 2 * len(raw))]))(reader, writer)
        if chance.random() < 0.2:
            writer.transport.abort()

    verdicts: set[str | None] = set()
    async with hostile_http(mangled) as target, validator(target.port) as http01:
        for _ in range(400):
            verdicts.add(kind(await http01.look(dns_target())))
    assert {None, BROKEN, CONTENT, "incorrectResponse HTTP01-STATUS"} <= verdicts
