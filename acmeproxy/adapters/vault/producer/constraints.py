"""The name constraints of an issuing CA, and the domains of a role, derived from a tenant's names."""

from collections.abc import Iterable

from cryptography import x509

from acmeproxy.core.policy import allows
from acmeproxy.core.tenant import Names


def permitted(names: Names) -> tuple[str, ...]:
    """Return the DNS subtrees that hold all allowed names and no more than they must; none for all names."""
    if "*" in names.allow:
        return ()
    domains = {pattern.removeprefix("*.") for pattern in names.allow}
    return tuple(sorted(domain for domain in domains if not _below_any(domain, domains)))


def excluded(names: Names) -> tuple[str, ...]:
    """Return the DNS subtrees in which everything is denied: a constraint would take more than one name."""
    whole = {pattern.removeprefix("*.") for pattern in names.deny if pattern.startswith("*.")}
    denied = {domain for domain in whole if not allows(names, domain)}
    return tuple(sorted(domain for domain in denied if not _below_any(domain, denied)))


def networks(names: Names) -> tuple[str, ...]:
    """Return the address ranges as a server takes them."""
    return tuple(str(network) for network in names.ip_ranges)


def permitted_in(certificate: x509.Certificate) -> frozenset[str]:
    """Return the DNS subtrees that a certificate permits; none where it permits all."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return frozenset()
    subtrees = constraints.permitted_subtrees or ()
    return frozenset(name.value for name in subtrees if isinstance(name, x509.DNSName))


def path_length(certificate: x509.Certificate) -> int | None:
    """Return how many authorities may be below one; -1 for a certificate that is no authority's."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return -1
    return basic.path_length if basic.ca else -1


def _below_any(domain: str, others: Iterable[str]) -> bool:
    return any(domain.endswith(f".{other}") for other in others)
