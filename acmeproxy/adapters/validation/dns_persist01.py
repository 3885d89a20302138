"""dns-persist-01: does the zone of a name grant it to the account (draft-ietf-acme-dns-persist)?"""

from acmeproxy.adapters.validation import txt
from acmeproxy.adapters.validation.resolver import ResolutionError, Resolver
from acmeproxy.core import dns_persist, dns_proof
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.problem import Problem
from acmeproxy.services.ports import Clock, Target


class DnsPersist01:
    """Looks at the TXT records below `_validation-persist`, anew for every order (DPE-09)."""

    type = ChallengeType.DNSPERSIST01

    def __init__(self, resolver: Resolver, clock: Clock) -> None:
        self._resolver = resolver
        self._clock = clock

    async def look(self, target: Target) -> Problem | None:
        """Look once whether a record grants the name; `Validator.look` is the contract."""
        owner = dns_proof.persistent_owner(target.identifier.value)
        try:
            records = await txt.texts(self._resolver, owner)
        except ResolutionError as error:
            return txt.missing(error, owner)
        claim = dns_persist.Claim(target.issuers, target.account_url, target.wildcard, self._clock())
        return dns_persist.objection(owner, records, claim)
