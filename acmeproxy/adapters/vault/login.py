"""Being logged in: one token a tenant, renewed in time and replaced when Vault refuses it."""

import asyncio
import math
import random
import time
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import msgspec

from acmeproxy.adapters.vault.client import Answer, Gate, VaultClient
from acmeproxy.adapters.vault.connection import (
    AppRoleLogin,
    Confidential,
    Reveal,
    Secret,
    TokenLogin,
    VaultConnection,
)
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.services.ports import SigningDeferredError

_RENEW_AFTER: Final = 2 / 3
_JITTER: Final = 0.1
_FRESH_SECONDS: Final = 60
_LONGEST_BAN: Final = 60
_AGAIN_SECONDS: Final = 5
_LONGEST_SLEEP: Final = 3600


class _Lease(msgspec.Struct, frozen=True):
    """A token and, in seconds of the monotonic clock, when it was made, shall be renewed and will be dead."""

    token: Secret
    born: float
    renew: float
    dead: float
    renewable: bool
    length: float


class Login:
    """Asks Vault as one tenant. Logs in when first asked, once however many ask at once."""

    def __init__(self, connection: VaultConnection, gate: Gate) -> None:
        self._method = connection.login
        self._gate = gate
        self._client = VaultClient(connection, gate)
        self._door = self._client
        if isinstance(self._method, AppRoleLogin) and self._method.namespace is not None:
            elsewhere = msgspec.structs.replace(connection, namespace=self._method.namespace)
            self._door = VaultClient(elsewhere, gate)
        self._lease: _Lease | None = None
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
        token = await self._token()
        answer = await self._client.ask(method, path, token=token, **parts)
        if answer.status == HTTPStatus.FORBIDDEN and await self._replace(token, answer):
            return await self._client.ask(method, path, token=await self._token(), **parts)
        return answer

    async def ask_openly(self, path: str) -> Answer:
        """Read what needs no token. Raises as `ask`, but never `SigningDeferredError`."""
        return await self._client.ask("get", path)

    async def keep(self) -> None:
        """Stay logged in until cancelled: a token that nobody uses for a while would die unrenewed."""
        while True:
            pause = float(_AGAIN_SECONDS)
            try:
                await self._token()
            except SigningDeferredError as error:
                pause = max(pause, error.retry_after.total_seconds() if error.retry_after else 0)
            else:
                pause = max(1.0, (self._lease.renew if self._lease else 0) - time.monotonic())
            await asyncio.sleep(min(pause, _LONGEST_SLEEP))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._door.close()

    async def _token(self) -> Secret:
        if (lease := self._current()) is not None:
            return lease.token
        async with self._turn:
            lease = self._current() or await self._next()
            self._lease = lease
            return lease.token

    def _current(self) -> _Lease | None:
        lease = self._lease
        return lease if lease is not None and time.monotonic() < lease.renew else None

    async def _next(self) -> _Lease:
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

    async def _renewed(self, old: _Lease) -> _Lease | None:
        answer = await self._enter("post", "auth/token/renew-self", token=old.token, body={})
        lease = _lease(answer.auth, old.token) if answer.ok else None
        # A lease that shrinks runs against the token's last hour: only a new login makes it long again.
        if lease is None or (lease.length < old.length and isinstance(self._method, AppRoleLogin)):
            return None
        return lease

    async def _replace(self, refused: Secret, answer: Answer) -> bool:
        """After a 403, see that there is another token; say whether asking again makes sense."""
        async with self._turn:
            lease = self._lease
            if lease is not None and lease.token is not refused:
                return True
            if lease is not None and _lacks_policy(answer) and time.monotonic() < lease.born + _FRESH_SECONDS:
                return False
            self._lease = None
            self._lease = await self._logged_in()
            return True

    async def _logged_in(self) -> _Lease:
        if (ban := self._banned_until - time.monotonic()) > 0:
            raise SigningDeferredError(
                "the login was refused a moment ago", timedelta(seconds=math.ceil(ban))
            )
        match self._method:
            case TokenLogin(token=reveal):
                token = Secret(await self._gate.reveal(reveal))
                answer = await self._enter("get", "auth/token/lookup-self", token=token)
                lease = _looked_up(answer.data, token) if answer.ok else None
            case AppRoleLogin(role_id=role_id, secret_id=reveal, mount=mount):
                body = Confidential(role_id=role_id, secret_id=await self._gate.reveal(reveal))
                answer = await self._enter("post", f"auth/{mount}/login", body=body)
                lease = _lease(answer.auth) if answer.ok else None
        if lease is None:
            raise self._refused(answer)
        self._refusals = 0
        return lease

    def _refused(self, answer: Answer) -> SigningDeferredError:
        """Count a refusal: asking at full speed could lock the role out, and helps nobody."""
        pause = answer.retry_after
        if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}:
            self._refusals += 1
            pause = timedelta(seconds=min(2**self._refusals, _LONGEST_BAN))
            self._banned_until = time.monotonic() + pause.total_seconds()
        return SigningDeferredError(f"the login did not work: {answer.reason}", pause)

    async def _enter(
        self, method: str, path: str, *, token: Reveal | None = None, body: dict[str, Any] | None = None
    ) -> Answer:
        try:
            return await self._door.ask(method, path, token=token, body=body)
        except (UnsentError, LostError) as error:
            # Whatever became of the login: the request that needs it was not made.
            raise SigningDeferredError(f"no answer to the login: {error}", error.retry_after) from None


def _lease(auth: dict[str, Any] | None, known: Secret | None = None) -> _Lease | None:
    """Read the `auth` part of a login or a renewal."""
    match auth:
        case {"client_token": str(text), "lease_duration": int(seconds), "renewable": bool(renewable)} if (
            text
        ):
            return _leased(known if known and known() == text else Secret(text), seconds, renewable=renewable)
    return None


def _looked_up(data: dict[str, Any] | None, token: Secret) -> _Lease | None:
    match data:
        case {"ttl": int(seconds), "renewable": bool(renewable)}:
            return _leased(token, seconds, renewable=renewable)
        case {"ttl": int(seconds)}:
            return _leased(token, seconds, renewable=False)
    return None


def _leased(token: Secret, seconds: int, *, renewable: bool) -> _Lease:
    """Count from now; zero seconds mean a token without an end."""
    now = time.monotonic()
    length = float(seconds) or math.inf
    spread = random.uniform(_RENEW_AFTER - _JITTER, _RENEW_AFTER)  # noqa: S311 - spreads load, hides nothing
    return _Lease(token, now, now + length * spread, now + length, renewable, length)


def _lacks_policy(answer: Answer) -> bool:
    """Whether the token is known and may not do this, as far as the text tells: then another is no better."""
    text = " ".join(answer.errors)
    return text.startswith("1 error occurred") and "invalid token" not in text
