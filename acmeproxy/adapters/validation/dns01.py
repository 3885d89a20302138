"""dns-01: does the zone of a name hold the answer (RFC 8555 §8.4)?"""

from acmeproxy.adapters.validation import txt
from acmeproxy.adapters.validation.resolver import Resolver
from acmeproxy.core import dns_proof
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.problem import Problem
from acmeproxy.services.ports import Target


class Dns01:
    """Looks at the TXT records below `_acme-challenge`, through every alias that the resolver follows."""

    type = ChallengeType.DNS01

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def look(self, target: Target) -> Problem | None:
        """Look once whether the record is there; `Validator.look` is the contract."""
        owner = dns_proof.owner(target.identifier.value)
        return await txt.look_at(self._resolver, owner, target)
