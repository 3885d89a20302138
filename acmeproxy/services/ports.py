"""What the use cases need from the world besides state: a clock, validators, a signer.

Each docstring is the contract that its adapter keeps; `acmeproxy.services.stores` has those of state.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

import msgspec

from acmeproxy.core.caa import Question
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.identifier import Identifier
from acmeproxy.core.order import Intent
from acmeproxy.core.problem import Problem
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Tenant


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Return now, aware, in UTC."""
        ...


class Target(msgspec.Struct, frozen=True):
    """What a validator looks at: the identifier, and the answer that must be found there.

    The identifier has no `*.`, which `wildcard` tells instead. `account_url` is the one that the client
    knows; `issuers` are the names of this CA that a dns-persist-01 challenge offered.
    """

    identifier: Identifier
    token: str
    key_authorization: str
    wildcard: bool = False
    account_url: str = ""
    issuers: tuple[str, ...] = ()


class Validator(Protocol):
    """Looks once whether a challenge's answer is in place (RFC 8555 §8).

    `look` returns `None` when it is, or the problem that the client shall read. It ends within its own total
    deadline, raises only for faults of ours, and never returns a byte of what the target answered (INV-10).
    """

    type: ChallengeType

    async def look(self, target: Target) -> Problem | None:
        """Look once."""
        ...


class CaaAllowed(msgspec.Struct, frozen=True):
    """The domain's owner has nothing against this certificate (RFC 8659 §4)."""


class CaaForbidden(msgspec.Struct, frozen=True):
    """The owner is against it; the problem names the domain where the deciding records are."""

    problem: Problem


class CaaUnknown(msgspec.Struct, frozen=True):
    """It could not be found out, which is no yes and no no: ask again (RFC 8659 §6.3)."""

    problem: Problem


CaaVerdict: TypeAlias = CaaAllowed | CaaForbidden | CaaUnknown


class Caa(Protocol):
    """Asks the DNS whether this CA may certify a name.

    `ask` ends within its own total deadline and raises only for faults of ours. For an address the answer is
    yes, and nobody is asked (CAA-17).
    """

    async def ask(self, question: Question) -> CaaVerdict:
        """Ask once."""
        ...


class Signed(msgspec.Struct, frozen=True):
    """What Vault answered: DER of the leaf, DER of its issuers upwards as sent, Vault's id of the request.

    `alternates` are other ways upwards from the same leaf that the mount knows (RFC 8555 §7.4.2).
    """

    leaf: bytes
    issuers: tuple[bytes, ...]
    request_id: str = ""
    alternates: tuple[tuple[bytes, ...], ...] = ()


class SigningDeferredError(Exception):
    """Vault is away or busy, and nothing was signed: ask again later (FIN-22).

    `retry_after` is Vault's own wish, if it gave one.
    """

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class SigningUncertainError(Exception):
    """The answer was lost: Vault may have signed. Look for the certificate before asking again (K12..K16)."""


class SigningRefusedError(Exception):
    """Vault said no for good, to this request (a 400).

    The text is for the log only, never for the client, who is told the `problem`: there is one where the
    reason is something that the client can change.
    """

    def __init__(self, reason: str, problem: Problem | None = None) -> None:
        super().__init__(reason)
        self.problem = problem


class RoleReader(Protocol):
    """Reads what Vault's roles allow."""

    async def read_role(self, tenant: Tenant) -> Role | None:
        """Return the role of a tenant's place as it is now; none if we may not read it.

        Raises:
            SigningDeferredError: Vault cannot be asked now, or has no such role yet.
        """
        ...


class Signer(Protocol):
    """Signs under a tenant's role, finds and revokes at its mount. Never repeats a call by itself."""

    async def sign(self, tenant: Tenant, intent: Intent, *, leave_by: float = math.inf) -> Signed:
        """Have the intent signed: its names, its key, its lifetime, nothing else.

        The request leaves before `leave_by`, in seconds of the monotonic clock, or not at all: whoever waits
        for a login or a place, or was stopped, must not send what others have given up (K12, K20).

        Raises:
            SigningDeferredError: Nothing was signed, later may be better.
            SigningUncertainError: Something may have been signed.
            SigningRefusedError: Nothing was signed and never will be.
        """
        ...

    async def find(self, tenant: Tenant, intent: Intent) -> Sequence[Signed]:
        """Look in Vault's store for what was signed for an intent since its first attempt, earliest first.

        Raises:
            SigningDeferredError: Vault cannot be asked now.
        """
        ...

    async def revoke(self, tenant: Tenant, certificate: bytes) -> None:
        """Revoke a certificate (DER); one that is revoked already is fine.

        Raises:
            SigningDeferredError: Vault did not say yes; ask again.
        """
        ...
