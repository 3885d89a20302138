"""TLS certificate: the connection itself says who we are.

Vault binds the token to the certificate: renewals must come over a connection that shows the same one. A
renewal after a rotation is refused, and the login that follows shows the new one.
"""

from acmeproxy.adapters.vault.connection import CertificateLogin
from acmeproxy.adapters.vault.door import Door
from acmeproxy.adapters.vault.lease import Lease
from acmeproxy.adapters.vault.logins.method import Role, lease_of

_REFUSED = {
    400: "no role takes this certificate (its CA, names or validity), or Vault did not see it: vault.address"
    " must be https, and what stands before Vault must pass TLS on instead of ending it",
    500: "the certificate has no common name, of which Vault makes the name of who logs in",
    403: "there is no certificate method at this mount in this namespace",
}


class CertificateMethod(Role):
    """Logs in with the client certificate as it is now."""

    def __init__(self, login: CertificateLogin) -> None:
        self._login = login

    async def log_in(self, door: Door) -> Lease:
        """Log in at the mount. Raises as `Method`."""
        await door.present(self._login.certificate, self._login.key)
        body = {"name": self._login.role} if self._login.role else {}
        answer = await door.ask("post", f"auth/{self._login.mount}/login", body=body)
        return lease_of(answer, _REFUSED.get(answer.status, ""))
