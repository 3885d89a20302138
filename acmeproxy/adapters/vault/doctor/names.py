"""Names: a role's domains and an authority's constraints against what the tenant lets be ordered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from acmeproxy.adapters.vault.doctor.case import Case
from acmeproxy.services.findings import Finding, failed, warned


def below(name: str, domain: str) -> bool:
    """Tell whether a name is a domain or below it, label by label."""
    return name == domain or name.endswith(f".{domain}")


def domain_findings(
    case: Case, role: Mapping[str, Any], subject: str, patch: Callable[..., str]
) -> Iterator[Finding]:
    """Compare a role's domains with `names.allow`, and its word on wildcards with the tenant's."""
    yield from _wildcards(case, role, subject, patch)
    domains = [str(domain) for domain in role.get("allowed_domains") or ()]
    if role.get("allow_any_name") is True or any("{{" in domain for domain in domains):
        # Told elsewhere, or made of the identity that asks: there is nothing to compare.
        return
    patterns = case.tenant.names.allow
    if "*" in patterns:
        text = "the tenant lets all names be ordered, and the role signs some only"
        yield warned(subject, text, f"write them to tenants.{case.tenant.name}.names.allow")
    missing = [pattern for pattern in patterns if pattern != "*" and not _signs(role, domains, pattern)]
    if missing:
        kept = domains if "*" in patterns else _needed(case, domains)
        wanted = dict.fromkeys((*kept, *(pattern.removeprefix("*.") for pattern in missing)))
        fields: dict[str, object] = {"allowed_domains": list(wanted)}
        if any(not pattern.startswith("*.") for pattern in missing):
            fields["allow_bare_domains"] = True
        if any(pattern.startswith("*.") for pattern in missing):
            fields["allow_subdomains"] = True
        text = f"it refuses names that the tenant lets be ordered: {', '.join(missing)}"
        yield failed(subject, text, patch(**fields))
    elif "*" not in patterns:
        yield from _unneeded(case, domains, subject, patch)


def _wildcards(
    case: Case, role: Mapping[str, Any], subject: str, patch: Callable[..., str]
) -> Iterator[Finding]:
    allowed = role.get("allow_wildcard_certificates", True) is True
    if case.tenant.wildcards and not allowed:
        text = "allow_wildcard_certificates=false: the tenant's wildcards can never be signed"
        yield failed(subject, text, patch(allow_wildcard_certificates=True))
    if allowed and not case.tenant.wildcards:
        text = "allow_wildcard_certificates=true: the tenant has no wildcards"
        yield warned(subject, text, patch(allow_wildcard_certificates=False))


def _unneeded(
    case: Case, domains: Sequence[str], subject: str, patch: Callable[..., str]
) -> Iterator[Finding]:
    needed = _needed(case, domains)
    if needed and len(needed) < len(domains):
        spare = ", ".join(domain for domain in domains if domain not in needed)
        text = f"it signs names that the tenant does not have: {spare}"
        yield warned(subject, text, patch(allowed_domains=needed))


def _needed(case: Case, domains: Sequence[str]) -> list[str]:
    bases = [pattern.removeprefix("*.") for pattern in case.tenant.names.allow]
    return [d for d in domains if any(below(base, d) or below(d, base) for base in bases)]


def _signs(role: Mapping[str, Any], domains: Sequence[str], pattern: str) -> bool:
    """Tell whether a role signs all names of a pattern: itself, or all below it."""
    subdomains = role.get("allow_subdomains") is True
    if pattern.startswith("*."):
        return subdomains and any(below(pattern[2:], domain) for domain in domains)
    bare = role.get("allow_bare_domains") is True
    return any(
        (bare and pattern == domain) or (subdomains and pattern.endswith(f".{domain}")) for domain in domains
    )


def canary_name(case: Case, role: Mapping[str, Any]) -> str | None:
    """Return a name that a role signs and no customer has, or `None` where it signs none such."""
    if role.get("allow_subdomains") is not True and role.get("allow_any_name") is not True:
        return None
    domains = [str(domain) for domain in role.get("allowed_domains") or () if "{{" not in str(domain)]
    bases = [pattern.removeprefix("*.") for pattern in case.tenant.names.allow if pattern != "*"]
    fitting = [base for base in bases if any(below(base, domain) for domain in domains)]
    # Where the role's domains cannot be compared, its refusal will tell.
    chosen = next(iter([*fitting, *domains, *bases]), None)
    return f"acmeproxy-doctor.{chosen}" if chosen else None
