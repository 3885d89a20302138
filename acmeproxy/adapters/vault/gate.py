"""The way to a Vault address: bounded, shared out among its tenants, and shut while nobody answers there."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Protocol, TypeVar

from acmeproxy.adapters.vault.breaker import Breaker, State
from acmeproxy.adapters.vault.connection import Reveal
from acmeproxy.adapters.vault.transport import Call, LateError, LostError, UnsentError
from acmeproxy.services.places import Places

Heard = Callable[[str, str, str, State], None]
"""Is told an address, a tenant (nothing where it is all of them), what of it, and the breaker's state."""

_LOOK_AT: Final = "Vault's audit devices (a blocked one holds every request), its storage, this mount"
# What a node says that serves nobody, whatever was asked. A sealed or locked namespace has other words.
_SERVES_NOBODY: Final = ("Vault is sealed", "not initialized", "local node not active")


class Answered(Protocol):
    """What is known of an answer here."""

    @property
    def status(self) -> int:
        """The status of HTTP."""
        ...

    @property
    def errors(self) -> tuple[str, ...]:
        """Vault's texts."""
        ...

    @property
    def reason(self) -> str:
        """Both in a line for the log."""
        ...


A = TypeVar("A", bound=Answered)
T = TypeVar("T")


def unheard(_address: str, _tenant: str, _of: str, _state: State) -> None:
    """Tell nobody."""


class Address:
    """What the tenants of one address share: its threads, its places, and its breaker."""

    def __init__(self, places: int, url: str = "", heard: Heard = unheard) -> None:
        self.url = url
        self.size = places
        self.heard = heard
        self.places = Places(places)
        self.threads = ThreadPoolExecutor(places, thread_name_prefix="vault")
        self.breaker = Breaker({"addr": url, "of": "address"}, lambda state: heard(url, "", "address", state))

    def close(self) -> None:
        """Let the threads end."""
        self.threads.shutdown(wait=False, cancel_futures=True)


class Gate:
    """One tenant's way to an address.

    Two breakers stand in it. The address's opens for what keeps everybody out: no connection, a sealed or
    leaderless server, a gateway without one. The tenant's own, one for its mount and one for its login, opens
    when answers stay out: that may be the mount's or the namespace's fault, and is no reason to keep others
    out. A namespace that says that it is sealed, locked or limited opens none: hearing it holds no place.
    """

    def __init__(self, address: Address | int, tenant: str = "") -> None:
        self._address = address if isinstance(address, Address) else Address(address)
        self._mount = self._breaker(tenant, "mount")
        self._door = self._breaker(tenant, "login")
        self._lane = self._address.places.lane()

    def _breaker(self, tenant: str, what: str) -> Breaker:
        url, heard = self._address.url, self._address.heard
        names = {"addr": url, "of": what, "tenant": tenant, "look_at": _LOOK_AT}
        return Breaker(names, lambda state: heard(url, tenant, what, state))

    @property
    def places(self) -> int:
        """How many requests may be under way at the address."""
        return self._address.size

    async def run(self, work: Callable[[Call], A], deadline: timedelta, *, door: bool = False) -> A:
        """Run blocking work in a thread, and else as `accompany`."""

        async def in_a_thread(call: Call) -> A:
            future = asyncio.get_running_loop().run_in_executor(self._address.threads, work, call)
            try:
                return await future
            finally:
                if not future.done() or future.cancelled():
                    call.abort()

        return await self.accompany(in_a_thread, deadline, door=door)

    async def accompany(
        self, work: Callable[[Call], Awaitable[A]], deadline: timedelta, *, door: bool = False
    ) -> A:
        """Await work, within a deadline that includes the wait for a place.

        Args:
            work: Sends one request; stops when it is cancelled, and says in time what it has sent.
            deadline: For all of it. Half of it may go by before there is a place: what is sent with no time
                left is lost for certain, and whether it was done is not known.
            door: Whether it is about the login, and not for the mount.

        Raises:
            UnsentError: The request did not leave. A `ShutError` comes at once, and says when to come again.
            LostError: It may have arrived.
        """
        own = self._door if door else self._mount
        self._address.breaker.require()
        own.require()
        now, seconds = asyncio.get_running_loop().time(), deadline.total_seconds()
        try:
            async with asyncio.timeout_at(now + seconds / 2):
                await self._lane.enter()
        except TimeoutError:
            raise UnsentError("no place within the deadline") from None
        try:
            # Asked again: they may have been shut while we waited.
            with self._address.breaker.asking(), own.asking():
                return await self._judged(work, now + seconds, own)
        finally:
            self._lane.leave()

    async def _judged(self, work: Callable[[Call], Awaitable[A]], end: float, own: Breaker) -> A:
        """Ask, and tell the breakers what came of it."""
        call = Call()
        try:
            answer = await self._asked(call, work, end)
        except UnsentError as error:
            # What did not even look for a connection, such as a token that is no header, is the tenant's.
            if call.connecting and not isinstance(error, LateError):
                self._address.breaker.failed(str(error))
                error.retry_after = self._address.breaker.again()
            raise
        except LostError as error:
            own.failed(str(error))
            raise
        own.worked()
        if serves_nobody(answer):
            self._address.breaker.failed(answer.reason)
        else:
            self._address.breaker.worked()
        return answer

    async def _asked(self, call: Call, work: Callable[[Call], Awaitable[A]], end: float) -> A:
        try:
            async with asyncio.timeout_at(end):
                return await work(call)
        except TimeoutError:
            if call.sent:
                raise LostError("no answer within the deadline") from None
            raise UnsentError("no connection within the deadline") from None

    def again(self) -> timedelta:
        """Return when to come again to an address that serves nobody: soon, since hearing so costs little."""
        return self._address.breaker.again()

    async def reveal(self, secret: Reveal) -> str:
        """Call for a secret in a thread: it may be in a file."""
        return await self.aside(secret)

    async def aside(self, work: Callable[[], T]) -> T:
        """Do in a thread what blocks, and is no request."""
        return await asyncio.get_running_loop().run_in_executor(self._address.threads, work)

    def close(self) -> None:
        """Let the threads of the address end."""
        self._address.close()


def serves_nobody(answer: Answered) -> bool:
    """Tell whether an answer is the whole address's, not the tenant's (VLT-05).

    A 307 names a leader that could not be reached, and a 503 that is not Vault's comes from a gateway that
    has no server.
    """
    if answer.status == HTTPStatus.TEMPORARY_REDIRECT:
        return True
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and not answer.errors:
        return True
    says = any(text in error for error in answer.errors for text in _SERVES_NOBODY)
    return says and answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
