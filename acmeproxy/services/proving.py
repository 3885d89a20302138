"""Proof that what signs can do no more than it must, at the start and from then on (TEN-08)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from acmeproxy.services.findings import Diagnosis, Finding, Level

_LOG: Final = structlog.get_logger()
PROVE_EVERY: Final = timedelta(hours=1)
_AGAIN: Final = timedelta(minutes=1)

Prove = Callable[[], Awaitable[Diagnosis]]
"""Looks at all tenants."""
Heard = Callable[[int], None]
"""Is told how many failures there are, after each look that had an answer."""


class UnprovenError(Exception):
    """The server is told not to start like this; the text is for people and names what mends it.

    `away` tells that it could not be found out.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        failures = (finding for finding in diagnosis.findings if finding.level is Level.FAIL)
        lines = [_sentence(finding) for finding in failures]
        super().__init__("\n".join(['vault.unsafe = "refuse", and it is not safe to serve:', *lines]))
        self.away = diagnosis.away


class Proving:
    """Looks, and tells what it finds: a failure once, until it is gone."""

    def __init__(self, prove: Prove, heard: Heard, every: timedelta = PROVE_EVERY) -> None:
        self._prove = prove
        self._heard = heard
        self._every = every
        self._told: frozenset[Finding] | None = None

    async def require(self) -> None:
        """Look once.

        Raises:
            UnprovenError: Something is a reason not to serve, or there is no answer.
        """
        diagnosis = await self._look()
        if diagnosis.failures:
            raise UnprovenError(diagnosis)

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled; soon again where there was no answer."""
        if self._told is not None:
            await asyncio.sleep(self._every.total_seconds())
        while True:
            try:
                pause = min(_AGAIN, self._every) if (await self._look()).away else self._every
            except Exception:  # noqa: BLE001 - whatever a server answers, looking at it must not end what serves
                _LOG.exception("vault.unproven")
                pause = min(_AGAIN, self._every)
            await asyncio.sleep(pause.total_seconds())

    async def _look(self) -> Diagnosis:
        diagnosis = await self._prove()
        told = self._told or frozenset()
        found = frozenset(one for one in diagnosis.findings if one.level is Level.FAIL)
        # That somebody is silent is told by whoever needs him, and is no news of what may be done: what was
        # found of him stays, and the others are told of all the same.
        found -= frozenset(diagnosis.silent)
        if diagnosis.away:
            found |= told
        for finding in sorted(found - told, key=_sentence):
            _LOG.warning("vault.unsafe", subject=finding.subject, why=finding.text, mend=finding.mend)
        if not diagnosis.away or found != told:
            self._told = found
            self._heard(len(found))
        return diagnosis


def _sentence(finding: Finding) -> str:
    mend = f"\n      mend: {finding.mend}" if finding.mend else ""
    return f"FAIL  {finding.subject}  {finding.text}{mend}"
