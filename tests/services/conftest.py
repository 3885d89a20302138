"""What the tests in this room take: the store, a clock that is set, and what a worker works with."""

from tests.support.flying import flying
from tests.support.stored import clock, state
from tests.support.workshop import events, workshop

__all__ = ["clock", "events", "flying", "state", "workshop"]
