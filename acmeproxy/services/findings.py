"""What an examination of an installation found, and what mends it (threat-model §1.5)."""

import enum
from collections.abc import Iterable, Sequence

import msgspec


class Level(enum.StrEnum):
    """How bad it is: as it must be, worth knowing, or a reason not to serve."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    WARN = "WARN"
    FAIL = "FAIL"


class Finding(msgspec.Struct, frozen=True):
    """One check: what was looked at, what was found in one sentence, and the command that mends it.

    `mend` is a line for a shell, or a sentence where no command can do it; empty where nothing is to mend.
    No part ever holds a secret (INV-13).
    """

    level: Level
    subject: str
    text: str
    mend: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """All findings; `away` tells that Redis or Vault could not be asked at all.

    `silent` are those of the findings that say no more than that somebody did not answer.
    """

    findings: tuple[Finding, ...]
    away: bool = False
    silent: tuple[Finding, ...] = ()

    @property
    def failures(self) -> int:
        """How many are FAIL."""
        return sum(finding.level is Level.FAIL for finding in self.findings)

    @property
    def warnings(self) -> int:
        """How many are WARN."""
        return sum(finding.level is Level.WARN for finding in self.findings)


def passed(subject: str, text: str) -> Finding:
    """Return what is as it must be."""
    return Finding(Level.PASS, subject, text)


def warned(subject: str, text: str, mend: str = "") -> Finding:
    """Return what is worth knowing."""
    return Finding(Level.WARN, subject, text, mend)


def failed(subject: str, text: str, mend: str = "") -> Finding:
    """Return a reason not to serve."""
    return Finding(Level.FAIL, subject, text, mend)


def or_passed(found: Iterable[Finding], subject: str, text: str) -> Sequence[Finding]:
    """Return what was found about a subject; one that nothing was found about has passed."""
    kept = tuple(found)
    return kept or (passed(subject, text),)
