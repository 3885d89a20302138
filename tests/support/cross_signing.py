"""A tenant whose authority another root has signed too."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.provisioning import Hierarchy, TenantPki, provision
from tests.support.openbao import as_root

_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class CrossSigned:
    """Its place; DER of the other certificate of its authority; PEM files of the first root and of both."""

    pki: TenantPki
    other: bytes
    root: Path
    roots: Path


async def cross_signed(server: OpenBao, directory: Path, tenant: str, suffix: str) -> CrossSigned:
    """Provision a tenant, and have a second root sign its authority."""
    hierarchy: Hierarchy = await asyncio.to_thread(
        provision, server.address, server.root_token, directory, {tenant: (suffix,)}
    )
    namespace = f"admin/{tenant}"
    read = await as_root(server, "GET", "pki/issuer/default/json", namespace)
    authority = x509.load_pem_x509_certificate(read["data"]["certificate"].encode())
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "another root")])
    root = _signed(name, key.public_key(), name, key)
    public = authority.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    other = _signed(authority.subject, public, name, key)
    bundle = {"pem_bundle": other.public_bytes(Encoding.PEM).decode()}
    await as_root(server, "POST", "pki/issuers/import/cert", namespace, bundle)
    roots = directory.with_name(f"{directory.name}-{tenant}-roots.pem")
    roots.write_bytes(hierarchy.root.read_bytes() + root.public_bytes(Encoding.PEM))
    return CrossSigned(hierarchy.tenants[tenant], other.public_bytes(Encoding.DER), hierarchy.root, roots)


def _signed(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now = datetime.now(UTC)
    usages = x509.KeyUsage(**{name: name in {"key_cert_sign", "crl_sign"} for name in _USAGES})
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usages, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
