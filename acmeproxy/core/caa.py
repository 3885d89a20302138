"""CAA: whether the owner of a domain lets this CA certify it, by sets of records (RFC 8659, RFC 8657)."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.identifier import Identifier

# Bit 0 of the flags is the critical one (RFC 8659 §4.1). Zones have 1 for it so often that it counts, too.
_CRITICAL: Final = 0b1000_0001
#: The property tags of the IANA registry: known, though most say nothing about TLS certificates.
_KNOWN: Final = frozenset(
    {"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"}
)
_WORD: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_BLANKS: Final = " \t"
_ISSUER: Final = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_PARAMETER: Final = re.compile(rf"({_WORD})[ \t]*=[ \t]*([\x21-\x3a\x3c-\x7e]*)")
_METHODS: Final = re.compile(r"[A-Za-z0-9-]+(?:,[A-Za-z0-9-]+)*")


class Property(msgspec.Struct, frozen=True):
    """One CAA record; the tag compares in lower case, and the value is whatever octets somebody wrote."""

    flags: int
    tag: str
    value: bytes


class IssueValue(msgspec.Struct, frozen=True):
    """The value of `issue` and its kin: a domain in lower case, perhaps empty, and tags with their values."""

    issuer: str
    parameters: tuple[tuple[str, str], ...] = ()

    def all(self, tag: str) -> tuple[str, ...]:
        """Return every value of a parameter; tags compare in lower case."""
        return tuple(value for known, value in self.parameters if known == tag)


class Question(msgspec.Struct, frozen=True):
    """May this name, proved in this way by this account, be certified? A wildcard keeps its `*.`."""

    identifier: Identifier
    method: ChallengeType
    account_url: str


def tree(identifier: Identifier) -> tuple[str, ...]:
    """Return the names to ask, from the name itself up to its top-level domain (RFC 8659 §3)."""
    labels = identifier.base.value.split(".")
    return tuple(".".join(labels[start:]) for start in range(len(labels)))


def objection(properties: Sequence[Property], question: Question, identities: Iterable[str]) -> str | None:
    """Return why a set of records forbids issuing, in words without a byte of it, or `None` if it allows it.

    `identities` are this CA's names in such records, in lower case. The set is the first that is not empty.
    """
    if any(p.flags & _CRITICAL and p.tag not in _KNOWN for p in properties):
        return "it has a critical property that this CA does not know"
    wild = [p for p in properties if p.tag == "issuewild"]
    deciding = wild if question.identifier.wildcard and wild else [p for p in properties if p.tag == "issue"]
    if not deciding:
        return None
    names = frozenset(identities)
    objections = [_objection(p, question, names) for p in deciding]
    return None if None in objections else max(filter(None, objections), key=_NEARNESS.index)


def parse_issue_value(value: bytes) -> IssueValue:
    """Parse what stands in `issue` and `issuewild`, and in dns-persist-01 (RFC 8659 §4.2).

    Raises:
        ValueError: It breaks the grammar.
    """
    text = value.decode("ascii")
    issuer, semicolon, rest = text.partition(";")
    issuer, rest = issuer.strip(_BLANKS), rest.strip(_BLANKS)
    if issuer and not _ISSUER.fullmatch(issuer):
        raise ValueError("not a domain name before the semicolon")
    parameters = []
    # The last parameter has no semicolon after it; only where there are none, one may stand alone.
    for written in rest.split(";") if semicolon and rest else ():
        found = _PARAMETER.fullmatch(written.strip(_BLANKS))
        if found is None:
            raise ValueError("not a parameter after the semicolon")
        parameters.append((found[1].lower(), found[2]))
    return IssueValue(issuer.lower(), tuple(parameters))


_ELSEWHERE: Final = "it allows other CAs only"
_ACCOUNT: Final = "it allows this CA for another account only"
_METHOD: Final = "it allows this CA for another validation method only"
#: Of several objections the one is told that the owner of the zone is nearest to mending.
_NEARNESS: Final = (_ELSEWHERE, _ACCOUNT, _METHOD)


def _objection(one: Property, question: Question, identities: frozenset[str]) -> str | None:
    try:
        value = parse_issue_value(one.value)
    except ValueError:
        return _ELSEWHERE  # the same as an empty issuer: nobody (CAA-09)
    if value.issuer not in identities:
        return _ELSEWHERE
    accounts, methods = value.all("accounturi"), value.all("validationmethods")
    # Twice is not once: nobody can tell which of them is meant (CAA-19, CAA-22).
    if accounts and accounts != (question.account_url,):
        return _ACCOUNT
    if methods and not _names(methods, question.method):
        return _METHOD
    return None


def _names(methods: Sequence[str], method: ChallengeType) -> bool:
    return len(methods) == 1 and bool(_METHODS.fullmatch(methods[0])) and method in methods[0].split(",")
