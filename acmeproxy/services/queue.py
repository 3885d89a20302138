"""The queue of jobs, as the workers need it. Its entries are hints; what is due stands in the documents."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from acmeproxy.core.job import Job


class Delivery(msgspec.Struct, frozen=True):
    """A job that was given to this worker, and the receipt with which to finish or keep it."""

    job: Job
    stream: str
    entry: str


class Queue(Protocol):
    """Gives every job to one worker at a time, and again when that worker falls silent (K7, K20)."""

    async def take(self) -> Sequence[Delivery]:
        """Wait at most about a second for new jobs, a few of every tenant at a time.

        Raises:
            StateAwayError: Nothing was taken.
        """
        ...

    async def reclaim(self) -> Sequence[Delivery]:
        """Take over what another worker took and has not kept for some seconds."""
        ...

    async def keep(self, deliveries: Sequence[Delivery]) -> None:
        """Say that these are still being worked on."""
        ...

    async def finish(self, delivery: Delivery) -> None:
        """Take a job off the queue; what must be repeated is due again by itself."""
        ...

    async def sweep(self) -> int:
        """Enqueue all that is due and return how many that were."""
        ...
