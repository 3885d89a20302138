"""The proxy's own TLS certificate, from the signing authority of a development PKI."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.external_root import key_pem, write_private
from acmeproxy.adapters.vault.producer.namespace import Namespace

_ROLE: Final = "acmeproxy-server"
_RENEW_BEFORE: Final = timedelta(days=10)


def server_certificate(
    admin: Namespace, mount: str, above: Sequence[x509.Certificate], directory: Path
) -> tuple[Path, Path]:
    """Return the paths of a certificate with its chain and of its key, for localhost, 127.0.0.1 and ::1.

    They are `server.pem` and, for our eyes only, `server-key.pem`; made anew ten days before the end, and
    when they do not belong to the authority. The key is P-256 and never shown to Vault.
    """
    path, key_path = directory / "server.pem", directory / "server-key.pem"
    if path.exists() and key_path.exists() and _serves(path.read_bytes(), above):
        return path, key_path
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    _write_role(admin, mount)
    signed = admin.write(
        f"{mount}/sign/{_ROLE}",
        {
            "csr": csr.public_bytes(Encoding.PEM).decode(),
            "alt_names": "localhost",
            "ip_sans": "127.0.0.1,::1",
            "ttl": "720h",
            "remove_roots_from_chain": True,
        },
    ).data
    write_private(key_path, key_pem(key))
    path.write_text("\n".join(pem.strip() for pem in (signed["certificate"], *signed["ca_chain"])) + "\n")
    return path, key_path


def _serves(pem: bytes, above: Sequence[x509.Certificate]) -> bool:
    leaf = x509.load_pem_x509_certificate(pem)
    fresh = leaf.not_valid_after_utc - _RENEW_BEFORE > datetime.now(UTC)
    return fresh and chain.issuers(leaf, tuple(above)) is not None


def _write_role(admin: Namespace, mount: str) -> None:
    admin.write(
        f"{mount}/roles/{_ROLE}",
        {
            "allowed_domains": ["localhost"],
            "allow_bare_domains": True,
            "allow_localhost": True,
            "allow_ip_sans": True,
            "allow_wildcard_certificates": False,
            "use_csr_sans": False,
            "use_csr_common_name": False,
            "require_cn": False,
            "key_type": "ec",
            "key_bits": 256,
            "key_usage": ["DigitalSignature"],
            "server_flag": True,
            "client_flag": False,
            "max_ttl": "720h",
            "not_after_bound": "ttl-limited",
            "not_before_duration": "60s",
        },
    )
