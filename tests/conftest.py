"""Fixtures that more than one room takes."""

import pytest

pytest.register_assert_rewrite("tests.support")

pytest_plugins = ("tests.support.valkey", "tests.support.openbao", "tests.support.proxies")
