"""CAA records, from a name up to its top-level domain, first set found (RFC 8659 §3)."""

import asyncio
from datetime import timedelta
from typing import Final, cast

from dns.rdtypes.ANY.CAA import CAA

from acmeproxy.adapters.validation.resolver import Outcome, ResolutionError, Resolver
from acmeproxy.core import caa
from acmeproxy.core.caa import Property, Question
from acmeproxy.core.identifier import IdentifierType
from acmeproxy.core.problem import problem
from acmeproxy.core.reference import Reference
from acmeproxy.services.ports import CaaAllowed, CaaForbidden, CaaUnknown, CaaVerdict

_ABSENT: Final = frozenset({Outcome.NXDOMAIN, Outcome.NODATA})


class DnsCaa:
    """Implements `Caa`, each time anew.

    The resolver follows the aliases of each name asked for; the parents of an alias's target are nobody's
    business here (CAA-02).

    Args:
        resolver: Whom to ask.
        identities: The names by which records may mean this CA, in lower case.
        timeout: For the whole way up.
    """

    def __init__(self, resolver: Resolver, identities: tuple[str, ...], timeout: timedelta) -> None:
        self._resolver = resolver
        self._identities = identities
        self._seconds = timeout.total_seconds()

    async def ask(self, question: Question) -> CaaVerdict:
        """Ask once; `Caa.ask` is the contract."""
        if question.identifier.type is IdentifierType.IP:
            return CaaAllowed()
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._first_set(question)
        except ResolutionError as error:
            text = error.problem.detail.partition(" [ref ")[0]
            return CaaUnknown(problem(Reference.CAA_UNKNOWN, f"{text}; CAA records were asked for"))
        except TimeoutError:
            name = question.identifier.base.value
            text = (
                f"check the name servers of {name} and of its parents: CAA records were not found out in time"
            )
            return CaaUnknown(problem(Reference.CAA_UNKNOWN, text))
        return self._verdict(question, *found) if found else CaaAllowed()

    async def _first_set(self, question: Question) -> tuple[str, tuple[Property, ...]] | None:
        """Return the first name that has records, and these; failing anywhere is failing (CAA-14)."""
        for name in caa.tree(question.identifier):
            try:
                records = await self._resolver.records(name, "CAA")
            except ResolutionError as error:
                if error.outcome not in _ABSENT:
                    raise
            else:
                return name, tuple(_property(cast("CAA", record)) for record in records)
        return None

    def _verdict(self, question: Question, name: str, properties: tuple[Property, ...]) -> CaaVerdict:
        objection = caa.objection(properties, question, self._identities)
        if objection is None:
            return CaaAllowed()
        ours = " or ".join(self._identities)
        text = (
            f"allow {ours} for {question.identifier.value} by {question.method.value} in the CAA records of"
            f" {name}, or have them taken away: {objection}"
        )
        return CaaForbidden(problem(Reference.CAA_FORBIDDEN, text))


def _property(record: CAA) -> Property:
    return Property(record.flags, record.tag.decode("ascii").lower(), record.value)
