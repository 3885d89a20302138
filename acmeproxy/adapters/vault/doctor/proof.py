"""What a tenant's own token is asked at the start: how far it reaches, and what its roles sign."""

from collections.abc import Sequence

from acmeproxy.adapters.vault.doctor import policy, role, token
from acmeproxy.adapters.vault.doctor.case import Case
from acmeproxy.services.findings import Finding


async def examine(case: Case, neighbours: Sequence[str]) -> Sequence[Finding]:
    """Look at a token and at the roles that it signs with; nothing is written or signed (TEN-08, VLT-08).

    A role that the token may not read is not asked for: to be sure of a 403 a login is made anew, which a
    secret id for one use does not survive.

    Args:
        case: The tenant.
        neighbours: The other tenants that log in as this one does.

    Raises:
        UnansweredError: There is no answer.
    """
    known, told = await token.examine(case)
    if known is None:
        return told
    rights = await policy.examine(case, known)
    found = [*policy.sharing(case, neighbours), *told, *rights.findings]
    for use in case.uses:
        path = f"{use.place.mount}/roles/{use.place.role}"
        if rights.may("read", path) and (shown := await case.see(path)) is not None:
            found += role.evaluate(case, use, shown)
    return found
