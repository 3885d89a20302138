"""Certificate revocation lists: whose one is, and until when it is true (RFC 5280 §5)."""

import hashlib
from datetime import datetime, timedelta
from typing import Final, cast

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes

from acmeproxy.core.unreadable import UNREADABLE

MEDIA_TYPE: Final = "application/pkix-crl"

#: How far the issuer's clock may be ahead of ours.
_SKEW: Final = timedelta(minutes=5)


class RevocationList(msgspec.Struct, frozen=True):
    """A list in DER, when it was made and will be replaced at the latest, and the SHA-256 of it in hex."""

    der: bytes
    this_update: datetime
    next_update: datetime
    digest: str


class UntrustedListError(ValueError):
    """It is no list, not the issuer's, of another kind or not of this time."""


def parse(der: bytes, issuer: x509.Certificate, now: datetime, *, delta: bool) -> RevocationList:
    """Parse a list, and see that its issuer signed it, for now, as the kind that was asked for.

    Raises:
        UntrustedListError: It did not.
    """
    try:
        crl = x509.load_der_x509_crl(der)
        # RFC 5280 §5.1.2.5 demands one: without, nobody could tell when it is too old.
        end = crl.next_update_utc or crl.last_update_utc
        found = RevocationList(der, crl.last_update_utc, end, hashlib.sha256(der).hexdigest())
        # One that signs nothing, such as X25519, is a TypeError.
        key = cast("CertificateIssuerPublicKeyTypes", issuer.public_key())
        signed = crl.issuer == issuer.subject and crl.is_signature_valid(key)
        is_delta = any(extension.oid == x509.DeltaCRLIndicator.oid for extension in crl.extensions)
    except UNREADABLE as error:
        raise UntrustedListError("not a revocation list") from error
    if not signed:
        raise UntrustedListError("not signed by the issuer")
    if is_delta is not delta:
        raise UntrustedListError("a delta in place of a whole list, or the other way round")
    if found.this_update > now + _SKEW or found.next_update <= now:
        raise UntrustedListError("of another time")
    return found
