"""Challenges: how control of a name is proved, and what came of it (RFC 8555 §7.1.5, §8)."""

import enum
from datetime import datetime
from typing import Final

import msgspec

from acmeproxy.core import dns_proof
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.problem import Problem


class ChallengeType(enum.StrEnum):
    """The validation methods (RFC 8555 §9.7.8, RFC 8737, and two drafts)."""

    HTTP01 = "http-01"
    DNS01 = "dns-01"
    TLSALPN01 = "tls-alpn-01"
    DNSACCOUNT01 = "dns-account-01"
    DNSPERSIST01 = "dns-persist-01"


#: How many failed attempts are remembered.
MOST_FAILURES: Final = 10


class ChallengeStatus(enum.StrEnum):
    """The states of a challenge (RFC 8555 §7.1.6)."""

    PENDING = "pending"
    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"


class Challenge(msgspec.Struct, frozen=True, omit_defaults=True):
    """One way to prove one name.

    `key_authorization` is fixed when the client answers: the key of that moment counts, whatever key the
    account has when the proof is looked at (RFC 8555 §8.1). `error` is the last failed attempt while the
    challenge is processing, and the reason once it is invalid (RFC 8555 §8.2, erratum 5732), which it became
    at `failed_at`. `failures` are the last attempts that failed before.

    A dns-persist-01 challenge has no token, and `issuers`: the names by which records may mean this CA.
    """

    type: ChallengeType
    token: str = ""
    status: ChallengeStatus = ChallengeStatus.PENDING
    key_authorization: str | None = None
    answered_at: datetime | None = None
    attempts: int = 0
    validated_at: datetime | None = None
    error: Problem | None = None
    failed_at: datetime | None = None
    failures: tuple[Problem, ...] = ()
    issuers: tuple[str, ...] = ()

    def answer(self, key_authorization: str, now: datetime) -> "Challenge":
        """Take the client's word that the proof is in place; said twice, it is the same word (§7.5.1)."""
        if self.status is not ChallengeStatus.PENDING:
            return self
        return msgspec.structs.replace(
            self,
            status=ChallengeStatus.PROCESSING,
            key_authorization=key_authorization,
            answered_at=now,
        )

    def failed_once(self, error: Problem) -> "Challenge":
        """Record an attempt that failed and will be repeated: never back to pending (§8.2)."""
        if self.status is not ChallengeStatus.PROCESSING:
            return self
        failures = (*self.failures, error)[-MOST_FAILURES:]
        return msgspec.structs.replace(self, attempts=self.attempts + 1, error=error, failures=failures)

    def undecided(self, error: Problem) -> "Challenge":
        """Say why there is no verdict yet: no attempt failed, so none is counted (abuse case CAA-02)."""
        if self.status is not ChallengeStatus.PROCESSING:
            return self
        return msgspec.structs.replace(self, error=error)

    def conclude(self, error: Problem | None, now: datetime) -> "Challenge":
        """Settle a processing challenge for good: valid, or invalid with the reason (§7.1.6).

        The reason has the attempts before it, oldest first, as subproblems.
        """
        if self.status is not ChallengeStatus.PROCESSING:
            return self
        if error is None:
            return msgspec.structs.replace(
                self,
                status=ChallengeStatus.VALID,
                attempts=self.attempts + 1,
                validated_at=now,
                error=None,
                failures=(),
            )
        return msgspec.structs.replace(
            self,
            status=ChallengeStatus.INVALID,
            attempts=self.attempts + 1,
            error=msgspec.structs.replace(error, subproblems=(*error.subproblems, *self.failures)),
            failed_at=now,
            failures=(),
        )


def key_authorization(token: str, thumbprint: str) -> str:
    """Join a token and an account key's thumbprint (RFC 8555 §8.1)."""
    return f"{token}.{thumbprint}"


def fitting(identifier: Identifier, offered: tuple[ChallengeType, ...]) -> tuple[ChallengeType, ...]:
    """Return the offered types that can prove this identifier, in the offered order.

    A wildcard needs DNS: a host cannot speak for its siblings (VAL-10).
    An address has no DNS to ask (VAL-11).
    A long name may leave no room for the labels that a DNS method puts before it (D01-10).
    """
    if identifier.type is IdentifierType.IP:
        return tuple(kind for kind in offered if kind not in _BY_DNS)
    length = len(identifier.base.value)
    room = (kind for kind in offered if length <= _BY_DNS.get(kind, length))
    return tuple(kind for kind in room if kind in _BY_DNS or not identifier.wildcard)


#: The methods that look at records of the name's zone, and the longest name that each can prove.
_BY_DNS: Final = {
    ChallengeType.DNS01: dns_proof.LONGEST_DNS01,
    ChallengeType.DNSACCOUNT01: dns_proof.LONGEST_DNS_ACCOUNT01,
    ChallengeType.DNSPERSIST01: dns_proof.LONGEST_DNS_PERSIST01,
}
