"""The sign call over aiohttp: what has left and what has not, and nothing is sent twice."""

import asyncio
import gzip
import socket
from datetime import timedelta
from typing import Any

import pytest

from acmeproxy.adapters.vault.client import Gate
from acmeproxy.adapters.vault.connection import Secret
from acmeproxy.adapters.vault.courier import Courier
from acmeproxy.adapters.vault.transport import Call, LateError, LostError, UnsentError
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.adapters.vault.posting import PATH, TOKEN, Counted, Script, at, courier, post
from tests.support.connections import connections, reset
from tests.support.tracebacks import everything

GOOD = http_answer(200, {"data": {"certificate": "c"}, "request_id": "r"})


async def answers(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(GOOD)


async def resets(writer: asyncio.StreamWriter, _: int) -> None:
    reset(writer)


async def closes(writer: asyncio.StreamWriter, _: int) -> None:
    writer.close()


async def breaks_off(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(GOOD[:-9])
    writer.close()


async def breaks_off_early(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(GOOD[:20])
    writer.close()


async def speaks_no_http(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")


async def sends_a_long_field(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(GOOD.replace(b"Canned\r\n", b"Canned\r\nX-Long: " + b"x" * 9000 + b"\r\n"))


async def sends_many_fields(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(GOOD.replace(b"Canned\r\n", b"Canned\r\n" + b"X-Many: x\r\n" * 200))


async def sends_without_end(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def test_who_is_stopped_before_the_first_octet_sends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """K20: there was a connection in time, and the process went on when it was over."""
    leave, seen = Call.leave, []

    def stopped_after_the_first_look(call: Call) -> None:
        if call in seen:
            call.leave_by = 0
        seen.append(call)
        leave(call)

    async with canned_vault(GOOD) as vault, courier(at(vault.port)) as made:
        monkeypatch.setattr(Call, "leave", stopped_after_the_first_look)
        with pytest.raises(LateError):
            await post(made)
        monkeypatch.undo()
        await post(made)
    assert len(vault.requests) == 1


async def test_the_whole_request() -> None:
    """INV-4: nothing in it is aiohttp's own."""
    async with canned_vault(GOOD) as vault, courier(at(vault.port, namespace="admin/alpha")) as made:
        answer = await post(made)
    assert (answer.status, answer.data, answer.request_id) == (200, {"certificate": "c"}, "r")
    head, _, body = vault.requests[0].partition(b"\r\n\r\n")
    assert head.decode().split("\r\n") == [
        "POST /v1/pki/sign/acme HTTP/1.1",
        f"Host: localhost:{vault.port}",
        "User-Agent: acmeproxy",
        "Accept-Encoding: identity",
        "X-Vault-Request: true",
        "X-Vault-Namespace: admin/alpha",
        "Content-Type: application/json",
        "X-Acmeproxy-Intent: i",
        "X-Vault-Token: s.canary-token",
        "Accept: */*",
        "Content-Length: 12",
    ]
    assert body == b'{"csr": "c"}'


async def test_a_connection_is_kept() -> None:
    server = Counted(answers)
    async with connections(server.serve) as port, courier(at(port)) as made:
        for _ in range(3):
            assert (await post(made)).ok
    assert (server.connections, len(server.requests)) == (1, 3)


async def test_nobody_listens_and_nothing_left() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with courier(at(bound.getsockname()[1])) as made:
            with pytest.raises(UnsentError, match=r"^ConnectionError$"):
                await post(made)


async def test_a_name_without_an_address() -> None:
    async with courier(at(1, address="https://vault.invalid")) as made:
        with pytest.raises(UnsentError, match=r"^ConnectionError$"):
            await post(made)


async def test_nobody_takes_the_connection() -> None:
    """A full backlog: the SYN is not answered."""
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        address = f"http://127.0.0.1:{full.getsockname()[1]}"
        hasty = at(1, address=address, connect_timeout=timedelta(seconds=0.3))
        async with courier(hasty) as made:
            with pytest.raises(UnsentError, match=r"^ConnectTimeout$"):
                await post(made)
        patient = at(1, address=address, deadline=timedelta(seconds=0.3))
        async with courier(patient) as made:
            with pytest.raises(UnsentError, match=r"^no connection within the deadline$"):
                await post(made)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (resets, "ConnectionError"),
        (closes, "ConnectionError"),
        (breaks_off, "ClientPayloadError"),
        (breaks_off_early, "ConnectionError"),
        (speaks_no_http, "ClientResponseError"),
        (sends_a_long_field, "ClientResponseError"),
        (sends_many_fields, "ClientResponseError"),
        (sends_without_end, "an answer of more than 1048576 octets"),
    ],
)
async def test_what_has_left_is_lost_and_sent_once(script: Script, why: str) -> None:
    """VLT-02, VLT-05, INV-13: the connection is given up, and the error tells no token."""
    server = Counted(script)
    async with connections(server.serve) as port, courier(at(port)) as made:
        with pytest.raises(LostError) as caught:
            await post(made)
        async with asyncio.timeout(60):
            await server.closed.wait()
    assert str(caught.value) == why
    assert (server.connections, len(server.requests)) == (1, 1)
    assert "in work" in everything(caught.value)
    assert TOKEN not in everything(caught.value)


async def test_a_reset_before_anything_is_read_may_have_come_too_late() -> None:
    """In doubt it is lost: what is in the server's buffers may be read all the same."""

    async def at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    async with connections(at_once) as port, courier(at(port)) as made:
        with pytest.raises(LostError, match=r"^ConnectionError$"):
            await post(made)


async def test_a_connection_that_the_server_ended_meanwhile_is_not_used() -> None:
    """The end of it has been seen: the request goes over another one, once."""

    async def answers_and_ends(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(GOOD)
        writer.write_eof()  # and is closed when the other side has seen it, and closes too

    server = Counted(answers_and_ends)
    async with connections(server.serve) as port, courier(at(port)) as made:
        for times in (1, 2):
            server.closed.clear()
            assert (await post(made)).ok
            await server.closed.wait()
            assert (server.connections, len(server.requests)) == (times, times)


@pytest.mark.parametrize("script", [resets, closes])
async def test_a_request_over_a_kept_connection_that_dies_is_lost_and_not_repeated(script: Script) -> None:
    """VLT-02: it may have been read. aiohttp would send again what is idempotent."""

    async def once_more(writer: asyncio.StreamWriter, number: int) -> None:
        await (answers if number == 1 else script)(writer, number)

    server = Counted(once_more)
    async with connections(server.serve) as port, courier(at(port)) as made:
        assert (await post(made)).ok
        with pytest.raises(LostError, match=r"^ConnectionError$"):
            await post(made)
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_nothing_is_unpacked() -> None:
    """VLT-05: a gzip bomb stays as small as it came."""
    packed = gzip.compress(b"\0" * (8 << 20))
    async with (
        canned_vault(http_answer(200, packed, "Content-Encoding: gzip")) as vault,
        courier(at(vault.port)) as made,
    ):
        answer = await post(made)
    assert (answer.status, answer.data, answer.octets) == (200, None, packed)


@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_is_an_answer(status: int) -> None:
    """VLT-06: the canary hears nothing."""
    async with canned_vault() as canary:
        away = http_answer(status, b"", f"Location: http://127.0.0.1:{canary.port}/v1/{PATH}")
        async with canned_vault(away) as vault, courier(at(vault.port)) as made:
            assert (await post(made)).status == status
        assert canary.requests == []


async def test_no_cookie_comes_back() -> None:
    async with (
        canned_vault(http_answer(200, {}, "Set-Cookie: a=b; Path=/")) as vault,
        courier(at(vault.port)) as made,
    ):
        await post(made)
        await post(made)
    assert b"Cookie" not in b"".join(vault.requests)


@pytest.mark.parametrize("token", ["s.two\nlines", "s.r\r", " s.space", "s.\u00e9", ""])
async def test_a_token_that_is_no_field_is_not_sent(token: str) -> None:
    """It is the tenant's own fault: no connection was looked for."""
    async with canned_vault(GOOD) as vault, courier(at(vault.port)) as made:
        for _ in range(4):  # no breaker opens
            with pytest.raises(UnsentError, match=r"^InvalidHeader$") as caught:
                await post(made, Secret(token))
            assert "lines" not in everything(caught.value)
        assert (await post(made)).ok
    assert len(vault.requests) == 1


@pytest.mark.parametrize("late", ["deadline", "read_timeout"])
async def test_silence_is_lost_and_tells_no_token(late: str) -> None:
    """INV-13: what was cut off held the request."""
    soon: dict[str, Any] = {late: timedelta(seconds=1)}
    async with canned_vault() as vault, courier(at(vault.port, **soon)) as made:
        with pytest.raises(LostError) as caught:
            await post(made)
        async with asyncio.timeout(60):
            await vault.closed.wait()
    assert TOKEN not in everything(caught.value)


async def test_who_is_cancelled_hangs_up_and_tells_no_token() -> None:
    """VLT-05: the place is free, and the connection closed."""
    gate = Gate(1)
    async with canned_vault() as vault:
        made = Courier(at(vault.port), gate)
        asking = asyncio.create_task(
            made.post(PATH, token=Secret(TOKEN), body={}, headers={}), name="a sign call"
        )
        await vault.until(b"sign/acme")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await asking
        async with asyncio.timeout(60):
            await vault.closed.wait()
        vault.answer = GOOD
        assert (await made.post(PATH, token=None, body={}, headers={})).ok
        await made.close()
    gate.close()
    assert TOKEN not in everything(caught.value)
