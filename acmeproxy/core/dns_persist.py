"""dns-persist-01: one lasting record says which account may have a name (draft-ietf-acme-dns-persist §4)."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from acmeproxy.core.caa import IssueValue, parse_issue_value
from acmeproxy.core.problem import Problem, problem
from acmeproxy.core.reference import Reference

_KNOWN: Final = ("accounturi", "policy", "persistuntil")
_SECONDS: Final = re.compile(r"[0-9]{1,15}")


class Claim(msgspec.Struct, frozen=True):
    """What a record must grant: a name (or all below it) to an account, by one of our issuer names, now."""

    issuers: Collection[str]
    account_url: str
    wildcard: bool
    now: datetime


def objection(owner: str, records: Sequence[bytes], claim: Claim) -> Problem | None:
    """Return why none of the records at `owner` grants the claim, or `None` if one does (DPE-08).

    Of several records the one is told about that came nearest. Others' records are no errors (DPE-03).
    """
    faults = [fault for fault in (_fault(record, claim) for record in records) if fault != _NOT_OURS]
    if None in faults:
        return None
    nearest = max(filter(None, faults), key=_NEARNESS.index, default=_NOT_OURS)
    reference = Reference.DNS_PERSIST_RECORD if nearest in _MALFORMED else Reference.DNS_PERSIST_REFUSED
    text = f"put a TXT record at {owner} that grants {claim.account_url} this name: {nearest}"
    return problem(reference, text)


_NOT_OURS: Final = "none there names this CA"
_SYNTAX: Final = "the one for this CA breaks the syntax of CAA issue values"
_TWICE: Final = "the one for this CA has a parameter twice"
_NO_ACCOUNT: Final = "the one for this CA has no accounturi"
_NO_TIME: Final = "the one for this CA has a persistUntil that is no number of seconds"
_OTHER_ACCOUNT: Final = "the one for this CA has the accounturi of another account"
_NO_WILDCARD: Final = "the one for this account lacks policy=wildcard"
_EXPIRED: Final = "the one for this account has a persistUntil that is past"
_MALFORMED: Final = (_SYNTAX, _TWICE, _NO_ACCOUNT, _NO_TIME)
_NEARNESS: Final = (_NOT_OURS, *_MALFORMED, _OTHER_ACCOUNT, _NO_WILDCARD, _EXPIRED)


def _fault(record: bytes, claim: Claim) -> str | None:
    try:
        value = parse_issue_value(record)
    except ValueError:
        # Whose it was meant to be stands before the semicolon, if anywhere.
        meant = record.partition(b";")[0].decode("latin-1").strip(" \t").lower()
        return _SYNTAX if meant in claim.issuers else _NOT_OURS
    if value.issuer not in claim.issuers:
        return _NOT_OURS
    return _malformed(value) or _refused(value, claim)


def _malformed(value: IssueValue) -> str | None:
    if any(len(value.all(tag)) > 1 for tag in _KNOWN):
        return _TWICE
    if not value.all("accounturi"):
        return _NO_ACCOUNT
    if not all(_SECONDS.fullmatch(until) for until in value.all("persistuntil")):
        return _NO_TIME
    return None


def _refused(value: IssueValue, claim: Claim) -> str | None:
    if value.all("accounturi") != (claim.account_url,):
        return _OTHER_ACCOUNT
    if claim.wildcard and [policy.lower() for policy in value.all("policy")] != ["wildcard"]:
        return _NO_WILDCARD
    # At that very moment it still counts (DPE-06). Compared as numbers: no date is too far for that.
    seconds = claim.now.astimezone(UTC).timestamp()
    if any(seconds > int(until) for until in value.all("persistuntil")):
        return _EXPIRED
    return None
