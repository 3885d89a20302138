"""Records of dns-persist-01 grant, or do not, by the draft's words (draft-ietf-acme-dns-persist §4)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core.dns_persist import Claim, objection

OWNER = "_validation-persist.shop.example"
ACCOUNT = "https://acme.example/acme/web/account/Abc"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SECONDS = 1772366400
GOOD = f"ca.example; accounturi={ACCOUNT}"
SYNTAX = "malformed: the one for this CA breaks the syntax of CAA issue values"
TWICE = "malformed: the one for this CA has a parameter twice"
NONE_OURS = "unauthorized: none there names this CA"
ANOTHER = "unauthorized: the one for this CA has the accounturi of another account"
NO_TIME = "malformed: the one for this CA has a persistUntil that is no number of seconds"
NO_WILDCARD = "unauthorized: the one for this account lacks policy=wildcard"
EXPIRED = "unauthorized: the one for this account has a persistUntil that is past"


def judged(*records: str, wildcard: bool = False, now: datetime = NOW) -> str | None:
    """Return the last part of the problem's type and the reason at the end of its text."""
    claim = Claim(("ca.example", "pki.example"), ACCOUNT, wildcard, now)
    found = objection(OWNER, [record.encode() for record in records], claim)
    if found is None:
        return None
    assert found.detail.startswith(f"put a TXT record at {OWNER} that grants {ACCOUNT} this name: ")
    reason = found.detail.partition("this name: ")[2].partition(" [ref ")[0]
    return f"{found.type.rpartition(':')[2]}: {reason}"


def test_the_moment_of_these_tests_is_this_second() -> None:
    assert NOW.timestamp() == SECONDS


@pytest.mark.parametrize(
    "records",
    [
        [GOOD],
        [f"PKI.Example;accounturi={ACCOUNT}"],  # DPE-03
        [f"ca.example; AccountURI={ACCOUNT}; policy=WildCard; persistUntil={SECONDS + 1}"],
        [f"{GOOD}; foo=bar; foo=baz"],  # DPE-07
        ["v=spf1 -all", "other.example; accounturi=x", GOOD],  # DPE-03
        ["ca.example; accounturi", GOOD],  # DPE-08
        [f"{GOOD}; policy=else"],  # DPE-05: the same as none
    ],
)
def test_what_grants(records: list[str]) -> None:
    """DPE-02, DPE-03, DPE-07, DPE-08."""
    assert judged(*records) is None


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("other.example; accounturi=x", NONE_OURS),
        ("", NONE_OURS),
        (";", NONE_OURS),
        (f"%%%; accounturi={ACCOUNT}", NONE_OURS),
        (f"accounturi={ACCOUNT}", NONE_OURS),
        (f"ca.example.; accounturi={ACCOUNT}", NONE_OURS),
        ("ca.example; accounturi=https://acme.example/acme/web/account/abc", ANOTHER),  # DPE-04
        (f"{GOOD}/", ANOTHER),
        ("ca.example; accounturi=", ANOTHER),
        ("ca.example", "malformed: the one for this CA has no accounturi"),
        ("ca.example; policy=wildcard", "malformed: the one for this CA has no accounturi"),
        (f"{GOOD}; accounturi={ACCOUNT}", TWICE),  # DPE-07
        (f"{GOOD}; policy=wildcard; policy=wildcard", TWICE),
        (f"{GOOD}; persistUntil=1; persistuntil=2", TWICE),
        (f"{GOOD};", SYNTAX),
        (f"CA.example; accounturi={ACCOUNT} policy=wildcard", SYNTAX),
        (f"ca.example ; accounturi={ACCOUNT}; b\N{LATIN SMALL LETTER U WITH DIAERESIS}=1", SYNTAX),
        (f"{GOOD}; persistUntil=soon", NO_TIME),
        (f"{GOOD}; persistUntil=-1", NO_TIME),
        (f"{GOOD}; persistUntil=", NO_TIME),
        (f"{GOOD}; persistUntil={SECONDS - 1}", EXPIRED),
    ],
)  # fmt: skip
def test_what_does_not_grant(record: str, why: str) -> None:
    """DPE-03, DPE-04, DPE-06, DPE-07, DNS-12."""
    assert judged(record) == why


def test_until_its_very_moment() -> None:
    """DPE-06: equality still counts, and a year that no calendar has does not break."""
    record = f"{GOOD}; persistUntil={SECONDS}"
    assert judged(record) is None
    assert judged(record, now=NOW + timedelta(seconds=1)) == EXPIRED
    assert judged(f"{GOOD}; persistUntil=999999999999999") is None


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        ("", NO_WILDCARD),
        ("; policy=specific-subdomains", NO_WILDCARD),
        ("; policy=", NO_WILDCARD),
        ("; policy=wildcard", None),
        ("; POLICY=WILDCARD", None),
    ],
)
def test_a_wildcard_needs_its_policy(tail: str, why: str | None) -> None:
    """DPE-05, VAL-10."""
    assert judged(GOOD + tail, wildcard=True) == why


def test_of_several_the_nearest_is_told() -> None:
    """DPE-08."""
    assert judged("ca.example", f"{GOOD}; persistUntil=1", "ca.example; accounturi=x") == EXPIRED
    assert judged("other.example", "ca.example; accounturi=x", "ca.example;;") == ANOTHER
    assert judged("other.example", "ca.example;;") == SYNTAX


@given(st.lists(st.binary(max_size=80) | st.text("ca.exmpl;=accounturi ", max_size=80).map(str.encode)))
def test_other_records_change_nothing_beside_a_good_one(records: list[bytes]) -> None:
    """DPE-03, DPE-08."""
    claim = Claim(("ca.example",), ACCOUNT, wildcard=False, now=NOW)
    assert objection(OWNER, [*records, GOOD.encode()], claim) is None
    alone = objection(OWNER, records, claim)
    assert alone is not None
    assert alone.type.rpartition(":")[2] in {"malformed", "unauthorized"}
