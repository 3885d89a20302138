"""What the tests in this room take: an installation, and stock clients with homes of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.certbot import Certbot
from tests.support.stage import Stage, stage, with_profiles

MakeCertbot = Callable[[str], Certbot]


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Run an `acmeproxy dev` for the session; each test takes names of its own."""
    with stage(tmp_path_factory.mktemp("stage")) as running:
        yield running


@pytest.fixture(scope="session")
def profiled(dev: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Run a server with a tenant that has profiles, terms of service and authorization reuse."""
    with with_profiles(dev, tmp_path_factory.mktemp("profiled")) as running:
        yield running


@pytest.fixture
def certbot(dev: Stage, tmp_path: Path) -> Certbot:
    """Return a certbot for team-a that has no account yet."""
    return Certbot(dev, "team-a", tmp_path)
