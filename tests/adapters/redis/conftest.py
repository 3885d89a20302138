"""What the tests in this room take: the store, and a clock that is set."""

from tests.support.stored import clock, state

__all__ = ["clock", "state"]
