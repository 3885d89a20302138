"""What a tenant may have: checked at new-order and again before signing (NOR-03, STA-08)."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from msgspec import structs

from acmeproxy.core.account import Account
from acmeproxy.core.challenge import fitting
from acmeproxy.core.identifier import Identifier, IdentifierType, parse
from acmeproxy.core.payload import RequestedIdentifier
from acmeproxy.core.problem import AcmeError, Problem, Subject, problem
from acmeproxy.core.reference import Reference
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Names, Tenant

MAX_IDENTIFIERS: Final = 100

# Whatever the ranges say: nobody owns these (IDN-15).
_NEVER: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/3",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "2002::/16",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)


def identifiers(
    tenant: Tenant,
    requested: Sequence[RequestedIdentifier],
    narrower: Names | None = None,
    role: Role | None = None,
) -> tuple[Identifier, ...]:
    """Return the identifiers of an order, lower-cased and without repetitions, if the tenant may have all.

    Where the role is known that will sign, it must allow them too.

    Raises:
        AcmeError: `malformed` for none or more than 100; else the problem of the one bad identifier, or one
            problem for several, each with its own subproblem in the client's spelling (PRB-06, PRB-07).
    """
    if not requested:
        raise AcmeError(problem(Reference.ORDER_SHAPE, "identifiers is empty"))
    if len(requested) > MAX_IDENTIFIERS:
        raise AcmeError(
            problem(Reference.ORDER_SIZE, f"an order takes at most {MAX_IDENTIFIERS} identifiers")
        )
    parsed: dict[Identifier, None] = {}
    faults: list[Problem] = []
    for one in requested:
        try:
            identifier = parse(one.type, one.value)
            check(tenant, identifier, narrower)
            _check_role(role, identifier)
            parsed[identifier] = None
        except AcmeError as error:
            faults.append(_about(error.problem, one))
    if faults:
        raise AcmeError(_summary(faults))
    return tuple(parsed)


def check_again(
    tenant: Tenant, account: Account, ordered: Sequence[Identifier], role: Role | None = None
) -> None:
    """Check the names of an order once more: what was allowed then may have been taken away since (STA-08).

    Raises:
        AcmeError: As `identifiers`, each name in its subproblem (PRB-05).
    """
    requested = [RequestedIdentifier(name.type.value, name.value) for name in ordered]
    identifiers(tenant, requested, narrower_names(account), role)


def check(tenant: Tenant, identifier: Identifier, narrower: Names | None = None) -> None:
    """Check one identifier against the tenant's rules, and an account's narrower ones.

    Raises:
        AcmeError: `rejectedIdentifier` or `unsupportedIdentifier`, saying which rule.
    """
    if identifier.type is IdentifierType.IP:
        _check_address(tenant, identifier)
    elif not allows(tenant.names, identifier.value):
        allowed = ", ".join(tenant.names.allow) or "nothing"
        text = f"{identifier.value} is not among the names of tenant {tenant.name} (allowed: {allowed})"
        raise _rejected(Reference.NAME_NOT_ALLOWED, text, identifier)
    if narrower is not None and (
        identifier.type is not IdentifierType.DNS or not allows(narrower, identifier.value)
    ):
        allowed = ", ".join(narrower.allow)
        text = f"{identifier.value} is not among the names of this account's EAB key (allowed: {allowed})"
        raise _rejected(Reference.NAME_NOT_ALLOWED, text, identifier)
    if identifier.wildcard and not tenant.wildcards:
        raise _rejected(
            Reference.NAME_WILDCARD, f"tenant {tenant.name} has no wildcard certificates", identifier
        )
    if not fitting(identifier, tenant.challenges):
        text = f"{identifier.value} needs a challenge that tenant {tenant.name} does not offer"
        raise _rejected(Reference.NAME_WILDCARD, text, identifier)


def narrower_names(account: Account) -> Names | None:
    """Return what the EAB key of an account narrows its tenant's names to, if it does."""
    return Names(allow=account.eab_names) if account.eab_names else None


def allows(names: Names, name: str) -> bool:
    """Tell whether a lower-case name is allowed and not denied, compared label by label (IDN-08).

    A wildcard is all the names that it covers: every one must be allowed, and none denied.
    """
    labels = name.split(".")
    allowed = any(_covers(pattern.split("."), labels) for pattern in names.allow)
    return allowed and not any(_touches(pattern.split("."), labels) for pattern in names.deny)


def _covers(pattern: list[str], labels: list[str]) -> bool:
    if pattern[0] != "*":
        return labels == pattern
    suffix = pattern[1:]
    return len(labels) > len(suffix) and labels[len(labels) - len(suffix) :] == suffix


def _touches(pattern: list[str], labels: list[str]) -> bool:
    """Tell whether a pattern and a name have a host in common."""
    return _covers(pattern, labels) or (labels[0] == "*" and labels[1:] == pattern[1:])


def _check_address(tenant: Tenant, identifier: Identifier) -> None:
    ranges = tenant.names.ip_ranges
    if not ranges:
        text = f"tenant {tenant.name} has no certificates for addresses"
        raise _rejected(Reference.NAME_TYPE, text, identifier)
    address = ipaddress.ip_address(identifier.value)
    if any(address in network for network in _NEVER) or not any(address in network for network in ranges):
        text = f"{identifier.value} is not among the addresses of tenant {tenant.name}"
        raise _rejected(Reference.NAME_NOT_ALLOWED, text, identifier)


def _check_role(role: Role | None, identifier: Identifier) -> None:
    rule = role.refuses(identifier) if role else None
    if role and rule:
        text = f"{identifier.value} would not be signed: vault role {role.name} {rule}"
        raise _rejected(Reference.ROLE_NAME, text, identifier)


def _rejected(reference: Reference, text: str, identifier: Identifier) -> AcmeError:
    return AcmeError(problem(reference, text, identifier=identifier.subject))


def _about(fault: Problem, requested: RequestedIdentifier) -> Problem:
    """Name the identifier as the client wrote it, so that the client can drop it (PRB-07)."""
    return structs.replace(fault, identifier=Subject(requested.type, requested.value))


def _summary(faults: list[Problem]) -> Problem:
    """Join the faults: identifiers stand in subproblems only (PRB-05), the detail names the first ones."""
    first = faults[0]
    if len(faults) == 1:
        return structs.replace(first, identifier=None, subproblems=(first,))
    same = len({fault.type for fault in faults}) == 1
    reasons = "; ".join(fault.detail.partition(" [ref ")[0] for fault in faults[:3])
    joined = problem(Reference.NAMES_REFUSED, f"{len(faults)} identifiers are refused: {reasons}")
    return structs.replace(joined, type=first.type if same else joined.type, subproblems=tuple(faults))
