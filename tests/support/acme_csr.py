"""Certificate signing requests, as a client makes them and as an attacker does (RFC 8555 §7.4, RFC 2986)."""

import ipaddress
from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from tests.support.acme_keys import PrivateKey

Builder = x509.CertificateSigningRequestBuilder


def certificate_key() -> ec.EllipticCurvePrivateKey:
    """Make a fresh P-256 key for a certificate."""
    return ec.generate_private_key(ec.SECP256R1())


def certificate_request(
    names: Sequence[str],
    key: PrivateKey | None = None,
    *,
    common_name: str | None = None,
    alter: Callable[[Builder], Builder] | None = None,
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:
    """Build a CSR in DER.

    Args:
        names: DNS names and addresses for the subjectAltName; with none there is no such extension.
        key: The key to certify; a fresh one if missing.
        common_name: Put in the subject, which is empty otherwise.
        alter: Adds to the request what an honest client would not.
        digest: Another hash than SHA-256.
    """
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name is not None else []
    builder = Builder().subject_name(x509.Name(subject))
    if names:
        general_names = [_general_name(name) for name in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(general_names), critical=False)
    if alter:
        builder = alter(builder)
    key = key or certificate_key()
    # Ed25519 brings its own hash (RFC 8410 §3); everything else is told one.
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else digest or hashes.SHA256()
    # The stub lists the hashes one by one; a wrong one is refused at run time.
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)  # type: ignore[arg-type]


def identifier(name: str) -> dict[str, str]:
    """Return the identifier object of a name or an address (RFC 8555 §9.7.7, RFC 8738 §3)."""
    return {"type": "dns" if _address(name) is None else "ip", "value": name}


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
