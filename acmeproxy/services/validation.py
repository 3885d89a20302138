"""Challenges are answered by clients and looked at by workers (RFC 8555 §7.5.1, §8)."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from acmeproxy.core import payload
from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.challenge import Challenge, ChallengeStatus, ChallengeType, key_authorization
from acmeproxy.core.ids import AuthorizationId
from acmeproxy.core.job import Job
from acmeproxy.core.problem import Problem, problem, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.services.authentication import Principal
from acmeproxy.services.ports import Clock, Target, Validator
from acmeproxy.services.reports import Report
from acmeproxy.services.stores import Authorizations, Outcomes, Owner, StaleError, Stored


class Retries(msgspec.Struct, frozen=True):
    """How often a worker looks before it gives up, and how long after a failure it looks again, doubling.

    A proxy in front of a client may still be publishing the answer (RFC 8555 §8.2).
    """

    attempts: int = 5
    delay: timedelta = timedelta(seconds=1)


class Validation:
    """Takes answers and looks at them."""

    def __init__(  # noqa: PLR0913 - what it needs, each named at its one place of use
        self,
        authorizations: Authorizations,
        outcomes: Outcomes,
        validators: Mapping[ChallengeType, Validator],
        clock: Clock,
        *,
        patience: timedelta,
        retries: Retries,
    ) -> None:
        self._authorizations = authorizations
        self._outcomes = outcomes
        self._validators = validators
        self._clock = clock
        self._patience = patience
        self._retries = retries

    async def respond(
        self, principal: Principal, stored: Stored[Authorization], challenge: Challenge
    ) -> Authorization:
        """Read a challenge, or take the client's answer and wait a moment for the verdict (§7.5.1).

        Raises:
            AcmeError: `malformed`, for a payload that is no object or an authorization that is final.
        """
        before = stored.value
        if not principal.payload:
            return before
        payload.parse(principal.payload, payload.ChallengeResponse)
        status = before.status(self._clock())
        if status not in {AuthorizationStatus.PENDING, AuthorizationStatus.VALID}:
            text = f"the authorization is {status.value}: place a new order"
            raise refuse(Reference.AUTHORIZATION_CLOSED, text)
        if status is AuthorizationStatus.VALID or challenge.status is not ChallengeStatus.PENDING:
            return before
        proof = key_authorization(challenge.token, principal.account.value.thumbprint)
        after = before.replace_challenge(challenge.answer(proof, self._clock()))
        with self._outcomes.authorization(before.id) as watch:
            try:
                await self._authorizations.answer(principal.owner, stored, after)
            except StaleError:
                return await self._again(principal.owner, before)
            return await watch.outcome(self._patience) or after

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
        return await self._look_at(owner, stored, answered[0])

    async def _look_at(self, owner: Owner, stored: Stored[Authorization], challenge: Challenge) -> Report:
        fault = await self._seen(stored.value, challenge)
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

    async def _again(self, owner: Owner, before: Authorization) -> Authorization:
        """Two answers at once: the other one counted (CHL-18)."""
        found = await self._authorizations.load(owner, before.id)
        return found[1].value if found else before
