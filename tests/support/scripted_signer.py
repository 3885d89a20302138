"""A signer that does as it is told: the seam at which tests provoke what Vault rarely does.

That it signs at all is tested with a real OpenBao elsewhere.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.core.order import Intent
from acmeproxy.core.problem import Problem
from acmeproxy.core.tenant import Tenant, VaultPlace
from acmeproxy.services.ports import (
    Signed,
    SigningDeferredError,
    SigningRefusedError,
    SigningUncertainError,
)
from tests.support.certificate_authority import CertificateAuthority, Wish

Deed = Callable[[Intent], Awaitable[Signed]]


@dataclass
class ScriptedSigner:
    """Implements `Signer` over a small CA of its own.

    Attributes:
        authority: Signs.
        script: What the next calls of `sign` do; after that, each signs what is asked for.
        store: What was signed, as Vault would show it.
        calls: What was asked, in order: `sign`, `find`, `revoke`.
        away: Why `find` and `revoke` cannot be answered, if so.
        wish: When to come again then.
        places: Where each call was to go.
        leave_by: Until when, of the monotonic clock, the last call of `sign` might leave.
    """

    authority: CertificateAuthority
    script: deque[Deed] = field(default_factory=deque)
    store: list[tuple[Intent, Signed]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    revoked: list[bytes] = field(default_factory=list)
    away: str = ""
    wish: timedelta | None = None
    places: list[VaultPlace] = field(default_factory=list)
    leave_by: float = math.inf

    async def sign(self, tenant: Tenant, intent: Intent, *, leave_by: float = math.inf) -> Signed:
        self._called("sign", tenant)
        self.leave_by = leave_by
        assert intent.attempted_at is not None, "nothing is asked before it was written down"
        deed = self.script.popleft() if self.script else self.signs()
        return await deed(intent)

    async def find(self, tenant: Tenant, intent: Intent) -> Sequence[Signed]:
        self._called("find", tenant)
        self._reachable()
        return [
            signed
            for wanted, signed in self.store
            if wanted.key == intent.key and signed.leaf not in self.revoked
        ]

    async def revoke(self, tenant: Tenant, certificate: bytes) -> None:
        self._called("revoke", tenant)
        self._reachable()
        assert certificate in [signed.leaf for _, signed in self.store]
        self.revoked.append(certificate)

    def count(self, call: str) -> int:
        """Return how often something was asked."""
        return self.calls.count(call)

    # --- deeds ------------------------------------------------------------------------------------------

    def signs(self, wish: Wish | None = None, authority: CertificateAuthority | None = None) -> Deed:
        """Sign what is asked for, or something else."""

        async def deed(intent: Intent) -> Signed:
            return self.keep(intent, wish, authority)

        return deed

    def defers(self, retry_after: timedelta | None = None) -> Deed:
        """Say that Vault is away, and nothing was signed."""

        async def deed(_: Intent) -> Signed:
            raise SigningDeferredError("sealed", retry_after)

        return deed

    def refuses(self, problem: Problem | None = None) -> Deed:
        """Say no for good."""

        async def deed(_: Intent) -> Signed:
            raise SigningRefusedError("the role does not allow the name", problem)

        return deed

    def loses(self, *, signed: bool) -> Deed:
        """Lose the answer, with or without a certificate in Vault's store."""

        async def deed(intent: Intent) -> Signed:
            if signed:
                self.keep(intent)
            raise SigningUncertainError("reset")

        return deed

    def waits(self, entered: asyncio.Event, go_on: asyncio.Event, *, signed_before: bool = False) -> Deed:
        """Hold the call under way; the certificate is in the store from its beginning, or from its end."""

        async def deed(intent: Intent) -> Signed:
            kept = self.keep(intent) if signed_before else None
            entered.set()
            await go_on.wait()
            return kept or self.keep(intent)

        return deed

    def keep(
        self, intent: Intent, wish: Wish | None = None, authority: CertificateAuthority | None = None
    ) -> Signed:
        """Sign, and keep it where `find` looks."""
        chosen = authority or self.authority
        leaf = chosen.issue(intent, wish or Wish())
        signed = Signed(_der(leaf), (_der(chosen.certificate),), f"request-{len(self.store)}")
        self.store.append((intent, signed))
        return signed

    def _called(self, call: str, tenant: Tenant) -> None:
        self.calls.append(call)
        self.places.append(tenant.vault)

    def _reachable(self) -> None:
        if self.away:
            raise SigningDeferredError(self.away, self.wish)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
