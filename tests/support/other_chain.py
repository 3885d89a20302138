"""A second way up from the authority of a tenant of `acmeproxy dev`: the root signs it itself."""

from datetime import UTC, datetime, timedelta

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from tests.support.installation import Development

_DEADLINE = 60


def add_other_chain(dev: Development, tenant: str = "team-a") -> None:
    """Have the root sign a tenant's authority, and make that certificate known to its mount."""
    read = dev.vault("GET", "pki/issuer/default/json", tenant)
    authority = x509.load_pem_x509_certificate(read["data"]["certificate"].encode())
    answer = requests.post(
        f"{dev.ready['vault']['addr']}/v1/pki/issuers/import/cert",
        headers={
            "X-Vault-Token": dev.ready["vault"]["token"],
            "X-Vault-Namespace": dev.ready["vault"]["namespaces"][tenant],
        },
        json={"pem_bundle": _by_root(dev, authority).public_bytes(Encoding.PEM).decode()},
        timeout=_DEADLINE,
    )
    assert answer.ok, answer.text


def _by_root(dev: Development, authority: x509.Certificate) -> x509.Certificate:
    root = x509.load_pem_x509_certificate(dev.root.read_bytes())
    key = load_pem_private_key((dev.root.parent / "root-key.pem").read_bytes(), None)
    public = authority.public_key()
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(authority.subject)
        .issuer_name(root.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(minutes=1))
        .not_valid_after(authority.not_valid_after_utc)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for extension in authority.extensions:
        if not isinstance(extension.value, x509.AuthorityKeyIdentifier):
            builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256())
