"""What Vault answered, looked at as if it were hostile: nothing reaches a client unseen (INV-2, FIN-19)."""

import functools
import ipaddress
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.jwk import spki_sha256
from acmeproxy.core.order import Intent
from acmeproxy.core.unreadable import UNREADABLE

#: Clocks of two hosts, and Vault's own habit of dating certificates back.
_SKEW: Final = timedelta(minutes=5)
_USAGES: Final = frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH})


class MismatchError(Exception):
    """The certificate is not what was asked for; the text is for operators and holds nothing secret."""


class Inspected(msgspec.Struct, frozen=True):
    """A certificate that is exactly what was asked for.

    `chain` is DER, leaf first, every next one certifying the one before, without the root (RFC 8555 §9.1).
    """

    serial: str
    chain: tuple[bytes, ...]
    not_before: datetime
    not_after: datetime


def inspect(
    leaf: bytes, issuers: Sequence[bytes], intent: Intent, anchors: Sequence[bytes], now: datetime
) -> Inspected:
    """Hold an answer against the intent.

    Args:
        leaf: DER.
        issuers: DER, from the leaf's issuer upwards.
        intent: What was asked for.
        anchors: DER of the roots that this tenant's certificates must lead to; none means that only the
            chain in itself is checked.
        now: The time.

    Raises:
        MismatchError: With the first thing that is wrong.
    """
    try:
        certificate = x509.load_der_x509_certificate(leaf)
        above = [x509.load_der_x509_certificate(issuer) for issuer in issuers]
        _check_subject(certificate, intent)
        _check_purpose(certificate)
        _check_validity(certificate, intent, now)
        _check_chain([certificate, *above])
        _check_anchors(certificate, above, intent, [x509.load_der_x509_certificate(a) for a in anchors], now)
    except UNREADABLE as error:
        raise MismatchError("the certificate cannot be read") from error
    return Inspected(
        serial=serial_text(certificate.serial_number),
        chain=(leaf, *(c.public_bytes(Encoding.DER) for c in above if c.issuer != c.subject)),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def sound_alternates(
    leaf: bytes,
    alternates: Sequence[Sequence[bytes]],
    intent: Intent,
    anchors: Sequence[bytes],
    now: datetime,
) -> tuple[tuple[bytes, ...], ...]:
    """Return those other chains of an inspected leaf that hold, the leaf first; the others are left out.

    Args:
        leaf: DER.
        alternates: DER, each from the leaf's issuer upwards.
        intent: What was asked for.
        anchors: As for `inspect`; a chain to another root than these is left out.
        now: The time.
    """
    sound = []
    for issuers in alternates:
        try:
            sound.append(inspect(leaf, issuers, intent, anchors, now).chain)
        except MismatchError:
            continue
    return tuple(sound)


def serial_text(serial: int) -> str:
    """Write a serial as Vault does: lower-case hex bytes joined by colons."""
    return serial.to_bytes((serial.bit_length() + 7) // 8 or 1).hex(":")


def names_of(certificate: x509.Certificate) -> frozenset[Identifier] | None:
    """Return the alternative names of a certificate, or `None` if one is of a type that we never ask for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    found: set[Identifier] = set()
    for name in names:
        match name:
            case x509.DNSName():
                found.add(Identifier(IdentifierType.DNS, name.value))
            case x509.IPAddress():
                found.add(Identifier(IdentifierType.IP, str(name.value)))
            case _:
                return None
    return frozenset(found)


def _check_subject(certificate: x509.Certificate, intent: Intent) -> None:
    if spki_sha256(certificate.public_key()) != intent.key:
        raise MismatchError("it certifies another key")
    if names_of(certificate) != frozenset(intent.names):
        raise MismatchError("its names are not the ordered ones")
    values = {name.value for name in intent.names}
    for attribute in certificate.subject:
        if attribute.oid != NameOID.COMMON_NAME or attribute.value not in values:
            raise MismatchError("its subject names something that was not ordered")


def _check_purpose(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        match extension.value:
            case x509.BasicConstraints(ca=True):
                raise MismatchError("it is a CA certificate")
            case x509.KeyUsage(key_cert_sign=True) | x509.KeyUsage(crl_sign=True):
                raise MismatchError("its key may sign certificates or CRLs")
            case _:
                pass
    try:
        usages = frozenset(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        usages = frozenset()
    if ExtendedKeyUsageOID.SERVER_AUTH not in usages or not usages <= _USAGES:
        raise MismatchError("it is not for TLS servers only")


def _check_validity(certificate: x509.Certificate, intent: Intent, now: datetime) -> None:
    begun = intent.first_attempt_at or intent.created_at
    if not begun - timedelta(hours=1) <= certificate.not_valid_before_utc <= now + _SKEW:
        raise MismatchError("it does not begin now")
    if intent.not_after is not None and certificate.not_valid_after_utc != intent.not_after:
        raise MismatchError("it does not end when the order says")
    if not now < certificate.not_valid_after_utc <= now + timedelta(seconds=intent.lifetime) + _SKEW:
        raise MismatchError("it has ended or lasts longer than asked for")


def _check_chain(chain: Sequence[x509.Certificate]) -> None:
    if len(chain) == 1:
        raise MismatchError("it came without its issuer")
    leaf, issuer = chain[0], chain[1]
    if not _issued(leaf, issuer) or not all(_known_issued(*pair) for pair in itertools.pairwise(chain[1:])):
        raise MismatchError("its chain does not hold together")


def _issued(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        child.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


#: Above the leaf it is always the same few certificates: a signature that held once holds for ever.
_known_issued = functools.lru_cache(maxsize=256)(_issued)


def _check_anchors(
    certificate: x509.Certificate,
    above: list[x509.Certificate],
    intent: Intent,
    anchors: list[x509.Certificate],
    now: datetime,
) -> None:
    """Verify the path to our own roots, name constraints included, which Vault may not have looked at."""
    if not anchors:
        return
    builder = verification.PolicyBuilder().store(verification.Store(anchors)).time(now)
    # One name stands for all: they are the certificate's own, and constraints hold for each of those.
    verifier = builder.build_server_verifier(_subject(intent.names[0]))
    try:
        verifier.verify(certificate, above)
    except verification.VerificationError as error:
        raise MismatchError(f"it does not lead to the tenant's root: {str(error)[:120]}") from error


def _subject(name: Identifier) -> x509.verification.Subject:
    if name.type is IdentifierType.IP:
        return x509.IPAddress(ipaddress.ip_address(name.value))
    # A host that the wildcard covers stands for it.
    return x509.DNSName(f"any{name.value[1:]}" if name.wildcard else name.value)
