"""CAA sets are judged by the words of RFC 8659 and RFC 8657; no DNS is asked here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core.caa import IssueValue, Property, Question, objection, parse_issue_value, tree
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.identifier import Identifier, IdentifierType

OURS = ("ca.example", "pki.example")
ACCOUNT = "https://acme.example/acme/web/account/Abc"
ELSEWHERE = "it allows other CAs only"
OTHER_ACCOUNT = "it allows this CA for another account only"
OTHER_METHOD = "it allows this CA for another validation method only"
UNKNOWN = "it has a critical property that this CA does not know"


def asked(name: str = "www.shop.example", method: ChallengeType = ChallengeType.HTTP01) -> Question:
    return Question(Identifier(IdentifierType.DNS, name), method, ACCOUNT)


def records(*written: str) -> list[Property]:
    """Read records as a zone file has them: flags, tag, value."""
    split = (line.split(" ", 2) for line in written)
    return [Property(int(flags), tag.lower(), value.encode()) for flags, tag, value in split]


def judged(*written: str, question: Question | None = None) -> str | None:
    return objection(records(*written), question or asked(), OURS)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("a.b.example", ("a.b.example", "b.example", "example")),
        ("*.b.example", ("b.example", "example")),
        ("b.corp", ("b.corp", "corp")),
    ],
)
def test_the_way_up_ends_at_the_top_level_domain(name: str, names: tuple[str, ...]) -> None:
    """CAA-01, CAA-03, CAA-04."""
    assert tree(Identifier(IdentifierType.DNS, name)) == names


@pytest.mark.parametrize(
    "written",
    [
        ["0 issue ca.example"],
        ["0 issue other.example", "0 issue pki.example"],  # CAA-07: records add up
        ["0 issue ;", "0 issue ca.example"],  # CAA-08
        ["0 issuewild ;"],  # CAA-06
        ["0 iodef mailto:security@shop.example"],  # CAA-06
        ["0 tbs x"],  # CAA-10: unknown, and not critical
        ["128 issue ca.example"],  # CAA-11
        ["1 issue ca.example"],
        ["128 iodef mailto:a@b.example", "128 issuemail ;", "0 issue ca.example"],
        ["126 tbs x"],  # CAA-11: other bits are reserved
        ["0 ISSUE ca.example"],  # CAA-12
        ["0 issue  \t CA.Example \t ; x=y"],  # CAA-13
        ["0 issue ca.example;"],
        ["0 issue ca.example; policy=ev; x1=; y-z=%21"],  # CAA-24
        ["0 issue %%%%", "0 issue ca.example"],
        [f"0 issue ca.example; accounturi={ACCOUNT}"],  # CAA-18
        ["0 issue ca.example; accounturi=https://other", f"0 issue ca.example; accounturi={ACCOUNT}"],
        ["0 issue ca.example; validationmethods=http-01"],  # CAA-20
        ["0 issue ca.example; validationmethods=dns-01,http-01"],
        ["0 issue ca.example; validationmethods=ca-foo,http-01,what-99"],  # CAA-23
        [f"0 issue ca.example; accounturi={ACCOUNT}; validationmethods=http-01"],  # CAA-21
    ],
)
def test_what_allows(written: list[str]) -> None:
    """CAA-05..CAA-13, CAA-18..CAA-24."""
    assert judged(*written) is None


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (["0 issue other.example"], ELSEWHERE),
        (["0 issue ;"], ELSEWHERE),
        (["0 issue "], ELSEWHERE),
        (["0 issue sub.ca.example"], ELSEWHERE),
        (["0 issue example"], ELSEWHERE),
        (["0 issue %%%%"], ELSEWHERE),  # CAA-09
        (["0 issue ca.example; a b"], ELSEWHERE),
        (["0 issue ca.example; a=b;"], ELSEWHERE),
        (["0 issue ca.example a=b"], ELSEWHERE),
        (["0 issue ca..example"], ELSEWHERE),
        (["0 issue ca.example."], ELSEWHERE),
        (["0 issue -ca.example"], ELSEWHERE),
        (["0 issue c\N{LATIN SMALL LETTER A WITH DIAERESIS}.example"], ELSEWHERE),
        (["128 tbs x", "0 issue ca.example"], UNKNOWN),  # CAA-10
        (["129 tbs x"], UNKNOWN),
        (["1 tbs x"], UNKNOWN),  # abuse case CAA-05
        (["0 issue ca.example; accounturi=https://acme.example/acme/web/account/abc"], OTHER_ACCOUNT),
        (["0 issue ca.example; accounturi="], OTHER_ACCOUNT),
        ([f"0 issue ca.example; accounturi={ACCOUNT}; accounturi={ACCOUNT}"], OTHER_ACCOUNT),  # CAA-19
        ([f"0 issue ca.example; AccountURI={ACCOUNT}x"], OTHER_ACCOUNT),
        (["0 issue ca.example; validationmethods=dns-01"], OTHER_METHOD),  # CAA-20
        (["0 issue ca.example; validationmethods="], OTHER_METHOD),  # CAA-22
        (["0 issue ca.example; validationmethods=http-01,"], OTHER_METHOD),
        (["0 issue ca.example; validationmethods=http-01,dns_01"], OTHER_METHOD),
        (["0 issue ca.example; validationmethods=HTTP-01"], OTHER_METHOD),
        (["0 issue ca.example; validationmethods=ca-http-01"], OTHER_METHOD),  # CAA-23
        (["0 issue ca.example; validationmethods=http-01; validationmethods=http-01"], OTHER_METHOD),
        (  # CAA-21: each record must hold by itself
            [f"0 issue ca.example; accounturi={ACCOUNT}; validationmethods=dns-01",
             "0 issue ca.example; accounturi=https://other; validationmethods=http-01"],
            OTHER_METHOD,
        ),
        (["0 issue other.example", "0 issue ca.example; accounturi=https://other"], OTHER_ACCOUNT),
    ],
)  # fmt: skip
def test_what_forbids(written: list[str], why: str) -> None:
    """CAA-07..CAA-10, CAA-18..CAA-23, abuse case CAA-06."""
    assert judged(*written) == why


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (["0 issuewild ca.example"], None),
        (["0 issuewild other.example", "0 issue ca.example"], ELSEWHERE),
        (["0 issuewild ca.example", "0 issue other.example"], None),
        (["0 issuewild ;", "0 issue ca.example"], ELSEWHERE),
        (["0 issue ca.example"], None),
        (["0 issue other.example"], ELSEWHERE),
        (["0 iodef mailto:a@b.example"], None),
    ],
)
def test_a_wildcard_heeds_issuewild_alone_where_there_is_one(written: list[str], why: str | None) -> None:
    """CAA-05."""
    assert judged(*written, question=asked("*.shop.example", ChallengeType.DNS01)) == why


@pytest.mark.parametrize("method", list(ChallengeType))
def test_a_method_has_the_name_of_its_challenge(method: ChallengeType) -> None:
    """CAA-20, DAC-07."""
    written = f"0 issue ca.example; validationmethods={method.value}"
    assert judged(written, question=asked(method=method)) is None
    others = ",".join(kind.value for kind in ChallengeType if kind is not method)
    written = f"0 issue ca.example; validationmethods={others}"
    assert judged(written, question=asked(method=method)) == OTHER_METHOD


def test_an_issue_value_is_taken_apart() -> None:
    value = parse_issue_value(b" CA.example\t; accountURI = https://a/b;x=;  y=1:2")
    assert value == IssueValue("ca.example", (("accounturi", "https://a/b"), ("x", ""), ("y", "1:2")))
    assert value.all("y") == ("1:2",)
    assert value.all("z") == ()


OCTETS = st.binary(max_size=60) | st.text("ca.exmpl;=- \t%accounturi", max_size=60).map(str.encode)


@given(OCTETS)
def test_any_octets_are_a_value_or_a_value_error(octets: bytes) -> None:
    """CAA-09: and whatever they are, a set that holds them does not break."""
    try:
        parsed = parse_issue_value(octets)
    except ValueError:
        parsed = None
    why = objection([Property(0, "issue", octets)], asked(), OURS)
    assert why in {None, ELSEWHERE, OTHER_ACCOUNT, OTHER_METHOD}
    if why is None:
        assert parsed is not None
        assert parsed.issuer in OURS


@given(st.permutations(["0 issue other.example", "0 issue ca.example", "0 iodef x", "0 issuewild ;"]))
def test_the_order_of_records_means_nothing(written: list[str]) -> None:
    """A set has no order (RFC 2181 §5)."""
    assert judged(*written) is None


@given(st.lists(OCTETS, max_size=4))
def test_adding_a_record_for_us_always_allows(others: list[bytes]) -> None:
    """CAA-07."""
    properties = [Property(0, "issue", value) for value in [*others, b"ca.example"]]
    assert objection(properties, asked(), OURS) is None
