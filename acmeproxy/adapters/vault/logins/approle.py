"""AppRole: a role id, and a secret id that may come wrapped."""

from http import HTTPStatus
from typing import Final

import structlog

from acmeproxy.adapters.vault.client import Answer
from acmeproxy.adapters.vault.connection import AppRoleLogin, Confidential, Secret
from acmeproxy.adapters.vault.door import Door, LostLoginError
from acmeproxy.adapters.vault.lease import Lease
from acmeproxy.adapters.vault.logins.method import RefusedLoginError, Role, lease_of

_LOG: Final = structlog.get_logger()
_REFUSED = {
    400: "the role id or the secret id is wrong, expired, used up or bound to other addresses:"
    " write a new secret id",
    403: "there is no AppRole method at this mount in this namespace",
}
_OPENED = (
    "the wrapping token is expired or was opened before, perhaps by somebody else: destroy the secret id that"
    " was in it, find out who has it, and write a new wrapping token"
)
_LOST = (
    "the answer to our own unwrapping was lost, and most likely the secret id with it: destroy it by its"
    " accessor, and write a new wrapping token"
)


class AppRoleMethod(Role):
    """Logs in with the secret id as it is now. One that came wrapped is opened once and stays in memory."""

    def __init__(self, login: AppRoleLogin) -> None:
        self._login = login
        self._opened: tuple[Secret, Secret] | None = None
        self._lost: Secret | None = None

    async def log_in(self, door: Door) -> Lease:
        """Log in at the mount. Raises as `Method`."""
        secret_id = await door.reveal(self._login.secret_id)
        if self._login.wrapped:
            secret_id = await self._unwrapped(door, secret_id)
        body = Confidential(role_id=self._login.role_id, secret_id=secret_id())
        answer = await door.ask("post", f"auth/{self._login.mount}/login", body=body)
        return lease_of(answer, _REFUSED.get(answer.status, ""))

    async def _unwrapped(self, door: Door, wrapping: Secret) -> Secret:
        """Return the secret id that was in a wrapping token, which can be opened once in its life."""
        if self._opened is not None and self._opened[0]() == wrapping():
            return self._opened[1]
        await self._check_origin(door, wrapping)
        try:
            answer = await door.ask("post", "sys/wrapping/unwrap", token=wrapping, body={})
        except LostLoginError:
            # Perhaps it is open now. The next look at it tells.
            self._lost = wrapping
            raise
        match answer.data:
            case {"secret_id": str(secret_id)} if answer.ok and secret_id:
                self._opened = (wrapping, Secret(secret_id))
                return self._opened[1]
        raise self._not_opened(answer, wrapping)

    async def _check_origin(self, door: Door, wrapping: Secret) -> None:
        """See that it was made where secret ids are: who swapped it can wrap something of his own only."""
        answer = await door.ask("post", "sys/wrapping/lookup", body=Confidential(token=wrapping()))
        if not answer.ok or answer.data is None:
            raise self._not_opened(answer, wrapping)
        path = str(answer.data.get("creation_path"))
        head, tail = f"auth/{self._login.mount}/role/", "/secret-id"
        role = path.removeprefix(head).removesuffix(tail)
        genuine = path == f"{head}{role}{tail}" and role and "/" not in role
        if not genuine or (self._login.role and role != self._login.role):
            wanted = f"{head}{self._login.role or '<role>'}{tail}"
            text = f"the wrapping token was not made by {wanted}: somebody may have swapped it"
            self._alarm(text)
            raise RefusedLoginError(answer, text)

    def _not_opened(self, answer: Answer, wrapping: Secret) -> RefusedLoginError:
        if answer.status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}:
            return RefusedLoginError(answer, "the wrapping token was not opened")
        ours = self._lost is not None and self._lost() == wrapping()
        why = _LOST if ours else _OPENED
        self._alarm(why)
        return RefusedLoginError(answer, why)

    def _alarm(self, why: str) -> None:
        _LOG.error("wrapped secret id not to be trusted", mount=self._login.mount, why=why)
