"""The certificate that answers a tls-alpn-01 challenge, held against every word of RFC 8737 §3."""

import ipaddress
import warnings
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.utils import CryptographyDeprecationWarning

from acmeproxy.core.identifier import Identifier, IdentifierType

LARGEST: Final = 64 * 1024
_ACME_IDENTIFIER: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTET_STRING_OF_32: Final = b"\x04\x20"
_LARGEST_RSA: Final = 8192
_ODD: Final = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def complaint(der: bytes, identifier: Identifier, digest: bytes) -> str | None:
    """Return what is wrong with a certificate, in words without a byte of it, or `None` if it is the answer.

    Neither a chain nor dates are looked at (TAL-10). Whatever somebody sends, it ends in words.

    Args:
        der: The certificate as it came over TLS.
        identifier: The name without `*.`, or the address, that must be its only one.
        digest: SHA-256 of the key authorization.
    """
    if len(der) > LARGEST:
        return f"is larger than {LARGEST} bytes"
    try:
        with warnings.catch_warnings():
            # Negative serial numbers and the like: not forbidden here, and no text for our log.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificate = x509.load_der_x509_certificate(der)
            return _names(certificate, identifier) or _proof(certificate, digest) or _signature(certificate)
    except _ODD:
        return "is not a certificate that we can read"


def _names(certificate: x509.Certificate, identifier: Identifier) -> str | None:
    try:
        names = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return "has no subject alternative name"
    if len(names) != 1:
        return "has not exactly one subject alternative name"
    return None if _is(names[0], identifier) else "is for another name"


def _is(name: x509.GeneralName, identifier: Identifier) -> bool:
    if identifier.type is IdentifierType.IP:
        return isinstance(name, x509.IPAddress) and name.value == ipaddress.ip_address(identifier.value)
    # Only ASCII letters have a case here (RFC 8737 §3): of others, lower() could make one.
    return isinstance(name, x509.DNSName) and name.value.isascii() and name.value.lower() == identifier.value


def _proof(certificate: x509.Certificate, digest: bytes) -> str | None:
    try:
        found = certificate.extensions.get_extension_for_oid(_ACME_IDENTIFIER)
    except x509.ExtensionNotFound:
        return "has no acmeIdentifier extension"
    if not found.critical:
        return "has an acmeIdentifier extension that is not critical"
    value = found.value.public_bytes()
    if not value.startswith(_OCTET_STRING_OF_32) or len(value) != len(_OCTET_STRING_OF_32) + len(digest):
        return "has an acmeIdentifier extension that is not 32 octets in DER"
    return None if value == _OCTET_STRING_OF_32 + digest else "is for another token or account"


def _signature(certificate: x509.Certificate) -> str | None:
    """Check that it signed itself, as far as its algorithm is known here (TAL-09)."""
    if certificate.issuer != certificate.subject:
        return "is not self-signed"
    try:
        key = certificate.public_key()
        # Checking is cheap only for sizes that anybody uses (ALP-08).
        if isinstance(key, rsa.RSAPublicKey) and key.key_size > _LARGEST_RSA:
            return f"has an RSA key of more than {_LARGEST_RSA} bits"
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        return "is not signed by its own key"
    except UnsupportedAlgorithm:
        return None
    return None
