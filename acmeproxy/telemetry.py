"""Logs and metrics: one event a line, nothing secret in it, and no stranger's byte that is more than text.

Redaction has two halves: a value is dropped when its key says that it is secret, and what looks like a
credential (the user part of a URL, a Vault token) is dropped from every text (LOG-02).
"""

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, Literal, TextIO

import msgspec
import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

Event = MutableMapping[str, Any]
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
REDACTED: Final = "[redacted]"
MAX_TEXT: Final = 256

_MAX_LOOKED_AT: Final = 4096
_MAX_ITEMS: Final = 50
_MAX_LEVELS: Final = 6
_MAX_FRAMES: Final = 20
_MAX_INTEGER: Final = (1 << 63) - 1
_SECRET_KEYS: Final = frozenset(
    {
        "authorization",
        "cookie",
        "hmac",
        "key_authorization",
        "password",
        "private_key",
        "secret",
        "secret_id",
        "set_cookie",
        "token",
    }
)
_SECRET_ENDINGS: Final = ("_token", "_secret", "_secret_id", "_password", "_hmac", "_authorization")
# The user part of a URL; tokens as Vault and OpenBao write them; what follows Bearer.
_CREDENTIALS: Final = re.compile(
    r"(?<=://)[^/\s@]*(?=@)|\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}|(?<=Bearer )\S+"
)
_PLAIN: Final = re.compile(r"[ -\[\]-~]*")
_LEVELS: Final = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0)


def configure(*, stream: TextIO, level: Level = "info", form: Format = "json", colour: bool = False) -> None:
    """Set up the logging of the process: structlog's, and the standard library's for what we did not write.

    Args:
        stream: Where lines go: stdout for a server, stderr for a command whose data is on stdout.
        level: The least that is told. Libraries are told of from `warning` on, at `debug` from `info` on.
        form: One JSON object a line, or lines for people.
        colour: Whether lines for people are coloured.
    """
    lowest = logging.getLevelNamesMapping()[level.upper()]
    renderer = _json_line if form == "json" else structlog.dev.ConsoleRenderer(colors=colour, sort_keys=False)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _stamp, _tell_exception, redact, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(logging.INFO if level == "debug" else max(lowest, logging.WARNING))
    logging.captureWarnings(capture=True)


def redact(_logger: object, _method: str, event: Event) -> Event:
    """Replace what is secret, and make the rest short printable ASCII (LOG-01, LOG-02)."""
    return {
        name: REDACTED if _is_secret(name) else _clean(value, _MAX_LEVELS) for name, value in event.items()
    }


def escape(text: str) -> str:
    """Return text as one line of printable ASCII, at most 256 characters, without credentials.

    Everything else is written as Python writes it in a literal, and a backslash doubled: two texts that
    differ stay different.
    """
    text = _CREDENTIALS.sub("***", text[:_MAX_LOOKED_AT])
    if not _PLAIN.fullmatch(text):
        text = text.encode("unicode_escape").decode("ascii")
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."


def _stamp(_logger: object, method: str, event: Event) -> Event:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"ts": stamp, "level": method, "event": event.pop("event", ""), **event, "pid": os.getpid()}


def _tell_exception(_logger: object, _method: str, event: Event) -> Event:
    """Replace `exc_info` with the type, the text and the frames: no source lines, no locals."""
    given = event.pop("exc_info", None)
    raised = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(raised, BaseException):
        frames = traceback.extract_tb(raised.__traceback__)[-_MAX_FRAMES:]
        event["error.type"] = type(raised).__qualname__
        event["error.detail"] = str(raised)
        event["error.frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _json_line(_logger: object, _method: str, event: Event) -> str:
    return msgspec.json.encode(event).decode("ascii")


def _is_secret(name: object) -> bool:
    plain = str(name).lower().replace("-", "_")
    return plain in _SECRET_KEYS or plain.endswith(_SECRET_ENDINGS)


def _clean(value: object, levels: int) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) <= _MAX_INTEGER:
        return int(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, Mapping) and levels:
        return _clean_table(value, levels - 1)
    if isinstance(value, list | tuple | set | frozenset) and levels:
        return _clean_list(value, levels - 1)
    # Deeper than anything we log on purpose: its text could hold a secret under any key.
    return escape(value if isinstance(value, str) else str(value)) if levels else "..."


def _clean_table(table: Mapping[Any, object], levels: int) -> dict[str, object]:
    return {
        escape(str(name)): REDACTED if _is_secret(name) else _clean(value, levels)
        for name, value in islice(table.items(), _MAX_ITEMS)
    }


def _clean_list(values: Iterable[object], levels: int) -> list[object]:
    return [_clean(value, levels) for value in islice(values, _MAX_ITEMS)]


class _Bridge(logging.Handler):
    """Hands what libraries log to structlog, so that it too is one clean line."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        level = next((level for level in _LEVELS if level <= record.levelno), logging.DEBUG)
        structlog.get_logger().log(
            level, "library.message", logger=record.name, msg=text, exc_info=record.exc_info
        )


@dataclass(frozen=True, slots=True)
class Metrics:
    """What Prometheus can ask for. A label's values come from a list of ours: routes, tenants, codes.

    Names of clients, of hosts and of certificates never become labels: they have no end.
    """

    registry: CollectorRegistry
    http_requests: Counter
    http_request_duration: Histogram
    acme_errors: Counter
    validations: Counter
    validation_duration: Histogram
    certificates_issued: Counter
    vault_requests: Counter
    vault_request_duration: Histogram
    vault_breaker: Gauge
    vault_unsafe: Gauge
    vault_proven: Gauge
    nonces_rejected: Counter
    jobs: Counter

    def render(self) -> bytes:
        """Return all metrics in the text format, of the media type `CONTENT_TYPE`."""
        return generate_latest(self.registry)


def metrics(version: str, commit: str = "unknown") -> Metrics:
    """Build the metrics of one process, in a registry of their own."""
    disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client has it untyped
    registry = CollectorRegistry()

    def counter(name: str, text: str, *labels: str) -> Counter:
        return Counter(f"acmeproxy_{name}", text, labels, registry=registry)

    def seconds(name: str, text: str, label: str) -> Histogram:
        return Histogram(f"acmeproxy_{name}_seconds", text, (label,), registry=registry, buckets=_BUCKETS)

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"acmeproxy_{name}", text, labels, registry=registry)

    build = gauge("build_info", "The running version.", "version", "commit")
    build.labels(version, commit).set(1)
    return Metrics(
        registry=registry,
        http_requests=counter("http_requests", "HTTP answers.", "route", "method", "code", "tenant"),
        http_request_duration=seconds("http_request_duration", "Time to an HTTP answer.", "route"),
        acme_errors=counter("acme_errors", "Problems shown to clients.", "tenant", "type", "ref"),
        validations=counter("validations", "Attempts to validate.", "tenant", "method", "outcome"),
        validation_duration=seconds("validation_duration", "Time of one attempt to validate.", "method"),
        certificates_issued=counter("certificates_issued", "Certificates issued.", "tenant"),
        vault_requests=counter("vault_requests", "Requests to Vault.", "op", "code"),
        vault_request_duration=seconds("vault_request_duration", "Time of one request to Vault.", "op"),
        vault_breaker=gauge(
            "vault_breaker_state", "0: asked, 1: one request asks, 2: not asked.", "addr", "tenant", "of"
        ),
        vault_unsafe=gauge("vault_unsafe", "Failures that were found on Vault's side; see doctor."),
        vault_proven=gauge("vault_proven_seconds", "When that was last looked at, in seconds since 1970."),
        nonces_rejected=counter("nonce_rejected", "Requests with a nonce that was not taken.", "reason"),
        jobs=counter("jobs", "Jobs run by the worker.", "kind", "outcome"),
    )
