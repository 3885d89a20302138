"""What the tests in this room take: the store, a set clock, a CA and its publisher, a worker's things."""

from tests.support.flying import flying
from tests.support.publishing import authority, publication, record, statuses, told
from tests.support.stored import clock, state
from tests.support.workshop import events, workshop

__all__ = [
    "authority",
    "clock",
    "events",
    "flying",
    "publication",
    "record",
    "state",
    "statuses",
    "told",
    "workshop",
]
