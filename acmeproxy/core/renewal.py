"""When a certificate should be renewed, and how its client names it when it asks (RFC 9773)."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography import x509

from acmeproxy.core.certificate import Certificate
from acmeproxy.core.encoding import NotCanonicalError, b64url_decode, b64url_encode
from acmeproxy.core.ids import AccountId
from acmeproxy.core.unreadable import UNREADABLE

_LONGEST_NAME: Final = 100
_SECOND: Final = timedelta(seconds=1)
#: acmez, which is in Caddy, takes a window of one second for a malformed one.
_NARROWEST: Final = timedelta(seconds=2)
#: Certificates that last less than this are renewed at half of their time, others at two thirds.
_SHORT_LIVED: Final = timedelta(days=10)
#: A revoked certificate should have been renewed before it was revoked.
_REVOKED_BEFORE: Final = (timedelta(minutes=60), timedelta(minutes=30))
_FRACTIONS: Final = 1 << 64


class CertId(msgspec.Struct, frozen=True):
    """A certificate by its issuer's key and its own number (RFC 9773 §4.1).

    `key_identifier` is the `keyIdentifier` of the authority key identifier, octets.
    """

    key_identifier: bytes
    serial: int

    @property
    def text(self) -> str:
        """The identifier as clients write it: the content octets of both DER values in base64url."""
        # One bit more than the number has, so that a sign octet stands where DER has one.
        octets = self.serial.to_bytes(self.serial.bit_length() // 8 + 1)
        return f"{b64url_encode(self.key_identifier)}.{b64url_encode(octets)}"

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text in hex, for names of keys."""
        return hashlib.sha256(self.text.encode("ascii")).hexdigest()

    def fraction(self) -> float:
        """A number from 0 to less than 1, always the same for this certificate and unlike its neighbour's."""
        return int(self.digest[:16], 16) / _FRACTIONS


def parse(text: str) -> CertId:
    """Parse an identifier as a client wrote it.

    A serial without its sign octet is the same number: some libraries leave it out (ARI-03, CLI-33).

    Raises:
        ValueError: With the reason.
    """
    parts = text.split(".")
    if len(text) > _LONGEST_NAME or len(parts) != 2:  # noqa: PLR2004 - issuer and serial
        raise ValueError("a certificate identifier is two parts joined by a dot")
    try:
        key_identifier, serial = (b64url_decode(part) for part in parts)
    except NotCanonicalError as error:
        raise ValueError("both parts of a certificate identifier are unpadded base64url") from error
    if not key_identifier or not serial:
        raise ValueError("no part of a certificate identifier is empty")
    return CertId(key_identifier, int.from_bytes(serial))


def name_under(issuer: x509.Certificate, serial: int) -> CertId | None:
    """Return the identifier of the certificate to which an issuer gave a number (RFC 5280 §4.2.1.1)."""
    try:
        found = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None
    return CertId(found.value.digest, serial) if serial > 0 else None


def name_of(certificate: x509.Certificate) -> CertId | None:
    """Return the identifier of a certificate; without an authority key identifier it has none (ARI-17)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except (*UNREADABLE, x509.ExtensionNotFound):
        return None
    octets = extension.value.key_identifier
    return CertId(octets, certificate.serial_number) if octets else None


class Window(msgspec.Struct, frozen=True):
    """Within what time to renew, in whole seconds; the end is later than the start."""

    start: datetime
    end: datetime


class Campaign(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operator's wish to have certificates renewed that were issued before `at`.

    Each gets a time of its own within `spread`, so that they do not all come at once (ARI-06). What is empty
    does not narrow the choice: `issuer` is the key identifier of the issuer in hex, `serial` is as in
    `Certificate`.
    """

    at: datetime
    spread: timedelta
    explanation: str = ""
    issuer: str = ""
    serial: str = ""
    account: AccountId | None = None

    def covers(self, name: CertId, certificate: Certificate) -> bool:
        """Tell whether a certificate is meant; its successors, which are issued later, are not."""
        return (
            certificate.issued_at <= self.at
            and self.issuer in {"", name.key_identifier.hex()}
            and self.serial in {"", certificate.serial}
            and self.account in {None, certificate.account_id}
        )


class Advice(msgspec.Struct, frozen=True):
    """What renewalInfo tells; `explanation` is a URL, or empty with nothing to say (RFC 9773 §4.2)."""

    window: Window
    explanation: str = ""


def advise(name: CertId, certificate: Certificate, campaigns: Sequence[Campaign], page: str = "") -> Advice:
    """Say when to renew a certificate; the answer changes only when something happened (ARI-14).

    Args:
        name: The certificate's identifier.
        certificate: The certificate.
        campaigns: What operators want.
        page: URL for whoever wonders why a revoked certificate must be renewed.
    """
    since = certificate.revoking_at or certificate.revoked_at
    if since is not None:
        return Advice(_before(since), page)
    advices = [Advice(_usual(name, certificate))]
    advices += [
        Advice(_forced(name, campaign), campaign.explanation)
        for campaign in campaigns
        if campaign.covers(name, certificate)
    ]
    return min(advices, key=lambda advice: advice.window.start)


def _usual(name: CertId, certificate: Certificate) -> Window:
    """Give each certificate half of the window of ARI-12, and its own half."""
    # The last second counts (RFC 5280 §4.1.2.5).
    lifetime = certificate.not_after - certificate.not_before + _SECOND
    left = lifetime / 2 if lifetime < _SHORT_LIVED else lifetime / 3
    width = lifetime / 100
    start = certificate.not_after - left - width + width * name.fraction()
    return _whole(start, start + width)


def _forced(name: CertId, campaign: Campaign) -> Window:
    width = campaign.spread / 10
    # Who is first in line finds the window wholly in the past, whatever is rounded to seconds.
    start = campaign.at - 2 * _NARROWEST + (campaign.spread - width) * name.fraction()
    return _whole(start, start + width)


def _before(moment: datetime) -> Window:
    begun, ended = _REVOKED_BEFORE
    return _whole(moment - begun, moment - ended)


def _whole(start: datetime, end: datetime) -> Window:
    first = start.replace(microsecond=0)
    return Window(first, max(end.replace(microsecond=0), first + _NARROWEST))
