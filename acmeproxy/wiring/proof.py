"""What `serve` looks at when it starts, asked with the logins that it signs with."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from acmeproxy import settings
from acmeproxy.adapters.vault.doctor import proof
from acmeproxy.adapters.vault.doctor.case import Case, UnansweredError
from acmeproxy.adapters.vault.login import Login
from acmeproxy.core.ids import TenantName
from acmeproxy.services.findings import Diagnosis, failed
from acmeproxy.wiring import cases, vaults


async def prove(given: settings.Settings, logins: Mapping[TenantName, Login]) -> Diagnosis:
    """Look at every tenant, all at once.

    Args:
        given: The settings.
        logins: Every tenant's login, which stays open.
    """
    connections, tenants = vaults.vaults(given), given.tenant_values()
    async with AsyncExitStack() as stack:
        put = cases.Cases(given, stack)
        told, programs = await put.servers(list(connections.values()))
        looked_at = [
            (put.known(tenants[name], connection, program, logins[name]), cases.neighbours(given, name))
            for name, connection in connections.items()
            if (program := programs.get(connection.address)) is not None
        ]
        found = await asyncio.gather(*(_of(case, neighbours) for case, neighbours in looked_at))
    away = len(looked_at) < len(tenants) or any(one.away for one in found)
    gone = {f"vault {one.address}" for one in connections.values() if one.address not in programs}
    silent = [finding for finding in told if finding.subject in gone]
    silent += [finding for one in found for finding in one.silent]
    findings = (*told, *(finding for one in found for finding in one.findings))
    return Diagnosis(findings, away=away, silent=tuple(silent))


async def _of(case: Case, neighbours: tuple[str, ...]) -> Diagnosis:
    try:
        return Diagnosis(tuple(await proof.examine(case, neighbours)))
    except UnansweredError as error:
        unheard = failed(case.about("vault"), str(error), "acmeproxy doctor  # once Vault answers")
        return Diagnosis((unheard,), away=True, silent=(unheard,))
