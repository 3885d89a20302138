"""JWT: a token of an issuer that Vault trusts, such as a CI system or SPIFFE, in a file."""

from acmeproxy.adapters.vault.connection import Confidential, JwtLogin
from acmeproxy.adapters.vault.door import Door
from acmeproxy.adapters.vault.lease import Lease
from acmeproxy.adapters.vault.logins.method import Role, lease_of

_REFUSED = {
    400: "the role does not exist, or the JWT is expired, of another issuer, audience or subject than the"
    " role wants, or signed by a key that Vault does not know: see to whoever writes the file",
    403: "there is no JWT method at this mount in this namespace",
    500: "Vault does not get at the keys of the issuer, or the method is not configured",
}


class JwtMethod(Role):
    """Logs in with the JWT as it is now."""

    def __init__(self, login: JwtLogin) -> None:
        self._login = login

    async def log_in(self, door: Door) -> Lease:
        """Log in at the mount. Raises as `Method`."""
        jwt = await door.reveal(self._login.jwt)
        body = Confidential(jwt=jwt(), **({"role": self._login.role} if self._login.role else {}))
        answer = await door.ask("post", f"auth/{self._login.mount}/login", body=body)
        return lease_of(answer, _REFUSED.get(answer.status, ""))
