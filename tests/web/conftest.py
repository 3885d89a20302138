"""The loop of this room: proxies live as long as a module, and tests share the loop that they run on."""

from collections.abc import Iterator

import pytest
import structlog
from pytest_asyncio import is_async_test

from tests.support.log_capture import captured


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run every test below this directory on the session's loop."""
    here = __file__.rpartition("/")[0]
    on_the_sessions_loop = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if str(item.path).startswith(here) and is_async_test(item):
            item.add_marker(on_the_sessions_loop, append=False)


@pytest.fixture(scope="module", autouse=True)
def log() -> Iterator[structlog.testing.LogCapture]:
    """Keep the events of a module, among which must be no fault of ours when it ends."""
    with captured(structlog.processors.format_exc_info) as capture:
        yield capture
    broken = [entry for entry in capture.entries if entry["event"] in {"request.failed", "job.failed"}]
    assert broken == []
