"""Fixtures that more than one room takes, and the order of the files."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.support")

pytest_plugins = (
    "tests.support.valkey",
    "tests.support.openbao",
    "tests.support.proxies",
    "tests.support.spoilt",
)

# How fast a busy machine makes an input, or runs an example, says nothing about acmeproxy.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_HERE = Path(__file__).parent
#: Files that wait for other programs most of the time. `make test` gives each file to one of its processes in
#: the order of collection, and one that lasts a minute must not begin when all others are done.
_FIRST = ("e2e/", "clients/", "web/test_vault_", "cli/", "adapters/vault/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that last long before the others, which keep their order."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    place = item.path.relative_to(_HERE).as_posix()
    return next((turn for turn, start in enumerate(_FIRST) if place.startswith(start)), len(_FIRST))
