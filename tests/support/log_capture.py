"""What is logged, kept to be looked at and not printed."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from structlog.typing import Processor


@contextmanager
def captured(*before: Processor) -> Iterator[structlog.testing.LogCapture]:
    """Keep what is logged until the context ends, seen as the processors before leave it."""
    capture = structlog.testing.LogCapture()
    structlog.configure(processors=[*before, capture])
    try:
        yield capture
    finally:
        structlog.reset_defaults()
