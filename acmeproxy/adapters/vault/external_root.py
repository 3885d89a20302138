"""The root of a development PKI: made here, and its key never shown to Vault."""

import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

#: The file of its certificate.
ROOT_FILE: Final = "root.pem"
_ROOT: Final = timedelta(days=3650)
_SIGNING: Final = timedelta(days=2190)
_BACKDATED: Final = timedelta(minutes=1)


class ExternalRoot(msgspec.Struct, frozen=True):
    """A root certificate, where it lies as PEM, and its key."""

    certificate: x509.Certificate
    path: Path
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        """Show where it is."""
        return f"ExternalRoot({self.path})"

    @property
    def pem(self) -> str:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()


def external_root(directory: Path) -> ExternalRoot:
    """Return the root of a directory (`root.pem`, and `root-key.pem` for our eyes only); make it if missing.

    It is P-384, lasts ten years and may have two authorities below it.
    """
    path, key_path = directory / ROOT_FILE, directory / "root-key.pem"
    # Another run may be at this too: whoever comes first has made them, for both.
    create(key_path, key_pem(ec.generate_private_key(ec.SECP384R1())))
    key = load_pem_private_key(key_path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{key_path} is no key of an elliptic curve")
    if path.exists() and x509.load_pem_x509_certificate(path.read_bytes()).public_key() != key.public_key():
        path.unlink()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acmeproxy development root")])
    if not path.exists():
        certificate = _authority(name, key.public_key(), below=2, lifetime=_ROOT, issuer=name, key=key)
        create(path, certificate.public_bytes(Encoding.PEM), mode=0o644)
    return ExternalRoot(x509.load_pem_x509_certificate(path.read_bytes()), path, key)


def sign_authority(root: ExternalRoot, csr: str, lifetime: timedelta = _SIGNING) -> str:
    """Sign a request for the signing authority, which may have one below it, and return PEM."""
    request = x509.load_pem_x509_csr(csr.encode())
    certificate = _authority(
        request.subject,
        request.public_key(),
        below=1,
        lifetime=lifetime,
        issuer=root.certificate.subject,
        key=root.key,
    )
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PKCS #8 in PEM, unencrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only we can read, complete or not at all."""
    _partial(path, content, 0o600).replace(path)


def create(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file that is not there, complete or not at all; one that is there stays as it is."""
    if path.exists():
        return
    partial = _partial(path, content, mode)
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        pass
    finally:
        partial.unlink()


def _partial(path: Path, content: bytes, mode: int) -> Path:
    """Write what is to become a file beside it, under a name that no other run has."""
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    return partial


def _authority(  # noqa: PLR0913 - the parts of a certificate
    subject: x509.Name,
    public_key: object,
    *,
    below: int,
    lifetime: timedelta,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise TypeError("the request of an authority has a P-384 key")
    begin = datetime.now(UTC) - _BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
        .add_extension(_AUTHORITY_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA384())
    )


_AUTHORITY_USAGE: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
