"""The issuing authority: complete up to the root, bound to the tenant's names, and alive long enough."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from cryptography import x509

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.doctor.case import Case, UnansweredError
from acmeproxy.adapters.vault.doctor.names import below
from acmeproxy.core.unreadable import UNREADABLE
from acmeproxy.services.findings import Finding, failed, or_passed, warned

_SOON: Final = timedelta(days=90)
_USAGES: Final = ("issuing-certificates", "crl-signing", "ocsp-signing")


async def examine(case: Case, reference: str) -> Sequence[Finding]:
    """Look at one issuer of the tenant's mount.

    Raises:
        UnansweredError: There is no answer.
    """
    path = f"{case.mount}/issuer/{reference}"
    subject = case.about(f"issuer {case.mount}/{reference}")
    heard = await case.openly(f"{path}/json")
    members = heard.members.get("data")
    shown: dict[str, Any] = members if isinstance(members, dict) else {}
    own, above = chain.parse(shown.get("certificate")), chain.parse_all(shown.get("ca_chain"))
    if own is None or above is None:
        text = f"the mount has no such issuer (Vault answered {heard.status})"
        return (failed(subject, text, "acmeproxy vault apply"),)
    full = (own, *(one for one in above if one != own))
    try:
        bounds = [*_path_length(case, subject, own), *_constraints(case, subject, own)]
    except UNREADABLE:
        mend = f"acmeproxy vault rotate {case.tenant.name}"
        bounds = [failed(subject, "its extensions cannot be read", mend)]
    settings = await case.see(path)
    found = [
        *await _complete(case, subject, full, settings or {}),
        *bounds,
        *_left(case, subject, full),
        *(() if settings is None else _settings(case, subject, path, settings)),
    ]
    text = f"its chain of {len(full)} leads to a root, and it lasts until {own.not_valid_after_utc:%Y-%m-%d}"
    return or_passed(found, subject, text)


async def _complete(
    case: Case, subject: str, full: Sequence[x509.Certificate], settings: Mapping[str, Any]
) -> Sequence[Finding]:
    """See that the chain that the mount hands out goes up to a root, and to one of ours."""
    anchors = [x509.load_der_x509_certificate(der) for der in case.anchors]
    last = full[-1]
    rooted = last.issuer == last.subject
    if not rooted and not any(chain.signed(last, anchor) for anchor in anchors):
        if settings.get("manual_chain"):
            # What is named there is all that is handed out, whatever else is imported.
            text = f"its manual_chain ends too early: nothing leads from {_name(last)} to a root"
            path = f"{case.mount}/issuer/{settings.get('issuer_id')}"
            mend = f"{case.commands.patch(path, manual_chain='')} && {await _import(case, full[0])}"
            return (failed(subject, text, mend),)
        text = f"imported without its parents: nothing leads from {_name(last)} to a root"
        return (failed(subject, text, await _import(case, last)),)
    if anchors and not any(last == anchor or chain.signed(last, anchor) for anchor in anchors):
        text = f"it leads to {_name(last)}, which is none of vault.roots"
        return (failed(subject, text, "write its root to the file that vault.roots names"),)
    return ()


async def _import(case: Case, last: x509.Certificate) -> str:
    """Return how to import the parents: from the mount that signed it, where they are."""
    place = case.signing
    try:
        heard = await case.openly(f"{place.mount}/cert/ca_chain", place.namespace)
    except UnansweredError:
        heard = None
    members = heard.members.get("data") if heard else None
    bundle = members.get("ca_chain") if isinstance(members, dict) else None
    target = case.commands.run("write", rest=(f"{case.mount}/issuers/import/cert", "pem_bundle=-"))
    if isinstance(bundle, str) and _leads_up(last, bundle):
        above = case.commands.at(place.namespace)
        read = above.run("read", rest=("-field=ca_chain", f"{place.mount}/cert/ca_chain"))
        return f"{read} | {target}"
    return f"{target} < parents.pem  # the certificates above {_name(last)}, up to the root"


def _leads_up(last: x509.Certificate, bundle: str) -> bool:
    try:
        parents = x509.load_pem_x509_certificates(bundle.encode())
    except ValueError:
        return False
    return any(chain.signed(last, parent) for parent in parents)


def _path_length(case: Case, subject: str, own: x509.Certificate) -> Iterator[Finding]:
    try:
        constraints = own.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        constraints = x509.BasicConstraints(ca=False, path_length=None)
    mend = f"acmeproxy vault rotate {case.tenant.name}"
    if not constraints.ca:
        yield failed(subject, "it is no certificate of an authority", mend)
    elif constraints.path_length != 0:
        text = "its path length is not 0: it could sign further authorities"
        yield warned(subject, text, mend)


def _constraints(case: Case, subject: str, own: x509.Certificate) -> Iterator[Finding]:
    """Compare its name constraints with `names.allow`; Vault itself may not look at them (vault.md §1)."""
    mend = f"acmeproxy vault rotate {case.tenant.name}"
    try:
        constraints = own.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        text = "it has no name constraints: only the role limits what it signs"
        yield warned(subject, text, _bounding(case))
        return
    permitted = list(constraints.permitted_subtrees or ())
    domains = [name.value.lstrip(".") for name in permitted if isinstance(name, x509.DNSName)]
    excluded = [
        name.value.lstrip(".")
        for name in constraints.excluded_subtrees or ()
        if isinstance(name, x509.DNSName)
    ]
    outside = [
        pattern
        for pattern in case.tenant.names.allow
        if (domains and not any(below(pattern.removeprefix("*."), domain) for domain in domains))
        or any(below(pattern.removeprefix("*."), domain) for domain in excluded)
    ]
    if not domains:
        yield warned(subject, "its name constraints permit all DNS names", mend)
    if outside:
        text = f"its name constraints leave out names that the tenant lets be ordered: {', '.join(outside)}"
        yield failed(subject, text, mend)
    networks = [name.value for name in permitted if isinstance(name, x509.IPAddress)]
    ranges = case.tenant.names.ip_ranges
    if networks and any(not _within(one, networks) for one in ranges):
        yield failed(subject, "its name constraints leave out addresses of names.ip_ranges", mend)


def _bounding(case: Case) -> str:
    """Return how an authority gets constraints; empty where it cannot: OpenBao binds none to addresses."""
    name, names = case.tenant.name, case.tenant.names
    if "*" in names.allow:
        return f"set tenants.{name}.names.allow to its domains, then acmeproxy vault apply"
    if not names.allow and case.commands.program == "bao":
        return ""
    return f"acmeproxy vault rotate {name}"


def _within(network: ipaddress.IPv4Network | ipaddress.IPv6Network, permitted: Sequence[object]) -> bool:
    for one in permitted:
        match network, one:
            case (ipaddress.IPv4Network(), ipaddress.IPv4Network()) if network.subnet_of(one):
                return True
            case (ipaddress.IPv6Network(), ipaddress.IPv6Network()) if network.subnet_of(one):
                return True
    return False


def _left(case: Case, subject: str, full: Sequence[x509.Certificate]) -> Iterator[Finding]:
    """See that the whole chain outlives the longest certificate by some time."""
    first = min(full, key=lambda one: one.not_valid_after_utc)
    left = first.not_valid_after_utc - case.clock()
    longest = max(use.lifetime for use in case.uses)
    own = first == full[0]
    mend = f"acmeproxy vault rotate {case.tenant.name}"
    if not own:
        mend = f"acmeproxy vault rotate --signing, and when that is done {mend}"
    if left <= longest:
        text = (
            f"{_name(first)} ends on {first.not_valid_after_utc:%Y-%m-%d}, before a certificate of now would"
        )
        yield failed(subject, text, mend)
    elif left <= longest + _SOON:
        text = f"{_name(first)} ends on {first.not_valid_after_utc:%Y-%m-%d}: a new one is due"
        yield warned(subject, text, mend)


def _settings(case: Case, subject: str, path: str, shown: Mapping[str, Any]) -> Sequence[Finding]:
    """See how the issuer is set up, where somebody may read it."""
    found = []
    if shown.get("revoked") is True:
        mend = f"acmeproxy vault rotate {case.tenant.name}"
        found.append(failed(subject, "it is revoked, and so is everything that it signed", mend))
    if shown.get("leaf_not_after_behavior") == "permit":
        text = "leaf_not_after_behavior=permit: certificates may outlive it"
        found.append(failed(subject, text, case.commands.patch(path, leaf_not_after_behavior="truncate")))
    usage = str(shown.get("usage") or "")
    lacking = [one for one in _USAGES if one not in usage]
    if usage and lacking:
        text = f"usage lacks {', '.join(lacking)}"
        mend = case.commands.patch(path, usage=",".join(("read-only", *_USAGES)))
        found.append(failed(subject, text, mend))
    return found


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "an authority without a name"
