"""The catalogue of errors: registered types with their statuses, each code explained in docs/errors.md."""

import re
from pathlib import Path

import pytest

from acmeproxy.core.reference import CODES, Reference
from tests.support.problems import TYPES

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

# What only an answer knows, the catalogue does not say: that a name was refused before any order.
CATALOGUED = TYPES | {"rejectedIdentifier": {400}}


@pytest.mark.parametrize("reference", Reference, ids=lambda reference: reference.code)
def test_a_code_has_a_registered_type_and_its_status(reference: Reference) -> None:
    """PRB-02, PRB-04: spelt as the registry spells it."""
    assert reference.status in CATALOGUED[reference.type]


@pytest.mark.parametrize(
    ("code", "type_", "status"),
    [
        ("ACCOUNT-CLOSED", "unauthorized", 401),  # fixed by RFC 8555 §7.3.6 (D5)
        ("METHOD", "malformed", 405),  # fixed by RFC 8555 §6.3
        ("NONCE", "badNonce", 400),
        ("JWS-SIGNATURE", "malformed", 400),  # D1
        ("JWS-URL", "unauthorized", 403),  # D2
        ("NOT-FOUND", "malformed", 404),  # D4
        ("CSR-NAMES", "badCSR", 400),  # D7
        ("HTTP01-CONTENT", "incorrectResponse", 403),  # D8
        ("ACCOUNT-TERMS", "userActionRequired", 403),  # D10
        ("BODY-SIZE", "malformed", 413),  # D12
        ("ORDER-NOT-READY", "orderNotReady", 403),  # cert-manager reads the order again on a 403
    ],
)
def test_decisions_that_clients_rely_on(code: str, type_: str, status: int) -> None:
    assert (CODES[code].type, CODES[code].status) == (type_, status)


@pytest.mark.parametrize("reference", Reference, ids=lambda reference: reference.code)
def test_a_code_is_one_word_and_its_advice_one_line(reference: Reference) -> None:
    assert re.fullmatch(r"[A-Z0-9]+(-[A-Z0-9]+)*", reference.code)
    assert re.fullmatch(r"[A-Za-z][ -~]*\.", reference.advice)
    assert '"' not in reference.advice
    assert "|" not in reference.advice


def test_codes_are_found_by_name() -> None:
    assert len(CODES) == len(Reference)
    assert CODES["NAME-NOT-ALLOWED"] is Reference.NAME_NOT_ALLOWED


def test_no_two_codes_are_one() -> None:
    """Members with equal values would be aliases in an enum, and one of the two codes would be lost."""
    assert len(Reference.__members__) == len(Reference)


def row(reference: Reference) -> str:
    """Return the line of docs/errors.md that explains a code: to mend the page, put this line into it."""
    return f"| `{reference.code}` | {reference.type} | {reference.status} | {reference.advice} |"


def test_the_page_explains_every_code_and_no_other() -> None:
    """A failure shows the lines to add (+) and to take away (-), in the order of `Reference`."""
    written = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]

    assert written == [row(reference) for reference in Reference]
