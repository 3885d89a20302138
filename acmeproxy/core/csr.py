"""Certificate signing requests: a key, and exactly the ordered names (RFC 8555 §7.4, RFC 2986).

Of a CSR only its key is used; the names that Vault gets are the order's. What is asked for beside them is
refused here, or is on the short list of things that clients send by habit and that we drop.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from acmeproxy.core import weakness
from acmeproxy.core.encoding import NotCanonicalError, b64url_decode
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.jwk import AccountKey, spki_sha256
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.role import Role
from acmeproxy.core.unreadable import UNREADABLE

_MIN_RSA_BITS: Final = 2048
_MAX_RSA_BITS: Final = 4096
_RSA_EXPONENT: Final = 65537
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
_SIGNATURES: Final = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.ED25519,
    }
)
# Clients fill these from templates; they name nobody and are not copied (FIN-15, CLI-34).
_DROPPED_ATTRIBUTES: Final = frozenset(
    {
        NameOID.ORGANIZATION_NAME,
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.COUNTRY_NAME,
        NameOID.STATE_OR_PROVINCE_NAME,
        NameOID.LOCALITY_NAME,
    }
)
# PKCS#9's and Microsoft's: readers differ in which of several attributes they take (CSR-04).
_EXTENSION_ATTRIBUTES: Final = frozenset(
    {x509.ObjectIdentifier("1.2.840.113549.1.9.14"), x509.ObjectIdentifier("1.3.6.1.4.1.311.2.1.14")}
)
# An upper bound of X.520 that decides what a subject can hold (RFC 5280 A.1, FIN-12).
_MAX_COMMON_NAME: Final = 64
_HARMLESS_USAGES: Final = frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH})


class Request(msgspec.Struct, frozen=True):
    """A CSR that may be signed.

    `key` is the SHA-256 of its public key's SubjectPublicKeyInfo in hex, `thumbprint` that key's as an
    account key (RFC 7638), since no account's key may be certified (RFC 8555 §11.1).
    """

    der: bytes
    key: str
    thumbprint: str


def decode(text: str) -> bytes:
    """Decode the `csr` member of a finalize request.

    Raises:
        AcmeError: `malformed`, if it is not unpadded base64url (FIN-03).
    """
    try:
        der = b64url_decode(text)
    except NotCanonicalError as error:
        raise refuse(Reference.CSR_SHAPE, "csr is not unpadded base64url of DER: do not send PEM") from error
    if not der:
        raise refuse(Reference.CSR_SHAPE, "csr is empty")
    return der


def key_thumbprint(der: bytes) -> str | None:
    """Return the thumbprint of a CSR's key if it can be told, before anything else about it is known."""
    try:
        return AccountKey.of(x509.load_der_x509_csr(der).public_key()).thumbprint
    except UNREADABLE:
        return None


def check(
    der: bytes, ordered: Iterable[Identifier], keys: tuple[str, ...] = (), role: Role | None = None
) -> Request:
    """Check a CSR against the names of its order, and its key against the kinds that are taken (none: all).

    Where the role is known that will sign, it must take the key too.

    Raises:
        AcmeError: `badCSR`, with what to change in it (FIN-04..15).
    """
    try:
        csr = x509.load_der_x509_csr(der)
        extensions = csr.extensions
        subject = csr.subject
        key = csr.public_key()
        lists = [a for a in csr.attributes if a.oid in _EXTENSION_ATTRIBUTES]
    except UNREADABLE as error:
        raise refuse(Reference.CSR_REFUSED, "the CSR is no PKCS#10 request that we can read") from error
    if csr.public_bytes(Encoding.DER) != der:
        raise refuse(Reference.CSR_REFUSED, "the CSR has bytes after its end or is not DER")
    # The key first: one that is too large is not worth the time that its signature takes.
    _check_key(key)
    # Curve parameters and compressed points are for Vault to stumble over, after we have said yes (NOR-03).
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) not in der:
        text = "the CSR's key is written in an unusual form: name its curve and do not compress its point"
        raise refuse(Reference.CSR_KEY, text)
    if keys and _kind(key) not in keys:
        raise refuse(Reference.CSR_KEY, f"keys of this profile are {', '.join(keys)}, not {_kind(key)}")
    check_role(csr, role)
    if csr.signature_algorithm_oid not in _SIGNATURES or not csr.is_signature_valid:
        raise refuse(
            Reference.CSR_REFUSED, "the CSR's signature is not its own key's, or not with SHA-256 or better"
        )
    if len(lists) > 1:
        raise refuse(Reference.CSR_EXTENSION, "the CSR asks for extensions in more than one place")
    _check_extensions(extensions)
    _check_names(subject, extensions, frozenset(ordered))
    return Request(der, spki_sha256(key), AccountKey.of(key).thumbprint)


def check_role(csr: x509.CertificateSigningRequest, role: Role | None) -> None:
    """Check what the role that will sign wants of a CSR, where it is known.

    Raises:
        AcmeError: `badCSR`, with the role's rule.
    """
    if role is None:
        return
    if rule := role.refuses_key(csr.public_key()):
        raise refuse(Reference.ROLE_KEY, f"the CSR's key would not be signed: vault role {role.name} {rule}")
    named = bool(csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    if rule := role.refuses_subject(common_name=named):
        raise refuse(Reference.ROLE_CSR, f"the CSR would not be signed: vault role {role.name} {rule}")


def _kind(key: object) -> str:
    match key:
        case rsa.RSAPublicKey():
            return "RSA"
        case ec.EllipticCurvePublicKey():
            return {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}[key.curve.name]
        case _:
            return "Ed25519"


def _check_key(key: object) -> None:
    match key:
        case rsa.RSAPublicKey():
            numbers = key.public_numbers()
            if not _MIN_RSA_BITS <= key.key_size <= _MAX_RSA_BITS:
                text = f"RSA keys have {_MIN_RSA_BITS} to {_MAX_RSA_BITS} bits here, this one {key.key_size}"
                raise refuse(Reference.CSR_KEY, text)
            if numbers.e != _RSA_EXPONENT or numbers.n % 2 == 0:
                raise refuse(Reference.CSR_KEY, "RSA keys have an odd modulus and the exponent 65537")
        case ec.EllipticCurvePublicKey():
            if key.curve.name not in _CURVES:
                raise refuse(Reference.CSR_KEY, "EC keys are on P-256, P-384 or P-521")
        case ed25519.Ed25519PublicKey():
            pass
        case _:
            raise refuse(Reference.CSR_KEY, "keys are RSA, EC or Ed25519")
    if reason := weakness.find(key):
        raise refuse(Reference.CSR_KEY, reason)


def _check_extensions(extensions: x509.Extensions) -> None:
    for extension in extensions:
        match extension.value:
            case x509.SubjectAlternativeName() | x509.SubjectKeyIdentifier():
                pass
            case x509.BasicConstraints(ca=False):
                pass
            case x509.KeyUsage(key_cert_sign=False, crl_sign=False):
                pass
            case x509.ExtendedKeyUsage() as usages if _HARMLESS_USAGES.issuperset(usages):
                pass
            case _:
                name = extension.oid.dotted_string
                raise refuse(
                    Reference.CSR_EXTENSION, f"the CSR asks for something that is not given: extension {name}"
                )


def _check_names(subject: x509.Name, extensions: x509.Extensions, ordered: frozenset[Identifier]) -> None:
    requested = set(_alternative_names(extensions))
    addresses = {name.value for name in requested if name.type is IdentifierType.IP}
    for attribute in subject:
        if attribute.oid in _DROPPED_ATTRIBUTES:
            continue
        if attribute.oid != NameOID.COMMON_NAME:
            name = attribute.oid.dotted_string
            raise refuse(
                Reference.CSR_NAMES, f"the CSR's subject holds something else than a common name: {name}"
            )
        common_name = _lower(str(attribute.value))
        if not 0 < len(common_name) <= _MAX_COMMON_NAME:
            raise refuse(Reference.CSR_NAMES, "the CSR's common name is empty or longer than 64 characters")
        # An address as common name is a repetition of its SAN, never a name of its own (FIN-11).
        if common_name not in addresses:
            requested.add(Identifier(IdentifierType.DNS, common_name))
    if requested != ordered:
        raise refuse(Reference.CSR_NAMES, _difference(requested, ordered))


def _alternative_names(extensions: x509.Extensions) -> Iterable[Identifier]:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for name in names:
        match name:
            case x509.DNSName():
                yield Identifier(IdentifierType.DNS, _lower(name.value))
            case x509.IPAddress(value=ipaddress.IPv4Address() | ipaddress.IPv6Address()):
                yield Identifier(IdentifierType.IP, str(name.value))
            case _:
                raise refuse(
                    Reference.CSR_NAMES, "the CSR holds a subject alternative name that is neither dns nor ip"
                )


def _lower(name: str) -> str:
    """Lower-case ASCII only: Unicode would make a plain k of the Kelvin sign (FIN-09)."""
    return name.lower() if name.isascii() else name


def _difference(requested: set[Identifier], ordered: frozenset[Identifier]) -> str:
    missing = ", ".join(sorted(name.value for name in ordered - requested))
    surplus = ", ".join(sorted(name.value for name in requested - ordered))
    parts = [f"lacks {missing}"] if missing else []
    parts += [f"has {surplus} beside them"] if surplus else []
    return f"put exactly the ordered names into the CSR: it {' and '.join(parts)}"
