"""Fetches under way, none of which may crash unseen."""

from collections.abc import AsyncIterator

import pytest_asyncio

from acmeproxy.services.flights import Flights, flights


@pytest_asyncio.fixture
async def flying() -> AsyncIterator[Flights]:
    """Let things be fetched as long as a test runs."""
    crashes: list[BaseException] = []
    async with flights(crashes.append) as made:
        yield made
    assert crashes == []
