"""Challenges are looked at by workers, again and again if need be (RFC 8555 §8, §8.2)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.challenge import Challenge, ChallengeStatus, ChallengeType
from acmeproxy.core.ids import AuthorizationId, TenantName
from acmeproxy.core.job import Job
from acmeproxy.core.problem import Problem, problem
from acmeproxy.core.reference import Reference
from acmeproxy.services.consent import AccountUrl, Consent
from acmeproxy.services.limiting import Limiting
from acmeproxy.services.ports import CaaForbidden, CaaUnknown, Clock, Target, Validator
from acmeproxy.services.reports import Report
from acmeproxy.services.stores import Authorizations, Owner, StaleError, Stored

_LONGEST_DELAY: Final = timedelta(minutes=10)


class Retries(msgspec.Struct, frozen=True):
    """How often a worker looks before it gives up, and how long after a failure it looks again, doubling.

    A proxy in front of a client may still be publishing the answer (RFC 8555 §8.2).
    """

    attempts: int = 5
    delay: timedelta = timedelta(seconds=1)


class Validation:
    """Looks at answered challenges, and then asks whether the owner of the name lets this CA certify it.

    Args:
        authorizations: Where they are stored.
        validators: Who looks: by tenant, and by method.
        limiting: Counts what failed.
        clock: Tells the time.
        retries: How often.
        account_url: Makes the URL that some methods look for.
        consent: Asks the owner.
    """

    def __init__(  # noqa: PLR0913 - what it needs, each named at its one place of use
        self,
        authorizations: Authorizations,
        validators: Mapping[TenantName, Mapping[ChallengeType, Validator]],
        limiting: Limiting,
        clock: Clock,
        *,
        retries: Retries,
        account_url: AccountUrl,
        consent: Consent,
    ) -> None:
        self._limiting = limiting
        self._authorizations = authorizations
        self._validators = validators
        self._clock = clock
        self._retries = retries
        self._account_url = account_url
        self._consent = consent

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
        fault = await self._seen(owner, stored.value, answered[0])
        if fault is not None:
            return await self._settle(owner, stored, answered[0], fault)
        match await self._consent.ask(owner, stored.value, answered[0].type):
            case CaaForbidden(problem=refusal):
                return await self._settle(owner, stored, answered[0], refusal, final=True)
            case CaaUnknown(problem=unknown):
                return await self._undecided(owner, stored, answered[0], unknown)
            case _:
                return await self._settle(owner, stored, answered[0], None)

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
        self,
        owner: Owner,
        stored: Stored[Authorization],
        challenge: Challenge,
        fault: Problem | None,
        *,
        final: bool = False,
    ) -> Report:
        now = self._clock()
        last = final or fault is None or challenge.attempts + 1 >= self._retries.attempts
        if fault is None or last:
            settled = stored.value.replace_challenge(challenge.conclude(fault, now))
            cost = self._limiting.failed_validation(owner, stored.value.identifier, fault)
            write = self._authorizations.conclude(owner, stored, settled, cost)
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

    async def _undecided(
        self, owner: Owner, stored: Stored[Authorization], challenge: Challenge, unknown: Problem
    ) -> Report:
        """Look again after as long as it took up to now: the proof stands, and nobody failed (CAA-14)."""
        now = self._clock()
        waited = stored.value.replace_challenge(challenge.undecided(unknown))
        delay = max(self._retries.delay, min(now - (challenge.answered_at or now), _LONGEST_DELAY))
        try:
            await self._authorizations.retry(owner, stored, waited, now + delay)
        except StaleError:
            return Report("overtaken")
        fields = {"identifier": stored.value.identifier.value, "method": challenge.type.value}
        return Report("undecided", {**fields, "error": unknown.detail})

    async def _seen(self, owner: Owner, authorization: Authorization, challenge: Challenge) -> Problem | None:
        validator = self._validators.get(owner.tenant, {}).get(challenge.type)
        if validator is None or challenge.key_authorization is None:
            return problem(Reference.VALIDATION_ABANDONED, "this challenge is no longer offered: order again")
        target = Target(
            authorization.identifier.base,
            challenge.token,
            challenge.key_authorization,
            wildcard=authorization.identifier.wildcard,
            account_url=self._account_url(owner),
            issuers=challenge.issuers,
        )
        return await validator.look(target)
