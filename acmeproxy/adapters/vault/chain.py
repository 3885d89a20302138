"""Certificates as Vault writes them, and the chain that really issued one."""

import hashlib
import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.unreadable import UNREADABLE


def parse(pem: object) -> x509.Certificate | None:
    """Return a certificate that Vault sent as PEM, or `None` if that is no certificate."""
    if not isinstance(pem, str):
        return None
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except UNREADABLE:
        return None


def parse_all(chain: object) -> tuple[x509.Certificate, ...] | None:
    """Return a list of PEM texts as certificates, `None` if one is none; nothing at all is an empty chain."""
    if chain is None:
        return ()
    if not isinstance(chain, list):
        return None
    certificates = tuple(parse(pem) for pem in chain)
    parsed = tuple(certificate for certificate in certificates if certificate is not None)
    return parsed if len(parsed) == len(certificates) else None


@lru_cache(256)
def ders(chain: tuple[str, ...]) -> tuple[bytes, ...] | None:
    """Return a list of PEM texts in DER, `None` if one is no certificate.

    Remembers: the issuers of a mount come with every certificate, and are the same each time.
    """
    parsed = parse_all(list(chain))
    return None if parsed is None else der(parsed)


def der(certificates: Iterable[x509.Certificate]) -> tuple[bytes, ...]:
    """Return them in DER."""
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def pem(certificate: x509.Certificate) -> str:
    """Return one as Vault writes it: PEM without the last line's end."""
    return certificate.public_bytes(Encoding.PEM).decode().strip()


def ordered(key: object, certificates: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Put those that lead upwards from the one with a key into their order, whatever order they had.

    Where several ways lead upwards, as from an authority that another root has certified too, the way is one
    to a root that is there.
    """
    known = tuple(certificates)
    ways = [_upwards((own,), known) for own in known if own.public_key() == key]
    return next((way for way in ways if _is_root(way[-1])), ways[0] if ways else ())


def _upwards(
    way: tuple[x509.Certificate, ...], known: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    if _is_root(way[-1]):
        return way
    above = [one for one in known if one not in way and signed(way[-1], one)]
    ways = [_upwards((*way, one), known) for one in above] or [way]
    return next((one for one in ways if _is_root(one[-1])), ways[0])


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject


def key_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of its public key in hex, as in intents; empty for a key that we cannot read."""
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return ""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def names_of(certificate: x509.Certificate) -> frozenset[Identifier] | None:
    """Return its names, or `None` where it has none, or one that is neither of dns nor of ip."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (*UNREADABLE, x509.ExtensionNotFound):
        return None
    identifiers = [_identifier(name) for name in names]
    known = frozenset(identifier for identifier in identifiers if identifier is not None)
    return known if len(known) == len(identifiers) else None


def issuers(
    leaf: x509.Certificate, chain: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...] | None:
    """Return a chain upwards without its root if its first certificate signed the leaf, else `None`."""
    if not chain or not signed(leaf, chain[0]):
        return None
    return tuple(certificate for certificate in chain if certificate.issuer != certificate.subject)


def signed(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether one certificate is under another's name and signature."""
    try:
        leaf.verify_directly_issued_by(issuer)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def _identifier(name: Any) -> Identifier | None:  # noqa: ANN401 - one of cryptography's many kinds of name
    match name:
        case x509.DNSName(value=str(value)):
            return Identifier(IdentifierType.DNS, value)
        case x509.IPAddress(value=ipaddress.IPv4Address() | ipaddress.IPv6Address() as address):
            return Identifier(IdentifierType.IP, str(address))
    return None
