"""What publishes a scripted CA, what it tells of its failures, and what is known of its certificates."""

import pytest

from acmeproxy.core.certificate import Certificate
from acmeproxy.core.renewal import CertId
from acmeproxy.services.flights import Flights
from acmeproxy.services.publication import Publication
from acmeproxy.services.statuses import Statuses
from tests.support.scripted_authority import ScriptedAuthority
from tests.support.stored import SetClock


class Record:
    """A `Recall` of one mount: certificates by their numbers."""

    def __init__(self) -> None:
        self.by_serial: dict[int, Certificate] = {}

    async def __call__(self, name: CertId) -> Certificate | None:
        """Return what is known of one."""
        return self.by_serial.get(name.serial)


@pytest.fixture
def record() -> Record:
    return Record()


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


@pytest.fixture
def statuses(publication: Publication, flying: Flights, clock: SetClock, record: Record) -> Statuses:
    """Return a responder that is told of every revocation."""
    made = Statuses(publication, flying, clock, record, most_kept=300)
    made.listening(heard=True)
    return made
