"""One clean line an event (LOG-01), no secret in it (LOG-02), whoever wrote it."""

import asyncio
import io
import json
import logging
import os
import re
import warnings
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import structlog

from acmeproxy import telemetry

CANARY = "CANARYCANARYCANARY42"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Log into memory at debug, and leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    text = io.StringIO()
    telemetry.configure(stream=text, level="debug")
    yield text
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_object_with_a_time_and_a_process(stream: io.StringIO) -> None:
    structlog.get_logger().info("order.finalized", tenant="payments", duration_ms=12.5, names=("a", "b"))
    (event,) = events(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("ts"))
    assert event == {
        "level": "info",
        "event": "order.finalized",
        "tenant": "payments",
        "duration_ms": 12.5,
        "names": ["a", "b"],
        "pid": os.getpid(),
    }


PAYLOADS = [
    "a\nb",
    "a\r\nb",
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\u2028\u2029\x85",
    '"}\n{"level":"critical","event":"forged"}',
    "\x00",
    "\x7f\x9b",
    "\u202e right to left",
    "\ufeff",
    "\U0001f600",
    "\\n",
    "\t\v\f\b",
    "%s %d %(x)s {}",
    "x" * 100_000,
    "\n" * 100_000,
    "é" * 300,
    "",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_of_a_stranger_is_more_than_text(payload: str, stream: io.StringIO) -> None:
    """LOG-01: in a value, a key, a list, a table, an exception, and in what a library logs."""
    log = structlog.get_logger()
    log.info("request", user_agent=payload, nested={"list": [payload], payload or "key": payload})
    log.info(payload)
    log.error("failed", exc_info=RuntimeError(payload))
    logging.getLogger("library").warning("says %s", payload)

    written = stream.getvalue()
    assert written.count("\n") == 4
    assert re.fullmatch(r"[ -~\n]*", written)
    listed = events(stream)
    assert [event["level"] for event in listed] == ["info", "info", "error", "warning"]
    texts = [text for event in listed for text in strings(event)]
    assert max(map(len, texts)) <= 256


def test_half_a_character_is_text_too(stream: io.StringIO) -> None:
    """LOG-01: it has no UTF-8."""
    structlog.get_logger().info("\ud800", x="\udfff")
    (event,) = events(stream)
    assert (event["event"], event["x"]) == ("\\ud800", "\\udfff")


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def test_texts_that_differ_stay_different() -> None:
    assert telemetry.escape("a\nb") == "a\\nb"
    assert telemetry.escape("a\\nb") == "a\\\\nb"
    assert telemetry.escape("x" * 256) == "x" * 256
    assert telemetry.escape("x" * 257) == "x" * 253 + "..."


class Secretive(msgspec.Struct, frozen=True):
    """A value as the core has them."""

    name: str
    token: str
    key_authorization: str


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "secret",
        "secret_id",
        "hmac",
        "authorization",
        "Authorization",
        "key_authorization",
        "password",
        "x-vault-token",
        "X-Vault-Token",
        "vault_token",
        "wrapped_secret_id",
        "redis_password",
        "eab_hmac",
        "Set-Cookie",
        "private_key",
    ],
)
def test_a_secret_is_known_by_its_key(name: str, stream: io.StringIO) -> None:
    """LOG-02: at any depth."""
    log = structlog.get_logger()
    log.debug("x", **{name: CANARY})
    log.debug("x", headers={name: CANARY, "list": [{name: [CANARY]}]})
    with structlog.contextvars.bound_contextvars(**{name: CANARY}):
        log.debug("x")
    assert CANARY not in stream.getvalue()
    assert events(stream)[0][name] == "[redacted]"


@pytest.mark.parametrize(
    "text",
    [
        f"redis://:{CANARY}@10.0.0.1/0 did not answer",
        f"rediss://acme:{CANARY}@valkey/0",
        f"header Bearer {CANARY}",
        f"token hvs.{CANARY}-more is no good",
        f"token s.{CANARY}abcd is no good",
        f"hvb.{CANARY}{'A' * 300}",
        f"{'x' * 250} hvs.{CANARY}",
    ],
)
def test_a_credential_is_known_by_its_look(text: str, stream: io.StringIO) -> None:
    """LOG-02: also in an exception's text and in what libraries log."""
    log = structlog.get_logger()
    log.info(text, detail=text)
    log.error("failed", exc_info=ConnectionError(text))
    logging.getLogger("redis").error("failed: %s", text, exc_info=ConnectionError(text))
    assert "CANARY" not in stream.getvalue()
    assert len(events(stream)) == 3


def test_a_value_of_the_core_is_taken_apart(stream: io.StringIO) -> None:
    structlog.get_logger().info("x", it=Secretive("a", CANARY, CANARY), raw=CANARY.encode())
    (event,) = events(stream)
    assert event["it"] == {"name": "a", "token": "[redacted]", "key_authorization": "[redacted]"}
    assert event["raw"] == "20 bytes"


def test_an_odd_value_is_no_reason_to_lose_the_event(stream: io.StringIO) -> None:
    deep: list[object] = []
    deep.append(deep)
    structlog.get_logger().info(
        "x",
        big=1 << 80,
        wait=timedelta(seconds=90),
        deep=deep,
        many=list(range(1000)),
        nan=float("nan"),
        none=None,
        kind=logging.Logger,
    )
    (event,) = events(stream)
    assert event["big"] == "1208925819614629174706176"
    assert event["wait"] == "0:01:30"
    assert event["deep"] == [[[[[["..."]]]]]]
    assert len(event["many"]) == 50
    assert event["nan"] is None
    assert event["none"] is None
    assert event["kind"] == "<class 'logging.Logger'>"


def test_an_exception_is_type_text_and_frames(stream: io.StringIO) -> None:
    try:
        events(stream)[0]
    except IndexError as error:
        structlog.get_logger().exception("job.failed", job="1")
        structlog.get_logger().error("job.failed", exc_info=error)
    first, second = events(stream)
    assert first["error.type"] == second["error.type"] == "IndexError"
    assert first["error.detail"] == "list index out of range"
    assert re.fullmatch(r".*test_telemetry\.py:\d+ test_an_exception_is_.*", first["error.frames"][0])
    assert "exc_info" not in first


def test_libraries_and_warnings_are_told_of_in_the_same_form(stream: io.StringIO) -> None:
    telemetry.configure(stream=stream, level="info")
    logging.getLogger("urllib3.connectionpool").info("GET /v1/secret")
    logging.getLogger("asyncio").log(35, "between the levels")
    logging.getLogger("broken").warning("%d", "no number")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    told = [(event["level"], event["event"], event["logger"]) for event in events(stream)]
    assert told == [
        ("warning", "library.message", "asyncio"),
        ("warning", "library.message", "broken"),
        ("warning", "library.message", "py.warnings"),
    ]


def test_the_level_is_the_least_that_is_told(stream: io.StringIO) -> None:
    telemetry.configure(stream=stream, level="warning")
    log = structlog.get_logger()
    log.info("quiet")
    log.warning("loud")
    assert [event["event"] for event in events(stream)] == ["loud"]


def test_lines_for_people_are_as_clean(stream: io.StringIO) -> None:
    """LOG-01, LOG-02."""
    telemetry.configure(stream=stream, form="console")
    structlog.get_logger().info("order.placed", user_agent="\x1b[31m\nx", token=CANARY)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert re.fullmatch(r"[ -~]*\n", line)
    assert "order.placed" in line
    assert CANARY not in line


async def test_what_a_request_binds_is_its_own(stream: io.StringIO) -> None:
    async def handle(request_id: str) -> None:
        structlog.contextvars.bind_contextvars(request_id=request_id)
        await asyncio.sleep(0)
        structlog.get_logger().info("request", of=request_id)

    async with asyncio.TaskGroup() as group:
        for name in ("a", "b", "c"):
            group.create_task(handle(name))
    assert [(event["request_id"], event["of"]) for event in events(stream)] == [(n, n) for n in "abc"]
