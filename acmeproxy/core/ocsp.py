"""OCSP requests and responses: what is asked, and whether an answer is one to that (RFC 6960, RFC 5019)."""

import enum
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from acmeproxy.core.unreadable import UNREADABLE

REQUEST_TYPE: Final = "application/ocsp-request"
RESPONSE_TYPE: Final = "application/ocsp-response"

#: How far a responder's clock may be ahead of ours.
_SKEW: Final = timedelta(minutes=5)
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - it names an issuer and protects nothing; RFC 5019 demands it
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
#: No serial number is longer (RFC 5280 §4.1.2.2); DER may need one octet more.
_LONGEST_SERIAL: Final = 21 * 8
#: A request by GET has at most this many octets (RFC 5019 §5).
_SMALL: Final = 255


class Fault(bytes, enum.Enum):
    """Responses that answer nothing, complete: they are not signed (RFC 6960 §2.3)."""

    MALFORMED_REQUEST = bytes.fromhex("30030a0101")
    INTERNAL_ERROR = bytes.fromhex("30030a0102")
    TRY_LATER = bytes.fromhex("30030a0103")
    UNAUTHORIZED = bytes.fromhex("30030a0106")


class Status(enum.Enum):
    """What is said of a certificate (RFC 6960 §2.2)."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class IssuerHash(msgspec.Struct, frozen=True):
    """An issuer by hashes of its name and its key, as requests name it (RFC 6960 §4.1.1)."""

    algorithm: str
    name: bytes
    key: bytes


class CertId(msgspec.Struct, frozen=True):
    """A certificate by its issuer and its number (RFC 6960 §4.1.1)."""

    issuer: IssuerHash
    serial: int


class Request(msgspec.Struct, frozen=True):
    """What is asked of a responder. `nonce` tells whether there was one (RFC 9654)."""

    certificate: CertId
    nonce: bool = False


class Response(msgspec.Struct, frozen=True):
    """A signed answer in DER, and what it says; without `next_update` it is of the moment only."""

    der: bytes
    status: Status
    this_update: datetime
    next_update: datetime | None


class MalformedRequestError(ValueError):
    """The request is none that we answer."""


class UntrustedResponseError(ValueError):
    """The answer is not one to the question, not from the issuer, or not of this time."""


def parse_request(der: bytes) -> Request:
    """Parse a request for the status of one certificate.

    RFC 5019 §2.1.1 has clients ask for one at a time. Requests for several are refused: Vault answers the
    first and is silent about the others. A signature, which nobody checks, is not looked at.

    Raises:
        MalformedRequestError: It is no request, one for none or several, or in a hash that we do not know.
    """
    return _parse_again(der) if len(der) <= _SMALL else _parse_request(der)


def _parse_request(der: bytes) -> Request:
    try:
        asked = ocsp.load_der_ocsp_request(der)
        algorithm = asked.hash_algorithm.name
        issuer = IssuerHash(algorithm, asked.issuer_name_hash, asked.issuer_key_hash)
        serial = asked.serial_number
        nonce = any(extension.oid == x509.OCSPNonce.oid for extension in asked.extensions)
    except (*UNREADABLE, x509.ExtensionNotFound) as error:
        raise MalformedRequestError("not an OCSP request for one certificate") from error
    if algorithm not in _HASHES or serial.bit_length() > _LONGEST_SERIAL:
        raise MalformedRequestError("a hash or a serial number that no certificate of ours has")
    return Request(CertId(issuer, serial), nonce)


# Clients ask for the same few: parsing costs as much as all else that an answer takes.
_parse_again: Final = lru_cache(maxsize=4096)(_parse_request)


def encode_request(certificate: CertId) -> bytes:
    """Write the one request for a certificate that has nothing optional in it (RFC 5019 §2.1.1)."""
    issuer = certificate.issuer
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        issuer.name, issuer.key, certificate.serial, _HASHES[issuer.algorithm]
    )
    return builder.build().public_bytes(Encoding.DER)


def issuer_hashes(issuer: x509.Certificate) -> tuple[IssuerHash, ...]:
    """Return the names that requests may have for an issuer, one a hash."""
    return tuple(_issuer_hash(issuer, algorithm) for algorithm in _HASHES.values())


def fault_of(der: bytes) -> Fault | None:
    """Return what a response is that answers nothing, or `None` if it is no such response."""
    try:
        return Fault(der)
    except ValueError:
        return None


def parse_response(der: bytes, asked: CertId, issuer: x509.Certificate, now: datetime) -> Response:
    """Parse an answer, and see that it is the issuer's own, about this certificate, and of this time.

    Raises:
        UntrustedResponseError: It is not. A responder that an issuer delegated to is not known to Vault.
    """
    try:
        answer = ocsp.load_der_ocsp_response(der)
        said = CertId(
            IssuerHash(answer.hash_algorithm.name, answer.issuer_name_hash, answer.issuer_key_hash),
            answer.serial_number,
        )
        response = Response(
            der,
            Status[answer.certificate_status.name],
            answer.this_update_utc,
            answer.next_update_utc,
        )
        _verify(answer, issuer)
    except InvalidSignature:
        raise UntrustedResponseError("not signed by the issuer") from None
    except UntrustedResponseError:
        raise
    except UNREADABLE as error:
        raise UntrustedResponseError("not an OCSP response") from error
    if said != asked:
        raise UntrustedResponseError("about another certificate")
    over = response.next_update is not None and response.next_update <= now
    if response.this_update > now + _SKEW or over:
        raise UntrustedResponseError("of another time")
    return response


def _issuer_hash(issuer: x509.Certificate, algorithm: hashes.HashAlgorithm) -> IssuerHash:
    name = hashes.Hash(algorithm)
    name.update(issuer.subject.public_bytes())
    # Of the key alone, without what says of which kind it is: a request has it, whatever it asks about.
    asked = ocsp.OCSPRequestBuilder().add_certificate(issuer, issuer, algorithm).build()
    return IssuerHash(algorithm.name, name.finalize(), asked.issuer_key_hash)


def _verify(answer: ocsp.OCSPResponse, issuer: x509.Certificate) -> None:
    key, signature, signed = issuer.public_key(), answer.signature, answer.tbs_response_bytes
    match key:
        case ed25519.Ed25519PublicKey():
            key.verify(signature, signed)
        case ec.EllipticCurvePublicKey():
            key.verify(signature, signed, ec.ECDSA(_hash_of(answer)))
        case rsa.RSAPublicKey():
            # Vault signs so whatever the issuer is configured for: its library knows no RSASSA-PSS here.
            key.verify(signature, signed, padding.PKCS1v15(), _hash_of(answer))
        case _:
            raise UntrustedResponseError("signed with a key of a kind that we do not know")


def _hash_of(answer: ocsp.OCSPResponse) -> hashes.HashAlgorithm:
    algorithm = answer.signature_hash_algorithm
    if algorithm is None:
        raise UntrustedResponseError("signed in a way that does not fit the issuer's key")
    return algorithm
