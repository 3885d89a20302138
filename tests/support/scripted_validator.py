"""A validator that does as it is told: the seam at which tests provoke verdicts, and their absence."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.problem import Problem
from acmeproxy.services.ports import Target

Look = Callable[[Target], Awaitable[Problem | None]]


@dataclass
class ScriptedValidator:
    """Implements `Validator`; `script` holds what the next looks come to, and then each finds the answer."""

    type: ChallengeType = ChallengeType.HTTP01
    script: deque[Look] = field(default_factory=deque)
    seen: list[Target] = field(default_factory=list)

    async def look(self, target: Target) -> Problem | None:
        self.seen.append(target)
        return await self.script.popleft()(target) if self.script else None

    def sees(self, fault: Problem | None, *, times: int = 1) -> None:
        """Have the next looks come to this."""

        async def look(_: Target) -> Problem | None:
            return fault

        self.script.extend([look] * times)

    def breaks(self, error: Exception, *, times: int = 1) -> None:
        """Have the next looks fail in our own hands."""

        async def look(_: Target) -> Problem | None:
            raise error

        self.script.extend([look] * times)
