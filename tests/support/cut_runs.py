"""Runs that a proxy cuts off at each of their writes: before it arrives, and before its answer does."""

import asyncio
from collections.abc import Callable, Iterable

import pytest

from acmeproxy.adapters.vault.producer.namespace import AwayError
from tests.support.cutting_proxy import Cut, CuttingProxy


async def cut_at_each(proxy: CuttingProxy, writes: Iterable[str], run: Callable[[], object]) -> None:
    """Run something again and again, each time cut at another write; it must come as far as that."""
    for write in writes:
        for where in (Cut.REQUEST, Cut.REPLY):
            proxy.cut(write.encode(), where)
            with pytest.raises(AwayError):
                await asyncio.to_thread(run)
