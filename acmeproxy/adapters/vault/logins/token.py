"""A token that somebody else made: a value, or the file into which a Vault Agent writes it."""

from acmeproxy.adapters.vault.connection import TokenLogin
from acmeproxy.adapters.vault.door import Door
from acmeproxy.adapters.vault.lease import Lease, looked_up
from acmeproxy.adapters.vault.logins.method import RefusedLoginError

_MEANING = (
    "the token is expired, revoked, used up or bound to other addresses, or may not look at itself:"
    " write a new one, or see to the agent that does"
)


class TokenMethod:
    """Takes the token as it is now, and asks it for how long it lives."""

    def __init__(self, login: TokenLogin) -> None:
        self._login = login
        self.look_again = login.look_again
        # A value stays what it is; another token can only come from a file.
        self.again = login.look_again is not None

    async def log_in(self, door: Door) -> Lease:
        """Look the token up. Raises as `Method`."""
        token = await door.reveal(self._login.token)
        answer = await door.ask("get", "auth/token/lookup-self", token=token)
        lease = looked_up(answer, token)
        if lease is None:
            raise RefusedLoginError(answer, _MEANING if answer.status in {400, 403} else "")
        return lease

    async def replaced(self, door: Door, lease: Lease) -> bool:
        """Look whether the file has another token by now."""
        token = await door.reveal(self._login.token)
        return lease.token is None or token() != lease.token()
