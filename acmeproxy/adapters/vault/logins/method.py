"""What every way to log in has in common."""

from datetime import timedelta
from typing import Protocol

from acmeproxy.adapters.vault.client import Answer
from acmeproxy.adapters.vault.door import Door
from acmeproxy.adapters.vault.lease import Lease, granted


class RefusedLoginError(Exception):
    """Vault refused a login: its answer, and what that probably means and what to do."""

    def __init__(self, answer: Answer, meaning: str) -> None:
        super().__init__(f"{answer.reason}: {meaning}" if meaning else answer.reason)
        self.answer = answer


class Method(Protocol):
    """One way to log in.

    `again` says whether logging in gives another token than the last one. `look_again` is after how long
    `replaced` is to be asked, `None` for never.
    """

    again: bool
    look_again: timedelta | None

    async def log_in(self, door: Door) -> Lease:
        """Return a new lease.

        Raises:
            RefusedLoginError: Vault said no.
            SigningDeferredError: There was no answer, or nothing to log in with.
        """
        ...

    async def replaced(self, door: Door, lease: Lease) -> bool:
        """Say whether somebody put another token in the place of the one in use. Raises as `log_in`."""
        ...


class Role:
    """A login whose every call gives a new token; `Method` but for `log_in`."""

    again = True
    look_again: timedelta | None = None

    async def replaced(self, door: Door, lease: Lease) -> bool:  # noqa: ARG002 - the others' sake
        """Nobody can."""
        return False


def lease_of(answer: Answer, meaning: str) -> Lease:
    """Return what a login gave.

    Raises:
        RefusedLoginError: Nothing; with `meaning`, or what is known of every method.
    """
    lease = granted(answer)
    if lease is None:
        raise RefusedLoginError(answer, _GENERAL.get(answer.status, "") or meaning)
    return lease


_GENERAL = {
    200: "there is no token in it: a login for machines must not ask for a second factor",
    404: "the namespace does not exist, or the server is still mounting",
    429: "a rate limit quota of the server",
    503: "the server or the namespace is sealed or locked",
}
