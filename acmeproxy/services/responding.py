"""Challenges are answered by clients: the go-ahead to look at a proof (RFC 8555 §7.5.1)."""

from datetime import timedelta

from acmeproxy.core import payload
from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.challenge import Challenge, ChallengeStatus, key_authorization
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.services.authentication import Principal
from acmeproxy.services.limiting import Limiting
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Authorizations, Outcomes, Owner, StaleError, Stored


class Responding:
    """Takes clients' answers to challenges."""

    def __init__(
        self,
        authorizations: Authorizations,
        outcomes: Outcomes,
        limiting: Limiting,
        clock: Clock,
        *,
        patience: timedelta,
    ) -> None:
        self._limiting = limiting
        self._authorizations = authorizations
        self._outcomes = outcomes
        self._clock = clock
        self._patience = patience

    async def respond(
        self, principal: Principal, stored: Stored[Authorization], challenge: Challenge
    ) -> Authorization:
        """Read a challenge, or take the client's answer and wait a moment for the verdict (§7.5.1).

        Raises:
            AcmeError: `malformed`, for a payload that is no object or an authorization that is final;
                `rateLimited`.
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
        # dns-persist-01 has no token: what is looked for is the account's URL, which no key changes.
        thumbprint = principal.account.value.thumbprint
        proof = key_authorization(challenge.token, thumbprint) if challenge.token else ""
        after = before.replace_challenge(challenge.answer(proof, self._clock()))
        with self._outcomes.authorization(before.id) as watch:
            try:
                await self._answer(principal.owner, stored, after)
            except StaleError:
                return await self._again(principal.owner, before)
            return await watch.outcome(self._patience) or after

    async def _answer(self, owner: Owner, stored: Stored[Authorization], after: Authorization) -> None:
        with self._limiting.refusing(owner.tenant):
            await self._authorizations.answer(owner, stored, after, self._limiting.spend_answer(owner))

    async def _again(self, owner: Owner, before: Authorization) -> Authorization:
        """Two answers at once: the other one counted (CHL-18)."""
        found = await self._authorizations.load(owner, before.id)
        return found[1].value if found else before
