"""Nothing that Vault answers reaches a client unseen (FIN-19, INV-2; abuse CSR-06)."""

import dataclasses
import ipaddress
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.inspection import Inspected, MismatchError, inspect, serial_text
from acmeproxy.core.order import Intent
from tests.support.certificates import DAY, NOW, Wish, authority, intent_for

ROOT = authority("root")
ISSUER = authority("issuer", ROOT)
KEY = ec.generate_private_key(ec.SECP256R1())
WISH = Wish(KEY.public_key())
CHAIN = (ISSUER.der, ROOT.der)
SECOND = timedelta(seconds=1)
COMMON_NAME = NameOID.COMMON_NAME


INTENT = intent_for(
    KEY.public_key(),
    Identifier(IdentifierType.DNS, "a.example"),
    Identifier(IdentifierType.DNS, "b.example"),
)


def signed(**changes: Any) -> bytes:  # noqa: ANN401 - members of a wish
    return ISSUER.sign(dataclasses.replace(WISH, **changes))


def seen(leaf: bytes, intent: Intent = INTENT, anchors: tuple[bytes, ...] = ()) -> Inspected:
    return inspect(leaf, CHAIN, intent, anchors, NOW)


@pytest.mark.parametrize("anchors", [(), (ROOT.der,)], ids=["no anchors", "anchors"])
def test_what_was_asked_for_is_accepted(anchors: tuple[bytes, ...]) -> None:
    leaf = ISSUER.sign(WISH)
    certificate = x509.load_der_x509_certificate(leaf)

    inspected = seen(leaf, anchors=anchors)

    assert inspected == Inspected(
        serial=serial_text(certificate.serial_number),
        chain=(leaf, ISSUER.der),
        not_before=NOW,
        not_after=NOW + DAY,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": ()},
        {"subject": ((COMMON_NAME, "b.example"),)},
        {"names": tuple(reversed(WISH.names))},
        {"names": (*WISH.names, x509.DNSName("a.example"))},
        {"usages": (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)},
        {"key_usage": ("digital_signature", "key_encipherment")},
        # Vault dates back by half a minute, and may sign for less than was asked for.
        {"begins": NOW - timedelta(seconds=30), "ends": NOW + timedelta(hours=1)},
        {"begins": NOW - timedelta(hours=1)},
        {"begins": NOW + timedelta(minutes=5)},
        {"ends": NOW + DAY + timedelta(minutes=5)},
    ],
    ids=str,
)
def test_what_a_role_may_decide_is_accepted(changes: dict[str, Any]) -> None:
    seen(signed(**changes), anchors=())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"key": ec.generate_private_key(ec.SECP256R1()).public_key()}, "another key"),
        ({"names": (*WISH.names, x509.DNSName("evil.example"))}, "names"),
        ({"names": WISH.names[:1]}, "names"),
        ({"names": ()}, "names"),
        ({"names": (WISH.names[0], x509.DNSName("*.b.example"))}, "names"),
        ({"names": (WISH.names[0], x509.DNSName("B.example"))}, "names"),
        ({"names": (*WISH.names, x509.RFC822Name("root@a.example"))}, "names"),
        ({"names": (*WISH.names, x509.UniformResourceIdentifier("spiffe://a.example/"))}, "names"),
        ({"names": (*WISH.names, x509.IPAddress(ipaddress.ip_address("192.0.2.1")))}, "names"),
        ({"subject": ((COMMON_NAME, "evil.example"),)}, "subject"),
        ({"subject": ((COMMON_NAME, "a.example"), (COMMON_NAME, "evil.example"))}, "subject"),
        ({"subject": ((COMMON_NAME, "a.example"), (NameOID.ORGANIZATION_NAME, "Evil"))}, "subject"),
        ({"subject": ((NameOID.SERIAL_NUMBER, "1"),)}, "subject"),
        ({"subject": ((NameOID.ORGANIZATION_NAME, "a.example"),)}, "subject"),
        ({"ca": True}, "CA certificate"),
        ({"key_usage": ("digital_signature", "key_cert_sign")}, "sign certificates"),
        ({"key_usage": ("crl_sign",)}, "sign certificates"),
        ({"usages": ()}, "TLS servers"),
        ({"usages": (ExtendedKeyUsageOID.CLIENT_AUTH,)}, "TLS servers"),
        ({"usages": (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING)}, "TLS servers"),
        ({"usages": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)}, "TLS servers"),
        ({"usages": (ExtendedKeyUsageOID.SERVER_AUTH, ObjectIdentifier("1.2.3.4"))}, "TLS servers"),
        ({"ends": NOW}, "has ended"),
        ({"ends": NOW - SECOND, "begins": NOW - timedelta(minutes=1)}, "has ended"),
        ({"ends": NOW + DAY + timedelta(minutes=5) + SECOND}, "longer than asked"),
        ({"ends": NOW + 365 * DAY}, "longer than asked"),
        ({"begins": NOW + timedelta(minutes=5) + SECOND}, "begin"),
        # Older than the order: somebody else's, or another order's.
        ({"begins": NOW - timedelta(hours=1) - SECOND}, "begin"),
    ],
)
def test_what_was_not_asked_for_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(MismatchError, match=why):
        seen(signed(**changes))


def test_a_requested_end_is_held() -> None:
    """NOR-05: honoured exactly or not at all."""
    intent = msgspec.structs.replace(INTENT, not_after=NOW + DAY)

    seen(signed(), intent)
    with pytest.raises(MismatchError, match="end"):
        seen(signed(ends=NOW + DAY - SECOND), intent)


def test_a_late_attempt_is_measured_from_when_it_began() -> None:
    """Order long ago, first attempt now: what was signed long ago is not ours."""
    intent = msgspec.structs.replace(INTENT, created_at=NOW - 10 * DAY, first_attempt_at=NOW)

    seen(signed(), intent)
    with pytest.raises(MismatchError, match="begin"):
        seen(signed(begins=NOW - 2 * DAY), intent)
    seen(signed(begins=NOW - 2 * DAY), msgspec.structs.replace(intent, first_attempt_at=NOW - 2 * DAY))


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x30\x00", ISSUER.sign(WISH) + b"\0", ISSUER.sign(WISH)[:-1]],
    ids=["empty", "none", "more", "less"],
)
def test_what_is_no_certificate_is_refused(octets: bytes) -> None:
    with pytest.raises(MismatchError):
        seen(octets)


def test_an_address_and_a_wildcard_are_names_like_others() -> None:
    names = (x509.IPAddress(ipaddress.ip_address("2001:db8::1")), x509.DNSName("*.a.example"))
    intent = msgspec.structs.replace(
        INTENT,
        names=(
            Identifier(IdentifierType.IP, "2001:db8::1"),
            Identifier(IdentifierType.DNS, "*.a.example"),
        ),
    )

    seen(signed(names=names, subject=()), intent, (ROOT.der,))
    seen(signed(names=names, subject=((COMMON_NAME, "2001:db8::1"),)), intent, (ROOT.der,))
    with pytest.raises(MismatchError, match="names"):
        seen(signed(names=(names[0], x509.DNSName("a.example")), subject=()), intent)


@pytest.mark.parametrize(
    ("serial", "text"),
    [
        (1, "01"),
        (0x0A0B, "0a:0b"),
        (0x80, "80"),
        (2**159 - 1, "7f:" + ":".join(["ff"] * 19)),
        (0, "00"),
    ],
)
def test_a_serial_is_written_as_vault_writes_it(serial: int, text: str) -> None:
    assert serial_text(serial) == text
