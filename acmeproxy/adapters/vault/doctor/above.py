"""The mount of the signing CA, where the reader may look: what it lacks, every tenant lacks some day."""

from collections.abc import Sequence
from typing import Any

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.doctor import revocation
from acmeproxy.adapters.vault.doctor.case import Case, UnansweredError, asked
from acmeproxy.adapters.vault.doctor.commands import hours
from acmeproxy.adapters.vault.doctor.mount import UNTUNED, longest_of, tidied
from acmeproxy.services.findings import Finding, failed


async def examine(case: Case) -> Sequence[Finding]:
    """Look at it; nothing is found where nobody may look, and where the signing CA is somewhere else.

    Raises:
        UnansweredError: There is no answer.
    """
    place = case.signing
    if case.above is None or (place.namespace, place.mount) == (case.namespace, case.mount):
        return ()
    subject = f"mount {place.mount}" + (f" in {place.namespace}" if place.namespace else "")
    return [*await _lid(case, subject), *await _chain(case, subject), *await _upkeep(case, subject)]


async def _lid(case: Case, subject: str) -> Sequence[Finding]:
    """See that it makes issuing CAs of more than 32 days."""
    place = case.signing
    longest = longest_of(await _see(case, f"sys/internal/ui/mounts/{place.mount}"))
    if not longest:
        longest = longest_of({"config": await _see(case, f"sys/mounts/{place.mount}/tune")}) or longest
    if longest is None or (longest and longest != UNTUNED):
        return ()
    lid = (f"-max-lease-ttl={hours(case.signing_lasting)}", place.mount)
    mend = case.commands.at(place.namespace).run("secrets", "tune", rest=lid)
    text = "max_lease_ttl is the server's default of 768 h: the next issuing CA would live for 32 days"
    return (failed(subject, text, mend),)


async def _chain(case: Case, subject: str) -> Sequence[Finding]:
    """See that it knows the way up from the signing CA, which the next issuing CA is imported with."""
    shown = await _see(case, f"{case.signing.mount}/issuer/default") or {}
    way = chain.parse_all(shown.get("ca_chain")) or ()
    if not way or way[-1].issuer == way[-1].subject:
        return ()
    text = "nothing leads from the signing CA to a root: the next issuing CA would have no parents"
    return (failed(subject, text, "acmeproxy vault apply"),)


async def _upkeep(case: Case, subject: str) -> Sequence[Finding]:
    """See that the list in which issuing CAs would be revoked rebuilds itself."""
    place = case.signing
    commands = case.commands.at(place.namespace)
    found: list[Finding] = []
    shown = await _see(case, f"{place.mount}/config/crl")
    if shown is not None:
        crl = await revocation.read_crl(case, place.mount, place.namespace)
        found += revocation.configured(commands, place.mount, subject, shown)
        found += revocation.fresh(case, commands, place.mount, subject, crl)
    shown = await _see(case, f"{place.mount}/config/auto-tidy")
    return found if shown is None else [*found, *tidied(commands, place.mount, subject, shown)]


async def _see(case: Case, path: str) -> dict[str, Any] | None:
    if case.above is None:
        return None
    try:
        return (await asked(case.above, "get", path)).data
    except UnansweredError:
        return None
