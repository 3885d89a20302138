"""Names have one form, the one that certificates hold (A11: IDN-01..IDN-13; abuse IDN-01, 02, 03, 09)."""

import contextlib
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core.identifier import Identifier, IdentifierType, dns_name, parse
from acmeproxy.core.problem import Subject
from tests.support.refusals import refused

LONGEST_LABEL = "a" * 63
LONGEST_NAME = ".".join([LONGEST_LABEL] * 3 + ["a" * 61])  # 253 characters


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a.example", "a.example"),
        ("EXAMPLE.org", "example.org"),  # IDN-04
        ("*.Example.org", "*.example.org"),
        ("a-b.c--d.example", "a-b.c--d.example"),
        ("1.2.3.example", "1.2.3.example"),
        ("x1.0x1.example", "x1.0x1.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("xn--strae-oqa.example", "xn--strae-oqa.example"),  # a sharp s: IDNA 2008, not 2003
        ("host.xn--p1ai", "host.xn--p1ai"),
        (f"{LONGEST_LABEL}.example", f"{LONGEST_LABEL}.example"),
        (LONGEST_NAME, LONGEST_NAME),
    ],
)
def test_a_dns_name_is_kept_in_lower_case(value: str, expected: str) -> None:
    """IDN-04; NOR-17: what is lower case already comes back as it is."""
    assert parse("dns", value) == Identifier(IdentifierType.DNS, expected)


@pytest.mark.parametrize(
    "value",
    [
        # Not a host name (IDN-05).
        "",
        ".",
        "..",
        "a.example.",
        ".a.example",
        "a..example",
        "-a.example",
        "a-.example",
        "a_b.example",
        "a b.example",
        "a.example\n",
        "a.example\0.evil.example",
        " a.example",
        f"{LONGEST_LABEL}a.example",
        f"a.{LONGEST_NAME}",
        "localhost",
        "example",
        "com",
        # An address, or what a resolver takes for one (IDN-06, abuse IDN-01).
        "192.0.2.1",
        "2001:db8::1",
        "[::1]",
        "169.254.169.254",
        "127.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "a.0x7f",
        "a.0x",
        "a.1",
        "10.0.0.5:8080",
        "evil@10.0.0.5",
        "a.example/b",
        "a.example?b",
        "a.example#b",
        "https://a.example",
        "%61.example",
        "\uff11\uff12\uff17.0.0.1",
        # A wildcard is one star, alone, in front (IDN-07).
        "*",
        "*.",
        "*.*.b.example",
        "a.*.example",
        "f*.b.example",
        "*f.b.example",
        "**.b.example",
        "*.example",
        # Internationalised names come as A-labels, and these are none (IDN-02, IDN-03).
        "bücher.example",
        "\u212aube.example",
        "a\u3002example",
        "xn--.example",
        "xn--0.example",
        "xn--a.example",
        "xn--abc-.example",  # ASCII in disguise
        "xn--strasse-.example",
        "xn--BCHER-kva2.example",
        "xn--a-ecp.ru",
        "xn--1ch.example",  # not equal, which IDNA 2008 leaves out
        "xn--ls8h.example",  # an emoji
        "xn--a-tgn.example",  # a zero width joiner without context
        "ab--c.example",
        "xx--bcher-kva.example",
    ],
)
def test_anything_but_a_host_name_is_refused(value: str) -> None:
    with refused("malformed", "NAME-SHAPE") as refusal:
        parse("dns", value)

    assert refusal.problem.identifier == Subject("dns", value)


def test_a_refused_name_is_shown_shortened() -> None:
    with refused("malformed", "NAME-SHAPE") as refusal:
        parse("dns", "a" * 70_000)

    assert refusal.detail.startswith("a" * 80 + " cannot be in a certificate: ")


_LABELS = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=10)


@given(st.lists(_LABELS | st.text("xn-a1.*\u00fc\u212a", max_size=8), min_size=1, max_size=5).map(".".join))
def test_an_accepted_name_is_in_its_only_form(value: str) -> None:
    try:
        name = dns_name(value)
    except ValueError:
        return
    assert name == value.lower()
    assert dns_name(name) == name
    assert re.fullmatch(r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)
    assert len(name) <= 253


@given(st.text("0123456789abcdefghijklmnopqrstuvwxyz-", max_size=59))
def test_any_a_label_is_judged_without_breaking(label: str) -> None:
    """Decoders have raised all sorts of errors at forged punycode (abuse IDN-03)."""
    with contextlib.suppress(ValueError):
        dns_name(f"xn--{label}.example")


@pytest.mark.parametrize(
    "value", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "::1", "fe80::1", "2001:db8::a:0:0:1"]
)
def test_an_address_is_kept_in_its_canonical_text(value: str) -> None:
    assert parse("ip", value) == Identifier(IdentifierType.IP, value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2001:DB8::1",
        "2001:db8:0::1",
        "2001:0db8::1",
        "2001:db8::1:0:0:0",
        "010.0.0.1",
        "192.0.2.01",
        "192.0.2",
        "192.0.2.1.",
        "192.0.2.256",
        " 192.0.2.1",
        "192.0.2.1\n",
        "3221225985",
        "0xc0000201",
        "1.2.3.0/24",
        "[2001:db8::1]",
        "fe80::1%eth0",
        "::ffff:1.2.3.4",
        "::ffff:102:304",
        "\u0661.2.3.4",
        "a.example",
        "*.example.org",
    ],
)
def test_other_texts_of_an_address_are_refused(value: str) -> None:
    """IDN-13, abuse IDN-07."""
    with refused("malformed", "NAME-SHAPE") as refusal:
        parse("ip", value)

    assert refusal.problem.identifier == Subject("ip", value)


@pytest.mark.parametrize("type_", ["email", "", "DNS", "Dns", "dns ", "IP", "x" * 1000, 'a"b', "\0"])
def test_an_unknown_type_is_refused(type_: str) -> None:
    """IDN-01, abuse IDN-09."""
    with refused("unsupportedIdentifier", "NAME-TYPE") as refusal:
        parse(type_, "a.example")

    assert refusal.problem.identifier == Subject(type_, "a.example")


def test_a_wildcard_knows_its_base() -> None:
    """IDN-09: the name to prove is the one without the star."""
    wildcard = Identifier(IdentifierType.DNS, "*.example.org")

    assert wildcard.wildcard
    assert wildcard.base == Identifier(IdentifierType.DNS, "example.org")
    assert not wildcard.base.wildcard
    assert wildcard.base.base == wildcard.base


def test_a_name_and_its_wildcard_are_two_names() -> None:
    """IDN-10, IDN-11."""
    assert parse("dns", "*.example.org") != parse("dns", "example.org")


def test_a_name_is_shown_as_a_problem_shows_it() -> None:
    assert Identifier(IdentifierType.IP, "192.0.2.1").subject == Subject("ip", "192.0.2.1")
