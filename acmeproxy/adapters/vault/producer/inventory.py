"""What is there: the authorities of the producer side with their roles, read and not compared."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography import x509

from acmeproxy.adapters.vault.producer import constraints
from acmeproxy.adapters.vault.producer.issuers import Issuer, issuers

if TYPE_CHECKING:
    from acmeproxy.adapters.vault.producer.producer import Producer


class ShownIssuer(msgspec.Struct, frozen=True):
    """An authority as people look at it. `key_identifier` is what certificates name it by, in hex."""

    name: str
    id: str
    default: bool
    subject: str
    not_after: datetime
    permitted_dns_domains: tuple[str, ...]
    key_identifier: str
    complete_chain: bool


class ShownRole(msgspec.Struct, frozen=True):
    """A role: its issuer, its longest lifetime in seconds, its domains."""

    name: str
    issuer: str
    max_ttl: int
    allowed_domains: tuple[str, ...]
    no_store: bool


class ShownMount(msgspec.Struct, frozen=True):
    """A mount, the tenants whose it is (none for the signing CA), its authorities and roles."""

    namespace: str
    mount: str
    tenants: tuple[str, ...]
    issuers: tuple[ShownIssuer, ...]
    roles: tuple[ShownRole, ...]


class Inventory(msgspec.Struct, frozen=True):
    """The root's subject and end, if anything leads to one; the signing CA's mount; those of the tenants."""

    root: str
    root_not_after: datetime | None
    signing: ShownMount
    tenants: tuple[ShownMount, ...]


def inventory(producer: "Producer") -> Inventory:
    """Read what is there.

    Raises:
        ProducerError: It cannot be read.
    """
    signing = producer.blueprint.signing
    found = issuers(producer.at(signing.namespace), signing.mount)
    tops = [issuer.chain[-1] for issuer in found if issuer.complete]
    tenants = []
    for plan in producer.blueprint.issuing():
        names = tuple(
            other.tenant.name
            for other in producer.blueprint.tenants
            if (other.tenant.vault.namespace, other.tenant.vault.mount) == (plan.namespace, plan.mount)
        )
        tenants.append(_mount(producer, plan.namespace, plan.mount, names))
    return Inventory(
        tops[0].subject.rfc4514_string() if tops else "",
        tops[0].not_valid_after_utc if tops else None,
        _mount(producer, signing.namespace, signing.mount, ()),
        tuple(tenants),
    )


def key_identifier(certificate: x509.Certificate) -> str:
    """Return the subject key identifier in hex; empty for a certificate without."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return ""
    return extension.value.digest.hex()


def _mount(producer: "Producer", namespace: str, mount: str, tenants: tuple[str, ...]) -> ShownMount:
    at = producer.at(namespace)
    names: Sequence[str] = at.list(f"{mount}/roles").get("keys") or ()
    return ShownMount(
        namespace,
        mount,
        tenants,
        tuple(_issuer(issuer) for issuer in issuers(at, mount)),
        tuple(_role(name, at.read(f"{mount}/roles/{name}") or {}) for name in names),
    )


def _issuer(issuer: Issuer) -> ShownIssuer:
    certificate = issuer.certificate
    return ShownIssuer(
        issuer.name,
        issuer.id,
        issuer.default,
        certificate.subject.rfc4514_string(),
        certificate.not_valid_after_utc,
        tuple(sorted(constraints.written(certificate)["permitted_dns_domains"])),
        key_identifier(certificate),
        issuer.complete,
    )


def _role(name: str, read: dict[str, Any]) -> ShownRole:
    return ShownRole(
        name,
        str(read.get("issuer_ref") or "default"),
        int(read.get("max_ttl") or 0),
        tuple(read.get("allowed_domains") or ()),
        bool(read.get("no_store")),
    )
