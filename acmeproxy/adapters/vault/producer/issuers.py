"""The issuers of a mount that have a key there, as an operator reads them."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from cryptography import x509

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.producer.namespace import Namespace, ProducerError

_ISSUING: Final = "issuing-certificates"
#: What one may do that was replaced: what it signed can still be revoked, and asked about.
RETIRED: Final = ("crl-signing", "ocsp-signing", "read-only")


class Issuer(msgspec.Struct, frozen=True):
    """An issuer: its certificate and the way up to its root as far as the mount knows it, itself first."""

    id: str
    name: str
    key_id: str
    default: bool
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    settings: dict[str, Any]

    @property
    def number(self) -> int:
        """The number in a name of ours, 0 in any other."""
        return _number(self.name)

    @property
    def issues(self) -> bool:
        """Whether it may sign certificates."""
        usage = self.settings.get("usage")
        return _ISSUING in (usage.split(",") if isinstance(usage, str) else usage or ())

    @property
    def complete(self) -> bool:
        """Whether the mount knows all of its way up, to a root that signed itself."""
        return len(self.chain) > 1 and self.chain[-1].issuer == self.chain[-1].subject


def issuers(namespace: Namespace, mount: str) -> tuple[Issuer, ...]:
    """Return the issuers of a mount that have a key there, the default first, then by name, the newest first.

    Raises:
        ProducerError: One cannot be read.
    """
    listed = namespace.list(f"{mount}/issuers").get("key_info") or {}
    default = next((reference for reference, one in listed.items() if one.get("is_default")), "")
    if listed and not default:
        default = str((namespace.read(f"{mount}/config/issuers") or {}).get("default") or "")
    # Parents were imported without a key, and a list that tells so spares reading them.
    worth = [reference for reference, one in listed.items() if one.get("key_id", "?")]
    found = [_issuer(namespace, mount, reference, default) for reference in worth]
    keyed = [issuer for issuer in found if issuer.key_id]
    return tuple(sorted(keyed, key=lambda one: (not one.default, -_number(one.name), one.id)))


def default(namespace: Namespace, mount: str) -> Issuer | None:
    """Return the default issuer of a mount, if it has one with a key."""
    return next((issuer for issuer in issuers(namespace, mount) if issuer.default), None)


def retire(namespace: Namespace, mount: str, issuer: str) -> None:
    """Take from an issuer the right to sign certificates: its CRL and its OCSP answers it goes on signing."""
    namespace.patch(f"{mount}/issuer/{issuer}", {"usage": list(RETIRED)})


def next_names(known: Sequence[Issuer], prefix: str) -> Iterator[str]:
    """Return the names that the next issuers of a mount get: `issuing-2`, `issuing-3` and so on, without end.

    A key of the first is one that was made for an issuer that is not there yet.
    """
    used = [number for issuer in known if (number := _number(issuer.name, prefix))]
    return (f"{prefix}-{number}" for number in itertools.count(max(used, default=0) + 1))


def keys(namespace: Namespace, mount: str) -> Mapping[str, str]:
    """Return the names of the keys of a mount by their ids; empty for a key without."""
    listed = namespace.list(f"{mount}/keys").get("key_info") or {}
    return {key: str(one.get("key_name") or "") for key, one in listed.items()}


def _number(name: str, prefix: str = r"\w+") -> int:
    found = re.fullmatch(rf"{prefix}-([0-9]{{1,6}})", name)
    return int(found[1]) if found else 0


def _issuer(namespace: Namespace, mount: str, reference: str, default: str) -> Issuer:
    read = namespace.read(f"{mount}/issuer/{reference}") or {}
    certificate = chain.parse(read.get("certificate"))
    certificates = chain.parse_all(read.get("ca_chain"))
    if certificate is None or certificates is None:
        raise ProducerError(f"{mount}/issuer/{reference} has a certificate that cannot be read")
    return Issuer(
        reference,
        str(read.get("issuer_name") or ""),
        str(read.get("key_id") or ""),
        reference == default,
        certificate,
        certificates,
        read,
    )
