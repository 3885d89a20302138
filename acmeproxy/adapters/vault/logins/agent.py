"""Vault Agent or `bao proxy` as a listener of this machine, which adds its own token to what we ask."""

import math
import time

from acmeproxy.adapters.vault.door import Door
from acmeproxy.adapters.vault.lease import Lease
from acmeproxy.adapters.vault.logins.method import Role


class AgentMethod(Role):
    """Sends no token. To log in again is the agent's task."""

    again = False

    async def log_in(self, door: Door) -> Lease:  # noqa: ARG002 - nothing to ask for
        """Return a lease without a token and without an end."""
        return Lease(None, time.monotonic(), math.inf, math.inf, renewable=False, length=math.inf)
