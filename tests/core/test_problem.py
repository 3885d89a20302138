"""Problem documents keep the contract that clients' parsers rely on (A5)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core.problem import AcmeError, Problem, Subject, plain, problem, refuse
from acmeproxy.core.reference import Reference


def test_a_problem_says_type_detail_and_status() -> None:
    """PRB-02, PRB-03: the full URN, and a number for the status."""
    made = problem(Reference.CONTACT, "a contact is empty")

    assert msgspec.json.encode(made) == (
        b'{"type":"urn:ietf:params:acme:error:invalidContact",'
        b'"detail":"a contact is empty [ref CONTACT]","status":400}'
    )


def test_a_problem_leaves_out_what_it_does_not_have() -> None:
    """PRB-12: an empty member would be taken for one that says something."""
    made = problem(Reference.NONCE, "again", subproblems=(), algorithms=(), identifier=None, instance=None)

    assert set(msgspec.to_builtins(made)) == {"type", "detail", "status"}


def test_a_problem_has_all_members_of_the_rfc() -> None:
    """PRB-06, PRB-08, PRB-09."""
    inner = problem(Reference.NAME_SHAPE, "no", identifier=Subject("dns", "a_b.example"))
    made = problem(
        Reference.NAMES_REFUSED,
        "two",
        status=403,
        subproblems=(inner,),
        algorithms=("ES256",),
        instance="https://a.example/terms",
    )

    assert msgspec.to_builtins(made) == {
        "type": "urn:ietf:params:acme:error:rejectedIdentifier",
        "detail": "two [ref NAMES-REFUSED]",
        "status": 403,
        "subproblems": (
            {
                "type": "urn:ietf:params:acme:error:malformed",
                "detail": "no [ref NAME-SHAPE]",
                "status": 400,
                "identifier": {"type": "dns", "value": "a_b.example"},
            },
        ),
        "algorithms": ("ES256",),
        "instance": "https://a.example/terms",
    }


def test_a_stored_problem_comes_back() -> None:
    made = problem(Reference.DNS_FAILED, "no such name", identifier=Subject("dns", "a.example"))

    assert msgspec.json.decode(msgspec.json.encode(made), type=Problem) == made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ('say "no"', "say 'no'"),  # acme.sh cuts at the first double quote
        ("zwölf", "zw\\xf6lf"),
        ("\N{KELVIN SIGN}", "\\u212a"),
        ("\ud800", "\\ud800"),
        ("a\r\nSet-Cookie: b\0\x1b[31m\x7f", "a  Set-Cookie: b  [31m "),
        ("", ""),
    ],
)
def test_text_for_people_is_plain(text: str, expected: str) -> None:
    """PRB-11: nothing a stranger wrote reaches a terminal or a log as anything but text."""
    assert plain(text) == expected


@given(st.text())
def test_text_for_people_is_plain_whatever_it_was(text: str) -> None:
    made = plain(text)

    assert made.isascii()
    assert made.isprintable()
    assert '"' not in made
    assert len(made) <= 400


def test_a_detail_has_an_end_and_keeps_its_reference() -> None:
    made = problem(Reference.CSR_NAMES, "x" * 10_000)

    assert made.detail == "x" * 400 + " [ref CSR-NAMES]"


def test_a_refusal_carries_the_headers_of_its_answer() -> None:
    error = refuse(Reference.STATE_AWAY, "the state store does not answer", retry_after=5)

    assert error.retry_after == 5
    assert error.problem.status == 503
    assert str(error) == "the state store does not answer [ref STATE-AWAY]"


def test_a_refusal_has_no_headers_unless_they_are_asked_for() -> None:
    error = AcmeError(problem(Reference.METHOD, "POST only"), allow=("POST",))

    assert (error.retry_after, error.location, error.allow, error.link) == (None, None, ("POST",), ())
