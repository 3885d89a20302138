"""Whether what somebody signed is what was asked for: looked at before a mount imports it."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.producer import constraints
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.core.tenant import Names

_FORGEABLE: Final = (hashes.MD5, hashes.SHA1)
_LEAST_BITS: Final = 2048
#: An issuing CA lives for thirty days at least, and ends a day before what signed it.
SHORTEST: Final = timedelta(days=31)


def check_certified(
    csr: x509.CertificateSigningRequest, certificates: Sequence[x509.Certificate]
) -> x509.Certificate:
    """See that certificates are a chain for a request, its own first, up to a root that signed itself.

    Raises:
        ProducerError: With the first thing that is wrong.
    """
    if not certificates or certificates[0].public_key() != csr.public_key():
        raise ProducerError("the certificate is for another key than the request")
    for authority in certificates:
        _check_authority(authority)
    for lower, upper in itertools.pairwise(certificates):
        if not chain.signed(lower, upper):
            raise ProducerError(f"{_name(lower)} was not signed by {_name(upper)}")
    if certificates[-1].issuer != certificates[-1].subject:
        issuer = certificates[-1].issuer.rfc4514_string()
        text = f"{_name(certificates[-1])} was signed by {issuer}, which is not there"
        raise ProducerError(f"{text}: the chain to a root is missing")
    for below, authority in enumerate(certificates):
        length = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
        if length is not None and length < below:
            raise ProducerError(
                f"{_name(authority)} may have {length} authorities below it, and has {below} here"
            )
    return certificates[0]


def _check_authority(certificate: x509.Certificate) -> None:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        basic = x509.BasicConstraints(ca=False, path_length=None)
    if not basic.ca:
        raise ProducerError(f"{_name(certificate)} may not sign certificates: it is no CA")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        # Roots of long ago have none, and may do everything.
        if certificate.issuer == certificate.subject:
            return
        usage = None
    if usage is None or not usage.key_cert_sign:
        raise ProducerError(
            f"{_name(certificate)} may not sign certificates: keyCertSign is not in its key usage"
        )


def check_signing(
    csr: x509.CertificateSigningRequest,
    signed: Sequence[x509.Certificate],
    tenants: Iterable[Names],
    now: datetime,
) -> None:
    """See that a chain leads from a signing CA to its root, and can be built on.

    Args:
        csr: The request for the signing CA.
        signed: Its certificate first, then what is above it.
        tenants: The names that certificates below it have to have.
        now: The time.

    Raises:
        ProducerError: With the first thing that is wrong.
    """
    # First, since nobody can follow a chain of such signatures.
    wrong = next((flaw for one in signed for flaw in _weaknesses(one)), None)
    if wrong is None:
        check_certified(csr, signed)
        wrong = next(_flaws(signed, tenants, now), None) or _unverifiable(signed)
    if wrong:
        raise ProducerError(wrong)


def _unverifiable(signed: Sequence[x509.Certificate]) -> str:
    """Verify as issued certificates are verified: what fails now, fails then for every single one."""
    authorities = ExtensionPolicy.webpki_defaults_ca()
    builder = (
        PolicyBuilder()
        .store(Store([signed[-1]]))
        .extension_policies(ca_policy=authorities, ee_policy=authorities)
    )
    try:
        builder.build_client_verifier().verify(signed[0], list(signed[1:-1]))
    except VerificationError as error:
        return (
            "acmeproxy could not verify what is below it, and would deliver no certificate: keys and"
            " signatures up to the root must be RSA of 2048 bits or more, or ECDSA with P-256, P-384 or"
            f" P-521, and SHA-2 ({str(error)[:160]!a})"
        )
    return ""


def _weaknesses(certificate: x509.Certificate) -> Iterator[str]:
    algorithm, key = certificate.signature_hash_algorithm, certificate.public_key()
    # Nobody verifies a root by the signature that it has of itself.
    if isinstance(algorithm, _FORGEABLE) and certificate.issuer != certificate.subject:
        yield f"{_name(certificate)} is signed with {algorithm.name}: it must be SHA-256 or better"
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_BITS:
        yield f"{_name(certificate)} has a key of {key.key_size} bits: it must have {_LEAST_BITS} at least"


def _flaws(signed: Sequence[x509.Certificate], tenants: Iterable[Names], now: datetime) -> Iterator[str]:
    own = signed[0]
    yield from _lengths(signed)
    if not own.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign:
        yield "it may not sign its CRL: cRLSign is not in its key usage"
    for one in signed:
        yield from _ages(one, now)
    if own.not_valid_after_utc - now < SHORTEST:
        yield f"it ends on {own.not_valid_after_utc:%Y-%m-%d}, too soon for a CA below it"
    for one in signed:
        if not _for_servers(one):
            yield f"{_name(one)} is not for TLS servers, nor is what is below it: leave extendedKeyUsage out"
    for names, one in itertools.product(tenants, signed):
        if outside := constraints.outside(one, names):
            text = ", ".join(outside)
            yield f"the name constraints of {_name(one)} leave out {text}, which a tenant may have"


def _lengths(signed: Sequence[x509.Certificate]) -> Iterator[str]:
    if constraints.path_length(signed[0]) == 0:
        yield "pathlen is 0, and it has to sign issuing CAs: it must be 1"
    for below, one in enumerate(signed, 1):
        length = constraints.path_length(one)
        if length is not None and length < below:
            yield f"{_name(one)} may have {length} authorities below it, and has {below} with an issuing CA"


def _ages(certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    if certificate.not_valid_after_utc <= now:
        yield f"{_name(certificate)} has ended on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if certificate.not_valid_before_utc > now:
        yield f"{_name(certificate)} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M}Z"


def _for_servers(certificate: x509.Certificate) -> bool:
    """Tell whether it limits what is below it to something else: most who verify hold it to that."""
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return bool({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(purposes))


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "an authority without a name"
