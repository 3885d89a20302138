"""Challenges are answered by clients: the go-ahead to look at a proof (RFC 8555 §7.5.1)."""

from datetime import timedelta

from acmeproxy.core import payload
from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.challenge import Challenge, ChallengeStatus, key_authorization
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.services.authentication import Principal
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Authorizations, Outcomes, Owner, StaleError, Stored


class Responding:
    """Takes clients' answers to challenges."""

    def __init__(
        self, authorizations: Authorizations, outcomes: Outcomes, clock: Clock, *, patience: timedelta
    ) -> None:
        self._authorizations = authorizations
        self._outcomes = outcomes
        self._clock = clock
        self._patience = patience

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

    async def _again(self, owner: Owner, before: Authorization) -> Authorization:
        """Two answers at once: the other one counted (CHL-18)."""
        found = await self._authorizations.load(owner, before.id)
        return found[1].value if found else before
