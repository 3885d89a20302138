"""Challenges are looked at by workers, again and again if need be (RFC 8555 §8, §8.2)."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.challenge import Challenge, ChallengeStatus, ChallengeType
from acmeproxy.core.ids import AuthorizationId
from acmeproxy.core.job import Job
from acmeproxy.core.problem import Problem, problem
from acmeproxy.core.reference import Reference
from acmeproxy.services.ports import Clock, Target, Validator
from acmeproxy.services.reports import Report
from acmeproxy.services.stores import Authorizations, Owner, StaleError, Stored


class Retries(msgspec.Struct, frozen=True):
    """How often a worker looks before it gives up, and how long after a failure it looks again, doubling.

    A proxy in front of a client may still be publishing the answer (RFC 8555 §8.2).
    """

    attempts: int = 5
    delay: timedelta = timedelta(seconds=1)


class Validation:
    """Looks at answered challenges."""

    def __init__(
        self,
        authorizations: Authorizations,
        validators: Mapping[ChallengeType, Validator],
        clock: Clock,
        *,
        retries: Retries,
    ) -> None:
        self._authorizations = authorizations
        self._validators = validators
        self._clock = clock
        self._retries = retries

    async def look(self, job: Job) -> Report:
        """Look once at every answered challenge of an authorization, and settle or repeat it."""
        owner = Owner(job.tenant, job.account)
        found = await self._authorizations.load(owner, AuthorizationId(job.subject))
        if found is None:
            return Report("gone")
        account, stored = found
        now = self._clock()
        pending = stored.value.status(now) is AuthorizationStatus.PENDING
        answered = [c for c in stored.value.challenges if c.status is ChallengeStatus.PROCESSING]
        if not pending or not answered or account.value.closed_at is not None:
            # Deactivated, expired or settled meanwhile: nothing is looked at any more (VAL-09).
            await self._authorizations.drop(owner, stored.value)
            return Report("dropped")
        fault = await self._seen(stored.value, answered[0])
        return await self._settle(owner, stored, answered[0], fault)

    async def give_up(self, job: Job) -> Report:
        """Count an attempt that broke in our own hands, so that it cannot break for ever (VAL-12)."""
        owner = Owner(job.tenant, job.account)
        found = await self._authorizations.load(owner, AuthorizationId(job.subject))
        answered = (
            [c for c in found[1].value.challenges if c.status is ChallengeStatus.PROCESSING] if found else []
        )
        if found is None or not answered:
            return Report("gone")
        fault = problem(Reference.VALIDATION_ABANDONED, "the CA failed at looking, not you: order again")
        return await self._settle(owner, found[1], answered[0], fault)

    async def _settle(
        self, owner: Owner, stored: Stored[Authorization], challenge: Challenge, fault: Problem | None
    ) -> Report:
        now = self._clock()
        last = fault is None or challenge.attempts + 1 >= self._retries.attempts
        if fault is None or last:
            settled = stored.value.replace_challenge(challenge.conclude(fault, now))
            write = self._authorizations.conclude(owner, stored, settled)
        else:
            repeated = stored.value.replace_challenge(challenge.failed_once(fault))
            delay = self._retries.delay * 2**challenge.attempts
            write = self._authorizations.retry(owner, stored, repeated, now + delay)
        try:
            await write
        except StaleError:
            return Report("overtaken")  # deactivated, or another worker was faster (VAL-09, K8)
        return Report(
            ("valid" if fault is None else "invalid") if last else "again",
            {
                "identifier": stored.value.identifier.value,
                "method": challenge.type.value,
                "attempt": str(challenge.attempts + 1),
                "error": fault.detail if fault else "",
            },
        )

    async def _seen(self, authorization: Authorization, challenge: Challenge) -> Problem | None:
        validator = self._validators.get(challenge.type)
        if validator is None or challenge.key_authorization is None:
            return problem(Reference.VALIDATION_ABANDONED, "this challenge is no longer offered: order again")
        return await validator.look(
            Target(authorization.identifier.base, challenge.token, challenge.key_authorization)
        )
