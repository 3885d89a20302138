"""Authorizations: an account's right to a name (RFC 8555 §7.1.4)."""

import enum
from datetime import datetime

import msgspec

from acmeproxy.core.challenge import Challenge, ChallengeStatus, ChallengeType
from acmeproxy.core.identifier import Identifier
from acmeproxy.core.ids import AccountId, AuthorizationId, OrderId
from acmeproxy.core.problem import Problem


class AuthorizationStatus(enum.StrEnum):
    """The states of an authorization; `processing` is none of them (RFC 8555 §7.1.6, AUZ-03)."""

    PENDING = "pending"
    VALID = "valid"
    INVALID = "invalid"
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Authorization(msgspec.Struct, frozen=True, omit_defaults=True):
    """One name of one account. What happened is stored; the status is derived, so expiry needs no job."""

    id: AuthorizationId
    account_id: AccountId
    order_id: OrderId
    identifier: Identifier
    expires: datetime
    challenges: tuple[Challenge, ...]
    deactivated_at: datetime | None = None
    revoked_at: datetime | None = None

    def status(self, now: datetime) -> AuthorizationStatus:
        """Derive the status at `now`; at the very moment of `expires` it is expired (AS-9)."""
        if self.revoked_at is not None:
            return AuthorizationStatus.REVOKED
        if self.deactivated_at is not None:
            return AuthorizationStatus.DEACTIVATED
        if self._failed_in_time:
            return AuthorizationStatus.INVALID
        if now >= self.expires:
            return AuthorizationStatus.EXPIRED
        return AuthorizationStatus.VALID if self._proved else AuthorizationStatus.PENDING

    def challenge(self, kind: ChallengeType) -> Challenge | None:
        """Return the challenge of a type, if this authorization offers it."""
        return {challenge.type: challenge for challenge in self.challenges}.get(kind)

    def shown(self, now: datetime) -> tuple[Challenge, ...]:
        """Return the challenges that tell something: all, or the one that decided (AUZ-04, AUZ-05)."""
        deciding = {
            AuthorizationStatus.VALID: ChallengeStatus.VALID,
            AuthorizationStatus.INVALID: ChallengeStatus.INVALID,
        }.get(self.status(now))
        if deciding is None:
            return self.challenges
        return tuple(challenge for challenge in self.challenges if challenge.status is deciding)

    @property
    def error(self) -> Problem | None:
        """The reason why the authorization is invalid, if a challenge made it so."""
        failed = (c.error for c in self.challenges if c.status is ChallengeStatus.INVALID)
        return None if self._proved else next(failed, None)

    def replace_challenge(self, challenge: Challenge) -> "Authorization":
        """Return the authorization with one challenge in a new state.

        Unchanged when that is the old one, or when a challenge has settled the authorization: the first
        verdict counts, and a later one is discarded (CHL-18, AS-11).
        """
        if self._proved or self._failed or challenge == self.challenge(challenge.type):
            return self
        by_type = {c.type: c for c in self.challenges} | {challenge.type: challenge}
        return msgspec.structs.replace(self, challenges=tuple(by_type.values()))

    def deactivate(self, now: datetime) -> "Authorization":
        """Give the right up, or the attempt at it (RFC 8555 §7.5.2)."""
        if self.status(now) not in {AuthorizationStatus.PENDING, AuthorizationStatus.VALID}:
            return self
        return msgspec.structs.replace(self, deactivated_at=now)

    @property
    def _proved(self) -> bool:
        return any(c.status is ChallengeStatus.VALID for c in self.challenges)

    @property
    def _failed(self) -> bool:
        return any(c.status is ChallengeStatus.INVALID for c in self.challenges)

    @property
    def _failed_in_time(self) -> bool:
        """Whether a challenge failed before the authorization expired; expired ones stay so (AS-11)."""
        failures = (c.failed_at for c in self.challenges if c.status is ChallengeStatus.INVALID)
        return not self._proved and any(when is None or when < self.expires for when in failures)
