"""Being logged in: one token a tenant, renewed in time and replaced when Vault refuses it."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog

from acmeproxy.adapters.vault.client import Answer, Gate, VaultClient
from acmeproxy.adapters.vault.connection import Secret, VaultConnection
from acmeproxy.adapters.vault.door import Door
from acmeproxy.adapters.vault.lease import Lease, granted
from acmeproxy.adapters.vault.logins.method import RefusedLoginError
from acmeproxy.adapters.vault.logins.methods import method as method_of
from acmeproxy.services.ports import SigningDeferredError

_LOG: Final = structlog.get_logger()
_FRESH_SECONDS: Final = 60
_LONGEST_BAN: Final = 60
_AGAIN_SECONDS: Final = 5
_LONGEST_SLEEP: Final = 3600


class LoginRefusedError(SigningDeferredError):
    """Vault knows nobody of that name and secret: asking again is of no use before somebody did something."""


class Login:
    """Asks Vault as one tenant. Logs in when first asked, once however many ask at once."""

    def __init__(self, connection: VaultConnection, gate: Gate) -> None:
        self._where = {"address": connection.address, "namespace": connection.namespace}
        self._method = method_of(connection.login)
        self._client = VaultClient(connection, gate)
        self._door = Door(connection, gate)
        self._lease: Lease | None = None
        self._turn = asyncio.Lock()
        self._refusals = 0
        self._banned_until = -math.inf

    async def ask(self, method: str, path: str, **parts: Any) -> Answer:  # noqa: ANN401 - those of `VaultClient.ask`
        """Ask with our token; where Vault answers 403, which does nothing, log in again and ask once more.

        Raises:
            SigningDeferredError: There is no token to be had: nothing was asked.
            UnsentError: The request did not leave.
            LostError: It may have arrived.
        """
        return await self.ask_by(lambda token: self._client.ask(method, path, token=token, **parts))

    async def ask_by(self, send: Callable[[Secret | None], Awaitable[Answer]]) -> Answer:
        """Ask as `ask` does, by what sends a request with a token."""
        token = await self._token()
        answer = await send(token)
        if answer.status == HTTPStatus.FORBIDDEN and await self._replace(token, answer):
            return await send(await self._token())
        return answer

    async def ask_openly(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Read what needs no token. Raises as `ask`, but never `SigningDeferredError`."""
        return await self._client.ask("get", path, headers=headers)

    async def keep(self) -> None:
        """Stay logged in until cancelled: a token that nobody uses for a while would die unrenewed."""
        told = ""
        while True:
            pause = float(_AGAIN_SECONDS)
            try:
                await self._token()
                await self._notice()
            except SigningDeferredError as error:
                pause = max(pause, error.retry_after.total_seconds() if error.retry_after else 0)
                if str(error) != told:
                    told = str(error)
                    _LOG.warning("login to vault fails", **self._where, why=told)
            else:
                told = ""
                pause = max(1.0, (self._lease.renew if self._lease else 0) - time.monotonic())
                if self._method.look_again is not None:
                    pause = min(pause, self._method.look_again.total_seconds())
            await asyncio.sleep(min(pause, _LONGEST_SLEEP))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._door.close()

    async def _token(self) -> Secret | None:
        if (lease := self._current()) is not None:
            return lease.token
        async with self._turn:
            lease = self._current() or await self._next()
            self._lease = lease
            return lease.token

    def _current(self) -> Lease | None:
        lease = self._lease
        return lease if lease is not None and time.monotonic() < lease.renew else None

    async def _next(self) -> Lease:
        """Renew or log in; a token that still lives is kept when neither works."""
        old = self._lease
        try:
            if old is not None and old.renewable and time.monotonic() < old.dead:
                renewed = await self._renewed(old)
                if renewed is not None:
                    return renewed
            return await self._logged_in()
        except SigningDeferredError:
            now = time.monotonic()
            if old is None or now >= old.dead:
                raise
            return msgspec.structs.replace(old, renew=min(now + _AGAIN_SECONDS, old.dead))

    async def _renewed(self, old: Lease) -> Lease | None:
        answer = await self._door.ask("post", "auth/token/renew-self", token=old.token, body={})
        lease = granted(answer, old.token)
        # A lease that shrinks runs against the token's last hour: only a new login makes it long again.
        if lease is None or (lease.length < old.length and self._method.again):
            return None
        return lease

    async def _notice(self) -> None:
        """Take a token that somebody replaced, before the old one is refused; keep it if that fails."""
        lease = self._lease
        if self._method.look_again is None or lease is None:
            return
        if await self._method.replaced(self._door, lease):
            async with self._turn:
                self._lease = await self._logged_in()

    async def _replace(self, refused: Secret | None, answer: Answer) -> bool:
        """After a 403, see that there is another token; say whether asking again makes sense."""
        if refused is None:
            return False
        async with self._turn:
            lease = self._lease
            if lease is not None and lease.token is not refused:
                return True
            if lease is None or not _lacks_policy(answer):
                self._lease = None
                self._lease = await self._logged_in()
                return True
            now = time.monotonic()
            if now < lease.born + _FRESH_SECONDS:
                return False
            try:
                self._lease = await self._logged_in()
            except SigningDeferredError:
                # Vault knows the token, which may do other things, and there is no better one for a while.
                self._lease = msgspec.structs.replace(lease, born=now)
                return False
            return True

    async def _logged_in(self) -> Lease:
        if (ban := self._banned_until - time.monotonic()) > 0:
            raise SigningDeferredError(
                "the login was refused a moment ago", timedelta(seconds=math.ceil(ban))
            )
        try:
            lease = await self._method.log_in(self._door)
        except RefusedLoginError as refusal:
            refused = self._refused(refusal)
        else:
            self._refusals = 0
            return lease
        # Raised out here, so that no traceback shows what was tried.
        raise refused

    def _refused(self, refusal: RefusedLoginError) -> SigningDeferredError:
        """Count a refusal: asking at full speed could lock the role out, and helps nobody."""
        answer = refusal.answer
        text = f"the login did not work: {refusal}"
        # An answer that is good, and of no use, will be the same at once.
        if answer.ok or answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}:
            self._refusals += 1
            pause = timedelta(seconds=min(2**self._refusals, _LONGEST_BAN))
            self._banned_until = time.monotonic() + pause.total_seconds()
            return LoginRefusedError(text, pause)
        return SigningDeferredError(text, answer.retry_after)


class Abroad:
    """Asks in another namespace with a login's own token: no second secret is used up."""

    def __init__(self, own: Login, connection: VaultConnection, gate: Gate) -> None:
        self._own = own
        self._client = VaultClient(connection, gate)

    async def ask(self, method: str, path: str, **parts: Any) -> Answer:  # noqa: ANN401 - those of `VaultClient.ask`
        """Ask as `Login.ask` does, and raise what it raises."""
        return await self._own.ask_by(lambda token: self._client.ask(method, path, token=token, **parts))

    def close(self) -> None:
        """Close the connections; the login stays open."""
        self._client.close()


def _lacks_policy(answer: Answer) -> bool:
    """Whether the token is known and may not do this, as far as the text tells: then another is no better."""
    text = " ".join(answer.errors)
    return text.startswith("1 error occurred") and "invalid token" not in text
