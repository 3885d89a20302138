"""What publishes a scripted CA, and what it tells of its failures."""

import pytest

from acmeproxy.services.flights import Flights
from acmeproxy.services.publication import Publication
from tests.support.scripted_authority import ScriptedAuthority
from tests.support.stored import SetClock


@pytest.fixture
def authority(clock: SetClock) -> ScriptedAuthority:
    return ScriptedAuthority(clock)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def publication(
    authority: ScriptedAuthority, flying: Flights, clock: SetClock, told: list[str]
) -> Publication:
    return Publication(authority, flying, clock, told.append)
