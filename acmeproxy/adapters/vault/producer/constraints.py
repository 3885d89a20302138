"""The name constraints of an issuing CA, and the domains of a role, derived from a tenant's names."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from cryptography import x509

from acmeproxy.core.policy import allows
from acmeproxy.core.tenant import Names

Bounds = Mapping[str, frozenset[str]]

#: Parameters that ask for constraints; servers differ in which of them they take (vault.md §1).
PARAMETERS: Final = ("permitted_dns_domains", "excluded_dns_domains", "permitted_ip_ranges")


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


def wanted(names: Names, accepted: Collection[str]) -> Bounds:
    """Return the constraints that a server can write, by the parameter that asks for them.

    Permitted DNS names are always among them: rather no CA than one without.
    """
    bounds = {
        "permitted_dns_domains": permitted(names),
        "excluded_dns_domains": excluded(names),
        "permitted_ip_ranges": networks(names),
    }
    return {name: frozenset(bounds[name]) for name in bounds if name in {PARAMETERS[0], *accepted}}


def written(certificate: x509.Certificate) -> Bounds:
    """Return the constraints of a certificate, by the same parameters; empty where it has none."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return dict.fromkeys(PARAMETERS, frozenset())
    allowed, forbidden = found.permitted_subtrees or (), found.excluded_subtrees or ()
    return {
        "permitted_dns_domains": frozenset(n.value for n in allowed if isinstance(n, x509.DNSName)),
        "excluded_dns_domains": frozenset(n.value for n in forbidden if isinstance(n, x509.DNSName)),
        "permitted_ip_ranges": frozenset(str(n.value) for n in allowed if isinstance(n, x509.IPAddress)),
    }


def holds(certificate: x509.Certificate, names: Names, accepted: Collection[str]) -> bool:
    """Tell whether a certificate has exactly the constraints that it can have for these names."""
    found = written(certificate)
    return all(found[name] == bound for name, bound in wanted(names, accepted).items())


def path_length(certificate: x509.Certificate) -> int | None:
    """Return how many authorities may be below one; -1 for a certificate that is no authority's."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return -1
    return basic.path_length if basic.ca else -1


def _below_any(domain: str, others: Iterable[str]) -> bool:
    return any(domain.endswith(f".{other}") for other in others)
