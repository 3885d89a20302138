"""The producer side built in tests: from settings, as an operator does it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.producer.producer import Applied, Producer
from acmeproxy.adapters.vault.producer.step import Change, Step
from acmeproxy.settings import load
from acmeproxy.wiring.producing import producer
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.openbao import as_root
from tests.support.settings_file import write

#: One tenant with two roles, which logs in with files that are made for it.
ONE: Final = """
[tenants.shop]
names.allow = ["shop.example", "*.shop.example"]
[tenants.shop.profiles.web]
description = "TLS servers"
lifetime = "10d"
[tenants.shop.profiles.byoc]
description = "kept by us"
role = "byoc"
store = false
keys = ["P-256", "P-384"]
[tenants.shop.vault]
namespace = "shop"
role = "web"
[tenants.shop.vault.login]
method = "approle"
role_id_file = "shop.role-id"
secret_id_file = "shop.secret-id"
"""

#: One tenant with one role, for which a login is made that the settings do not name.
BARE: Final = """
[tenants.shop]
names.allow = ["*.shop.example"]
[tenants.shop.vault]
namespace = "shop"
role = "web"
"""


def settings_file(
    directory: Path, address: str, tenants: str = ONE, vault: str = 'namespace = "admin"'
) -> Path:
    """Write settings whose Vault is at an address."""
    head = '[server]\npublic_url = "https://acme.example"\n[redis]\nurl = "redis://127.0.0.1:1"\n'
    return write(directory, f'{head}[vault]\naddress = "{address}"\n{vault}\n{tenants}')


@contextmanager
def producing(file: Path, token: str, *, local_root: bool = True) -> Iterator[Producer]:
    """Return what builds the producer side of a settings file; its directory is `pki` beside it."""
    given = load(file, {}, awaiting=True)
    with producer(given, token, file.parent / "pki", local_root=local_root) as made:
        yield made


def applied(file: Path, token: str, *, local_root: bool = True) -> Applied:
    """Carry everything out."""
    with producing(file, token, local_root=local_root) as made:
        return made.apply(lambda _: None)


def planned(file: Path, token: str, *, local_root: bool = True) -> list[Step]:
    """Return the steps that do something."""
    with producing(file, token, local_root=local_root) as made:
        return [step for step in made.plan() if step.change is not Change.NOTHING]


async def signed(
    server: OpenBao, namespace: str, path: str, name: str, **more: object
) -> tuple[x509.Certificate, Sequence[x509.Certificate]]:
    """Have the operator sign a certificate for a name, and return it with all above it."""
    csr = x509.load_der_x509_csr(certificate_request([name], certificate_key()))
    body = {"csr": csr.public_bytes(Encoding.PEM).decode(), "alt_names": name, "ttl": "1h", **more}
    answer: dict[str, Any] = (await as_root(server, "POST", path, namespace, body))["data"]
    above = [x509.load_pem_x509_certificate(pem.encode()) for pem in answer["ca_chain"]]
    return x509.load_pem_x509_certificate(answer["certificate"].encode()), above


def verify(
    leaf: x509.Certificate, above: Sequence[x509.Certificate], root: x509.Certificate, name: str
) -> int:
    """Verify a path up to a root, name constraints included, and return the length of the chain.

    Raises:
        verification.VerificationError: It does not hold.
    """
    builder = verification.PolicyBuilder().store(verification.Store([root])).time(datetime.now(UTC))
    return len(builder.build_server_verifier(x509.DNSName(name)).verify(leaf, list(above)))


def root_of(directory: Path) -> x509.Certificate:
    """Return the local root of a settings file's directory."""
    return x509.load_pem_x509_certificate((directory / "pki" / "root.pem").read_bytes())


def request_of(directory: Path, name: str = "signing") -> tuple[x509.Name, ec.EllipticCurvePublicKey]:
    """Return the subject and the key of the request that waits for a root beside a settings file."""
    csr = x509.load_pem_x509_csr((directory / "pki" / f"{name}.csr").read_bytes())
    key = csr.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert csr.is_signature_valid
    return csr.subject, key


class Organisation:
    """A root of somebody's own, with its key somewhere else."""

    def __init__(
        self,
        name: str = "Corporate Root",
        *,
        key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | None = None,
        below: int | None = 2,
    ) -> None:
        self.key = key or ec.generate_private_key(ec.SECP384R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self.sign(self.name, self.key.public_key(), below=below)

    def sign(  # noqa: PLR0913 - what a root is asked for
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey,
        *,
        below: int | None = 1,
        authority: bool = True,
        days: int = 2190,
        crls: bool = True,
        more: Sequence[x509.ExtensionType] = (),
    ) -> x509.Certificate:
        """Sign a certificate: a CA's, which may have so many below it, unless told otherwise."""
        now = datetime.now(UTC) - timedelta(days=2)
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(authority, below if authority else None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not authority,
                    key_cert_sign=authority,
                    crl_sign=authority and crls,
                    encipher_only=False,
                    decipher_only=False,
                    **usage,
                ),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        for extension in more:
            builder = builder.add_extension(extension, critical=True)
        of_curve = isinstance(self.key, ec.EllipticCurvePrivateKey)
        return builder.sign(self.key, hashes.SHA384() if of_curve else None)


def pem(*certificates: x509.Certificate) -> bytes:
    """Return a bundle."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
