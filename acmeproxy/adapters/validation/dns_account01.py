"""dns-account-01: dns-01 below a label of the account (draft-ietf-acme-dns-account-label)."""

from acmeproxy.adapters.validation import txt
from acmeproxy.adapters.validation.resolver import Resolver
from acmeproxy.core import dns_proof
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.problem import Problem
from acmeproxy.services.ports import Target


class DnsAccount01:
    """Looks at the TXT records below the account's label, so that several accounts can prove one name."""

    type = ChallengeType.DNSACCOUNT01

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def look(self, target: Target) -> Problem | None:
        """Look once whether the record is there; `Validator.look` is the contract."""
        owner = dns_proof.account_owner(target.identifier.value, target.account_url)
        # The URL tells whoever looks for the record which label was computed, and of what (DAC-04).
        remark = f"; the label is that of account {target.account_url}"
        return await txt.look_at(self._resolver, owner, target, remark)
