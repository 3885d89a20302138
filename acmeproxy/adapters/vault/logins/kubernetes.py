"""Kubernetes: the token of the pod's service account, which the kubelet replaces every hour or so."""

from acmeproxy.adapters.vault.connection import Confidential, KubernetesLogin
from acmeproxy.adapters.vault.door import Door
from acmeproxy.adapters.vault.lease import Lease
from acmeproxy.adapters.vault.logins.method import Role, lease_of

_REFUSED = {
    400: "the role does not exist, or the token of the service account is no JWT or has another audience",
    403: "the service account or its namespace is not bound to the role, or Kubernetes does not know the"
    " token, or the Kubernetes API did not answer Vault, or there is no such method at this mount:"
    " Vault's own log at level debug tells which",
    500: "the method is not configured (vault write auth/<mount>/config kubernetes_host=...),"
    " or the JWT is of another kind than a service account's",
}


class KubernetesMethod(Role):
    """Logs in with the service account's token as it is now."""

    def __init__(self, login: KubernetesLogin) -> None:
        self._login = login

    async def log_in(self, door: Door) -> Lease:
        """Log in at the mount. Raises as `Method`."""
        jwt = await door.reveal(self._login.jwt)
        body = Confidential(role=self._login.role, jwt=jwt())
        answer = await door.ask("post", f"auth/{self._login.mount}/login", body=body)
        return lease_of(answer, _REFUSED.get(answer.status, ""))
