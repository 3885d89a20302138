"""Fixtures that more than one room takes."""

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
