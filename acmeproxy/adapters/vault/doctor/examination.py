"""The examination of one tenant: every check in order, within a deadline, and nothing left behind."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from acmeproxy.adapters.vault.doctor import above, authority, canary, mount, policy, revocation, role, token
from acmeproxy.adapters.vault.doctor.case import Case, RefusedError, UnansweredError
from acmeproxy.services.findings import Finding, failed

#: For one tenant: a Vault that answers takes a second, and one that hangs holds nobody else up.
WITHIN: Final = timedelta(seconds=60)

Progress = Callable[[str], None]
"""Is told what is looked at next."""


async def examine(
    case: Case, neighbours: Sequence[str], progress: Progress, within: timedelta = WITHIN
) -> Sequence[Finding]:
    """Examine a tenant; what was found before a deadline or a failure is kept.

    Changes nothing but for its canaries, which are revoked.

    Args:
        case: The tenant.
        neighbours: The other tenants that log in as this one does.
        progress: Is told what is looked at.
        within: The deadline of all of it.
    """
    found: list[Finding] = list(policy.sharing(case, neighbours))
    try:
        async with asyncio.timeout(within.total_seconds()):
            await _all(case, found, progress)
    except UnansweredError as error:
        found.append(failed(case.about("vault"), str(error), "acmeproxy doctor  # once Vault answers"))
    except TimeoutError:
        text = f"Vault did not answer everything within {within.total_seconds():.0f} s"
        found.append(failed(case.about("vault"), text, "acmeproxy doctor  # once Vault answers in time"))
    return found


async def _all(case: Case, found: list[Finding], progress: Progress) -> None:
    progress(case.about("login"))
    try:
        known, told = await token.examine(case)
    except RefusedError as error:
        found.append(failed(case.about("login"), str(error), token.admitted(case)))
        return
    except UnansweredError as error:
        found.append(failed(case.about("login"), str(error), "acmeproxy doctor  # once it can log in"))
        return
    found += told
    if known is None:
        return
    found += await token.reader(case)
    progress(case.about("policy"))
    found += (await policy.examine(case, known)).findings
    progress(case.about("roles"))
    roles = [(use, await case.see(f"{use.place.mount}/roles/{use.place.role}")) for use in case.uses]
    for use, shown in roles:
        found += await role.examine(case, use, shown)
    progress(case.about("issuers"))
    for reference in dict.fromkeys(role.issuer_of(use, shown) for use, shown in roles):
        found += await authority.examine(case, reference)
    progress(case.about("mount"))
    found += await mount.examine(case)
    found += await above.examine(case)
    revoked = []
    for use, shown in roles:
        progress(case.about(f"canary {use.place.mount}/{use.place.role}"))
        flown = await canary.examine(case, use, shown)
        found += flown.findings
        revoked += [flown.revoked] if flown.revoked else []
    progress(case.about("revocation"))
    found += await revocation.examine(case, revoked)
