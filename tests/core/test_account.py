"""Accounts and their contacts (A8: ACC-03, ACC-11; NAC-09..13; abuse ACC-14)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core.account import Account, AccountStatus, check_contact
from acmeproxy.core.ids import AccountId
from acmeproxy.core.problem import AcmeError
from tests.support.refusals import refused

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = Account(AccountId("a"), {"kty": "OKP"}, "thumbprint", NOW)


@pytest.mark.parametrize(
    "contact",
    [
        (),
        ("mailto:a@b.example",),
        ("MAILTO:a@b.example",),
        ("mailto:first.last+acme@mail.b-c.example", "mailto:o'neil@b.example"),
        ("mailto:root@localhost",),
        tuple(f"mailto:{i}@b.example" for i in range(10)),
    ],
)
def test_plain_addresses_are_kept_as_they_are(contact: tuple[str, ...]) -> None:
    """NAC-12."""
    assert check_contact(contact) == contact


@pytest.mark.parametrize(
    "url",
    [
        "tel:+1",
        "http://x",
        "javascript:alert(1)",
        "data:text/plain,x",
        "a@b.example",
        "",
        " mailto:a@b.c",
    ],
)
def test_other_schemes_are_refused_with_the_one_that_is_taken(url: str) -> None:
    """NAC-09."""
    with refused("unsupportedContact", "CONTACT-SCHEME") as refusal:
        check_contact(("mailto:a@b.example", url))

    assert "use mailto" in refusal.detail


@pytest.mark.parametrize(
    "url",
    [
        "mailto",
        "mailto:",
        "mailto:x",
        "mailto:@b.example",
        "mailto:a@",
        "mailto:a@@b.example",
        "mailto:a@b@c.example",
        "mailto:a@b..example",
        "mailto:a@.example",
        "mailto:a@b.example.",
        "mailto:a@-b.example",
        "mailto:a@b-.example",
        "mailto:a@b_c.example",
        "mailto:a@[192.0.2.1]",
        # Header fields, lists, and what a mail program would make of an escape (NAC-11).
        "mailto:a@b.example?subject=x",
        "mailto:a@b.example?bcc=victim@c.example",
        "mailto:a@b.example,c@d.example",
        "mailto:a@b.example;c@d.example",
        "mailto:a%0d%0abcc:c@d.example",
        "mailto:a@b.example%2Cc@d.example",
        "mailto:a@b.example\r\nBcc: c@d.example",
        "mailto:Name <a@b.example>",
        'mailto:"a b"@b.example',
        "mailto:a b@b.example",
        # Not ASCII, and text that runs backwards.
        "mailto:\u00e4@b.example",
        "mailto:a@b\u00fccher.example",
        "mailto:\u202emoc@b.example",
        "mailto:a@b.example\0",
        # Too long.
        "mailto:" + "a" * 400 + "@b.example",
    ],
)
def test_anything_but_one_plain_address_is_refused(url: str) -> None:
    """NAC-10, NAC-11, abuse ACC-14; the refusal does not repeat it."""
    with refused("invalidContact", "CONTACT") as refusal:
        check_contact((url,))

    assert refusal.detail == "a contact is not mailto: and one plain e-mail address [ref CONTACT]"


def test_too_many_are_refused() -> None:
    """NAC-13."""
    with refused("invalidContact", "CONTACT"):
        check_contact(("mailto:a@b.example",) * 11)


@given(st.text("ab.@?,%\r\n -_+\u00e9", max_size=12))
def test_what_is_kept_cannot_hold_a_second_address(address: str) -> None:
    try:
        check_contact((f"mailto:{address}",))
    except AcmeError:
        return
    assert address.count("@") == 1
    assert not set(address) & set("?,%\r\n \u00e9")


def test_a_contact_list_is_replaced_as_a_whole() -> None:
    """ACC-03: an empty one clears it."""
    changed = ACCOUNT.with_contact(("mailto:a@b.example",))

    assert changed.contact == ("mailto:a@b.example",)
    assert changed.with_contact(()) == ACCOUNT


def test_a_closed_account_stays_closed() -> None:
    """ACC-07, ACC-11: the first moment counts, and there is no way back."""
    closed = ACCOUNT.deactivate(NOW)

    assert (closed.status, closed.closed_at) == (AccountStatus.DEACTIVATED, NOW)
    assert closed.deactivate(NOW + timedelta(days=1)) is closed
    assert closed.key == ACCOUNT.key


def test_a_revoked_account_stays_revoked() -> None:
    """ACC-12: the operator's word stands, and is shown as such."""
    revoked = ACCOUNT.revoke(NOW)

    assert (revoked.status, revoked.closed_at) == (AccountStatus.REVOKED, NOW)
    assert revoked.deactivate(NOW + timedelta(days=1)) is revoked
    assert revoked.revoke(NOW + timedelta(days=1)) is revoked
    closed = ACCOUNT.deactivate(NOW)
    assert closed.revoke(NOW) is closed


def test_another_key_is_the_same_account() -> None:
    """RFC 8555 §7.3.5."""
    changed = ACCOUNT.with_key({"kty": "EC"}, "other")

    assert (changed.key, changed.thumbprint) == ({"kty": "EC"}, "other")
    assert changed.with_key(ACCOUNT.key, ACCOUNT.thumbprint) == ACCOUNT


def test_consent_is_to_some_terms_at_some_time() -> None:
    agreed = ACCOUNT.agree("https://ca.example/terms/2", NOW)

    assert (agreed.terms_agreed, agreed.terms_agreed_at) == ("https://ca.example/terms/2", NOW)


@pytest.mark.parametrize("status", ["valid", "deactivated", "revoked"])
def test_statuses_are_spelt_as_in_the_rfc(status: str) -> None:
    assert AccountStatus(status).value == status
