"""The name constraints of an issuing CA, and the domains of a role, derived from a tenant's names."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from cryptography import x509

from acmeproxy.core.policy import allows
from acmeproxy.core.tenant import Names

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
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


def outside(certificate: x509.Certificate, names: Names) -> tuple[str, ...]:
    """Return the patterns and ranges of these names that a certificate's constraints do not wholly permit."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return ()
    allowed = _subtrees(found.permitted_subtrees or ())
    forbidden = _subtrees(found.excluded_subtrees or ())
    patterns = [
        pattern
        for pattern in names.allow
        if (allowed and not _within(pattern.removeprefix("*."), allowed))
        or _within(pattern.removeprefix("*."), forbidden)
    ]
    held = [name.value for name in found.permitted_subtrees or () if isinstance(name, x509.IPAddress)]
    lost = [name.value for name in found.excluded_subtrees or () if isinstance(name, x509.IPAddress)]
    ranges = [
        str(network)
        for network in names.ip_ranges
        if (held and not any(_inside(network, one) for one in held))
        or any(_inside(network, one) for one in lost)
    ]
    return (*patterns, *ranges)


def path_length(certificate: x509.Certificate) -> int | None:
    """Return how many authorities may be below one; -1 for a certificate that is no authority's."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return -1
    return basic.path_length if basic.ca else -1


def _subtrees(found: Iterable[x509.GeneralName]) -> frozenset[str]:
    """Return the domains of subtrees, which some write with a dot before."""
    return frozenset(name.value.removeprefix(".") for name in found if isinstance(name, x509.DNSName))


def _within(domain: str, domains: Collection[str]) -> bool:
    return domain in domains or _below_any(domain, domains)


def _inside(network: Network, other: object) -> bool:
    match network, other:
        case (ipaddress.IPv4Network(), ipaddress.IPv4Network()):
            return network.subnet_of(other)
        case (ipaddress.IPv6Network(), ipaddress.IPv6Network()):
            return network.subnet_of(other)
    return False


def _below_any(domain: str, others: Iterable[str]) -> bool:
    return any(domain.endswith(f".{other}") for other in others)
