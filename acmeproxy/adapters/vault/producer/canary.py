"""A certificate that nobody uses: signed, looked at as if it were a client's, and revoked at once."""

import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.producer.issuers import Issuer
from acmeproxy.adapters.vault.producer.namespace import Namespace, ProducerError
from acmeproxy.adapters.vault.producer.roles import roles
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.inspection import MismatchError, inspect
from acmeproxy.core.jwk import spki_sha256
from acmeproxy.core.order import Intent
from acmeproxy.core.policy import allows
from acmeproxy.core.tenant import Names, Tenant

_LABEL: Final = "acmeproxy-canary"
_LIFETIME: Final = 600
_CURVES: Final = {384: ec.SECP384R1, 521: ec.SECP521R1}

_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def try_out(
    namespace: Namespace, tenant: Tenant, issuer: Issuer, reference: str, roots: Sequence[x509.Certificate]
) -> None:
    """Have an issuer sign under a tenant's role, verify up to the roots with name constraints, and revoke.

    Args:
        namespace: The tenant's.
        tenant: Whose role and names are used.
        issuer: Which has to have signed.
        reference: Its name or id, for the path.
        roots: To which the chain must lead.

    Raises:
        ProducerError: The certificate is not what was asked for, or was not revoked.
    """
    place = tenant.vault
    fields = roles(tenant)[place.role]
    intent = _intent(_name(tenant.names), fields)
    body = {
        "csr": x509.load_der_x509_csr(intent.csr).public_bytes(Encoding.PEM).decode(),
        "alt_names": ",".join(name.value for name in intent.names if name.type is IdentifierType.DNS),
        "ip_sans": ",".join(name.value for name in intent.names if name.type is IdentifierType.IP),
        "exclude_cn_from_sans": True,
        "ttl": intent.lifetime,
        "remove_roots_from_chain": True,
    }
    written = namespace.write(f"{place.mount}/issuer/{reference}/sign/{place.role}", body)
    leaf = chain.parse(written.data.get("certificate"))
    above = chain.parse_all(written.data.get("ca_chain"))
    if leaf is None or above is None:
        raise ProducerError("the canary certificate cannot be read")
    try:
        if not chain.signed(leaf, issuer.certificate):
            raise ProducerError("the canary certificate was signed by another issuer than the new one")
        (der,) = chain.der([leaf])
        inspect(der, chain.der(above), intent, chain.der(roots), datetime.now(UTC))
    except MismatchError as error:
        raise ProducerError(f"the canary certificate is not what was asked for: {error}") from None
    finally:
        revoked = namespace.write(f"{place.mount}/revoke", {"certificate": chain.pem(leaf)})
    if revoked.data.get("state") != "revoked":
        raise ProducerError("the canary certificate was not revoked")


def _name(names: Names) -> Identifier:
    """Return a name that the tenant may have and that nobody uses, as far as there is one."""
    below = [f"{_LABEL}.{pattern.removeprefix('*.')}" for pattern in names.allow if pattern[0] == "*"]
    exact = [pattern for pattern in names.allow if pattern[0] != "*"]
    wanted = [f"{_LABEL}.invalid" if name == f"{_LABEL}.*" else name for name in (*below, *exact)]
    for name in wanted:
        if allows(names, name):
            return Identifier(IdentifierType.DNS, name)
    for network in names.ip_ranges:
        host = next(iter(network.hosts()), ipaddress.ip_address(network.network_address))
        return Identifier(IdentifierType.IP, str(host))
    raise ProducerError("the tenant may have no name at all: set names.allow")


def _intent(name: Identifier, fields: Mapping[str, Any]) -> Intent:
    key = _key(str(fields["key_type"]), int(fields["key_bits"]))
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest)
    now = datetime.now(UTC)
    return Intent(
        uuid.uuid4().hex,
        csr.public_bytes(Encoding.DER),
        spki_sha256(key.public_key()),
        (name,),
        min(_LIFETIME, int(fields["max_ttl"])),
        now,
        first_attempt_at=now,
    )


def _key(kind: str, bits: int) -> _Key:
    if kind == "rsa":
        return rsa.generate_private_key(65537, bits)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(_CURVES.get(bits, ec.SECP256R1)())
