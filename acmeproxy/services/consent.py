"""Whether the owners of domains let this CA certify their names, where a tenant wants it asked (RFC 8659)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from msgspec import structs

from acmeproxy.core.authorization import Authorization
from acmeproxy.core.caa import Question
from acmeproxy.core.challenge import ChallengeStatus, ChallengeType
from acmeproxy.core.ids import TenantName
from acmeproxy.core.problem import Problem, problem
from acmeproxy.core.reference import Reference
from acmeproxy.services.ports import Caa, CaaAllowed, CaaForbidden, CaaUnknown, CaaVerdict
from acmeproxy.services.stores import Owner

#: For how long an answer holds (CAA-16).
FRESH: Final = timedelta(hours=8)
_AT_ONCE: Final = 8

AccountUrl: TypeAlias = Callable[[Owner], str]
"""Returns an account's URL, to the byte as its client has it (RFC 8657 §3, DAC-02)."""


class Consent:
    """Asks for every name by itself: an answer about one says nothing about another (abuse case CAA-01).

    Args:
        by_tenant: Who asks for a tenant; one that is missing does not want it asked.
        account_url: Makes the URL that records may demand.
    """

    def __init__(self, by_tenant: Mapping[TenantName, Caa], account_url: AccountUrl) -> None:
        self._by_tenant = by_tenant
        self._account_url = account_url

    async def ask(self, owner: Owner, authorization: Authorization, method: ChallengeType) -> CaaVerdict:
        """Ask about a name that was just proved."""
        caa = self._by_tenant.get(owner.tenant)
        if caa is None:
            return CaaAllowed()
        return await caa.ask(Question(authorization.identifier, method, self._account_url(owner)))

    async def ask_again(
        self, owner: Owner, authorizations: Sequence[Authorization], now: datetime
    ) -> CaaVerdict:
        """Ask about those names whose answer is too old to sign by, each with its method (CAA-16, CAA-25)."""
        stale = [
            (authorization, challenge.type)
            for authorization in authorizations
            for challenge in authorization.challenges
            if challenge.status is ChallengeStatus.VALID
            and (challenge.validated_at is None or challenge.validated_at <= now - FRESH)
        ]
        few = asyncio.Semaphore(_AT_ONCE)

        async def ask(authorization: Authorization, method: ChallengeType) -> CaaVerdict:
            async with few:
                return await self.ask(owner, authorization, method)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(authorization, method)) for authorization, method in stale]
        verdicts = [task.result() for task in tasks]
        refused = tuple(
            structs.replace(verdict.problem, identifier=authorization.identifier.subject)
            for (authorization, _), verdict in zip(stale, verdicts, strict=True)
            if isinstance(verdict, CaaForbidden)
        )
        if refused:
            return CaaForbidden(_joined(refused))
        return next((verdict for verdict in verdicts if isinstance(verdict, CaaUnknown)), CaaAllowed())


def _joined(refused: tuple[Problem, ...]) -> Problem:
    """Join the refusals, one subproblem a name (CAA-27)."""
    text = refused[0].detail.partition(" [ref ")[0]
    if len(refused) > 1:
        text = f"{len(refused)} names are refused by CAA records; the first: {text}"
    return problem(Reference.CAA_FORBIDDEN, text, subproblems=refused)
