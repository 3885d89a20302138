"""Names of certificates and the windows in which to renew them (RFC 9773)."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core.certificate import Certificate
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.ids import AccountId, CertificateId, OrderId
from acmeproxy.core.renewal import Campaign, CertId, advise, name_of, parse
from tests.support.certificates import Wish, authority

#: The example of RFC 9773 §4.1.
EXAMPLE = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
KEY_IDENTIFIER = bytes.fromhex("69885B6B87464041E1B37B847BA0AE2CDE01C8D4")
NOTHING_ELSE = CertId(KEY_IDENTIFIER, 0x87654321)
ISSUED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def certificate(lifetime: timedelta, issued_at: datetime = ISSUED) -> Certificate:
    return Certificate(
        id=CertificateId("c" * 32),
        account_id=AccountId("0" + "a" * 32),
        order_id=OrderId("b" * 32),
        names=(Identifier(IdentifierType.DNS, "www.example.org"),),
        serial="87:65:43:21",
        chain=(b"leaf", b"issuer"),
        not_before=issued_at,
        not_after=issued_at + lifetime,
        issued_at=issued_at,
    )


def test_the_example_of_the_rfc_is_read_and_written() -> None:
    """ARI-02."""
    assert parse(EXAMPLE) == NOTHING_ELSE
    assert NOTHING_ELSE.text == EXAMPLE


@pytest.mark.parametrize(
    ("serial", "text"),
    [(1, "AQ"), (0x7F, "fw"), (0x80, "AIA"), (0x1234, "EjQ"), (0xFFFF, "AP__"), (0, "AA")],
)
def test_a_serial_is_written_with_its_sign_octet(serial: int, text: str) -> None:
    """ARI-02: the content octets of a positive INTEGER in DER."""
    assert CertId(b"\x01", serial).text == f"AQ.{text}"


def test_a_serial_without_its_sign_octet_is_the_same_certificate() -> None:
    """ARI-03, CLI-33."""
    assert parse("aYhba4dGQEHhs3uEe6CuLN4ByNQ.h2VDIQ") == NOTHING_ELSE


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "aYhba4dGQEHhs3uEe6CuLN4ByNQ",
        "aYhba4dGQEHhs3uEe6CuLN4ByNQ.",
        ".AIdlQyE",
        "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdl.QyE",
        "aYhba4dGQEHhs3uEe6CuLN4ByNQ=.AIdlQyE=",
        "aYhba4dGQEHhs3uEe6CuLN4ByN+.AIdlQyE",
        "aYhba4dGQEHhs3uEe6CuLN4ByN/.AIdlQyE",
        "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyF",
        " aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
        "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE\n",
        "A" * 99 + ".AQ",
        "\u0430YhA.AQ",
    ],
)
def test_other_texts_name_no_certificate(text: str) -> None:
    """ARI-05, RPL-01."""
    with pytest.raises(ValueError, match="certificate identifier"):
        parse(text)


@given(st.binary(min_size=1, max_size=32), st.integers(min_value=0, max_value=2**159))
def test_what_is_written_is_read_again(key_identifier: bytes, serial: int) -> None:
    name = CertId(key_identifier, serial)
    assert parse(name.text) == name
    assert 0 <= name.fraction() < 1


def test_a_certificate_is_named_by_its_authority_key_identifier() -> None:
    """ARI-02, ARI-17."""
    ca = authority("CA")
    leaf = x509.load_der_x509_certificate(ca.sign(Wish(ec.generate_private_key(ec.SECP256R1()).public_key())))
    expected = x509.SubjectKeyIdentifier.from_public_key(ca.key.public_key()).digest
    assert name_of(leaf) == CertId(expected, leaf.serial_number)


def test_a_certificate_without_that_extension_has_no_name() -> None:
    """ARI-17."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([]))
    builder = builder.public_key(key.public_key()).serial_number(5)
    bare = builder.not_valid_before(ISSUED).not_valid_after(ISSUED + timedelta(days=1))
    assert name_of(bare.sign(key, hashes.SHA256())) is None


# Within ARI-12's window (two thirds or a half, and a hundredth to both sides), half of it, by the serial.
@pytest.mark.parametrize(
    ("lifetime", "start", "end"),
    [
        (timedelta(days=90), "2026-04-29T14:24:00", "2026-05-01T09:36:00"),
        (timedelta(days=30), "2026-03-21T04:48:00", "2026-03-21T19:12:00"),
        (timedelta(days=7), "2026-03-04T22:19:12", "2026-03-05T01:40:48"),
        (timedelta(hours=1), "2026-03-01T12:29:24", "2026-03-01T12:30:36"),
        (timedelta(minutes=5), "2026-03-01T12:02:27", "2026-03-01T12:02:33"),
        (timedelta(minutes=1), "2026-03-01T12:00:29", "2026-03-01T12:00:31"),
    ],
)
def test_a_certificate_is_renewed_in_good_time(lifetime: timedelta, start: str, end: str) -> None:
    """ARI-12."""
    earliest, latest = (datetime.fromisoformat(text + "+00:00") for text in (start, end))
    second = timedelta(seconds=1)
    widths = set()
    starts = set()
    for serial in range(1, 200):
        window = advise(CertId(KEY_IDENTIFIER, serial), certificate(lifetime), ()).window
        assert earliest - second <= window.start < window.end <= latest + second
        widths.add(window.end - window.start)
        starts.add(window.start)
    # Neighbours do not come together, where there is time for it.
    assert len(starts) > 100 or lifetime < timedelta(days=1)
    assert max(widths) - min(widths) <= second


@given(
    st.integers(min_value=1, max_value=2**159),
    st.integers(min_value=5, max_value=3650 * 86400),
    st.integers(min_value=0, max_value=10**9),
)
def test_a_window_lies_within_the_certificate_and_stays_where_it_is(
    serial: int, lifetime: int, begun: int
) -> None:
    """ARI-08, ARI-12, ARI-14."""
    name = CertId(KEY_IDENTIFIER, serial)
    subject = certificate(timedelta(seconds=lifetime), ISSUED + timedelta(seconds=begun))
    window = advise(name, subject, ()).window
    assert subject.not_before < window.start < window.end < subject.not_after
    assert window.end - window.start >= timedelta(seconds=2)
    assert window.start.microsecond == window.end.microsecond == 0
    assert advise(name, subject, ()).window == window


def test_a_certificate_that_is_revoked_or_will_be_is_renewed_at_once() -> None:
    """ARI-13, ARI-14: the moment of the wish counts, so that the window does not move when Vault says yes."""
    asked = ISSUED + timedelta(hours=5)
    revoking = certificate(timedelta(days=90)).revoke(1, asked)
    advice = advise(NOTHING_ELSE, revoking, (), "https://ca.example/")
    assert advice.window.start == datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
    assert advice.window.end == datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
    assert advice.explanation == "https://ca.example/"
    revoked = revoking.confirm_revoked(asked + timedelta(minutes=9))
    assert advise(NOTHING_ELSE, revoked, (), "https://ca.example/") == advice


CAMPAIGN = Campaign(ISSUED + timedelta(days=1), timedelta(hours=10), "https://ca.example/why")


def test_a_campaign_is_spread_over_its_time() -> None:
    """ARI-06 (abuse)."""
    windows = [
        advise(CertId(KEY_IDENTIFIER, serial), certificate(timedelta(days=90)), (CAMPAIGN,)).window
        for serial in range(1, 101)
    ]
    # The first ones find it in the past, whatever is rounded.
    begun = ISSUED + timedelta(days=1) - timedelta(seconds=4)
    assert all(begun <= window.start and window.end <= begun + timedelta(hours=10) for window in windows)
    assert {window.end - window.start for window in windows} <= {timedelta(hours=1)}
    hours = {(window.start - begun) // timedelta(hours=1) for window in windows}
    assert hours == set(range(9))


@pytest.mark.parametrize(
    "campaign",
    [
        CAMPAIGN,
        msgspec.structs.replace(CAMPAIGN, issuer="69885b6b87464041e1b37b847ba0ae2cde01c8d4"),
        msgspec.structs.replace(CAMPAIGN, serial="87:65:43:21"),
        msgspec.structs.replace(CAMPAIGN, account=AccountId("0" + "a" * 32)),
    ],
)
def test_a_campaign_reaches_those_that_are_meant_and_says_why(campaign: Campaign) -> None:
    """ARI-09, ARI-13."""
    advice = advise(NOTHING_ELSE, certificate(timedelta(days=90)), (campaign,))
    assert advice.explanation == "https://ca.example/why"
    assert advice.window.start < ISSUED + timedelta(days=2)


@pytest.mark.parametrize(
    "campaign",
    [
        msgspec.structs.replace(CAMPAIGN, at=ISSUED - timedelta(seconds=1)),
        msgspec.structs.replace(CAMPAIGN, issuer="00"),
        msgspec.structs.replace(CAMPAIGN, serial="87:65:43:22"),
        msgspec.structs.replace(CAMPAIGN, account=AccountId("1" + "a" * 32)),
        # It comes too late for this one, which is due before.
        msgspec.structs.replace(CAMPAIGN, at=ISSUED + timedelta(days=80)),
    ],
)
def test_a_campaign_leaves_others_as_they_are(campaign: Campaign) -> None:
    """Above all those that were issued after it: they would be renewed for ever."""
    subject = certificate(timedelta(days=90))
    assert advise(NOTHING_ELSE, subject, (campaign,)) == advise(NOTHING_ELSE, subject, ())


def test_the_first_wish_to_revoke_stands() -> None:
    """K22, REV-07."""
    later = ISSUED + timedelta(days=1)
    asked = certificate(timedelta(days=90)).revoke(4, ISSUED)
    assert asked.revoke(1, later) == asked
    assert certificate(timedelta(days=90)).confirm_revoked(later).revoked_at is None
    confirmed = asked.confirm_revoked(later)
    assert confirmed.confirm_revoked(later + timedelta(days=1)).revoked_at == later
