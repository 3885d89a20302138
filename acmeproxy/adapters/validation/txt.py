"""One look at the TXT records of a name, for the methods whose answer stands there (RFC 8555 §8.4)."""

from dns.rdtypes.ANY.TXT import TXT

from acmeproxy.adapters.validation.resolver import Outcome, ResolutionError, Resolver
from acmeproxy.core import dns_proof
from acmeproxy.core.problem import Problem, problem
from acmeproxy.core.reference import Reference
from acmeproxy.services.ports import Target


async def texts(resolver: Resolver, owner: str) -> tuple[bytes, ...]:
    """Return the octets of every TXT record at a name, the strings of each record joined (D01-04).

    Raises:
        ResolutionError: There are none, or it could not be found out.
    """
    records = await resolver.records(owner, "TXT")
    return tuple(b"".join(record.strings) for record in records if isinstance(record, TXT))


async def look_at(resolver: Resolver, owner: str, target: Target, remark: str = "") -> Problem | None:
    """Look whether one of the records at a name is the answer; a remark on the name ends every refusal.

    What the records hold is not repeated: they may be anybody's (INV-10).
    """
    expected = dns_proof.record_value(target.key_authorization)
    try:
        found = await texts(resolver, owner)
    except ResolutionError as error:
        return missing(error, owner, remark)
    if expected.encode("ascii") in found:
        return None
    seen = f"of {len(found)} there, none is that and nothing else"
    return problem(Reference.DNS_TXT_CONTENT, f"publish {expected} as TXT record at {owner}: {seen}{remark}")


def missing(error: ResolutionError, owner: str, remark: str = "") -> Problem:
    """Tell a name without TXT records from one about which nothing could be found out (D01-12)."""
    if error.outcome is Outcome.NODATA:
        text = f"publish a TXT record at {owner}: the DNS that this CA asks has the name, and no such record"
        return problem(Reference.DNS_TXT_MISSING, text + remark)
    return problem(Reference.DNS_FAILED, error.problem.detail.partition(" [ref ")[0] + remark)
