"""The roles of a tenant: what Vault itself holds every request against, whoever sends it (INV-14)."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any, Final

import msgspec

from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.core.profile import KEY_KINDS
from acmeproxy.core.tenant import Profile, Tenant

#: Fields that only some servers know: OpenBao the first two, Vault Enterprise the last.
OPTIONAL: Final = frozenset({"not_after_bound", "allowed_ip_sans_cidr", "no_store_metadata"})
_BITS: Final = {"P-256": 256, "P-384": 384, "P-521": 521}


class Use(msgspec.Struct, frozen=True):
    """What a tenant uses a role for."""

    role: str
    issuer: str
    lifetime: timedelta
    keys: tuple[str, ...]
    store: bool


def uses(tenant: Tenant) -> Iterator[Use]:
    """Return what each profile asks of Vault; of a role that no profile uses, what the tenant does."""
    place = tenant.vault
    own = Use(place.role, place.issuer, tenant.lifetime, KEY_KINDS, store=True)
    found = [_use(tenant, profile) for profile in tenant.profiles]
    yield from found if any(use.role == place.role for use in found) else (own, *found)


def roles(tenant: Tenant) -> Mapping[str, Mapping[str, Any]]:
    """Return the fields of each of a tenant's roles. Everything that has an unsafe default is said.

    Raises:
        ProducerError: Profiles want contrary things of one role.
    """
    by_role: dict[str, list[Use]] = {}
    for use in uses(tenant):
        by_role.setdefault(use.role, []).append(use)
    return {role: _role(tenant, role, wanted) for role, wanted in by_role.items()}


def key_fields(kinds: AbstractSet[str]) -> Mapping[str, Any]:
    """Narrow the key as far as a role can: to one type, and to a shortest length of it."""
    if kinds == {"RSA"}:
        return {"key_type": "rsa", "key_bits": 2048}
    if kinds == {"Ed25519"}:
        return {"key_type": "ed25519", "key_bits": 0}
    if kinds <= _BITS.keys():
        return {"key_type": "ec", "key_bits": min(_BITS[kind] for kind in kinds)}
    return {"key_type": "any", "key_bits": 0}


def _use(tenant: Tenant, profile: Profile) -> Use:
    return Use(
        profile.role or tenant.vault.role,
        profile.issuer or tenant.vault.issuer,
        profile.lifetime or tenant.lifetime,
        profile.keys or KEY_KINDS,
        profile.store,
    )


def _role(tenant: Tenant, role: str, wanted: list[Use]) -> Mapping[str, Any]:
    stores = {use.store for use in wanted}
    if len(stores) > 1:
        raise ProducerError(
            f"tenant {tenant.name} has profiles with store = true and with store = false at the role {role}:"
            " give one of them a role of its own"
        )
    issuers = {use.issuer or "default" for use in wanted}
    names = tenant.names
    below = [pattern for pattern in names.allow if pattern.startswith("*.")]
    exact = [pattern for pattern in names.allow if not pattern.startswith("*")]
    seconds = int(max(use.lifetime for use in wanted).total_seconds())
    return {
        # Where profiles want several, each asks for its own in the path of the request.
        "issuer_ref": issuers.pop() if len(issuers) == 1 else "default",
        "allowed_domains": sorted({pattern.removeprefix("*.") for pattern in (*below, *exact)}),
        "allow_bare_domains": bool(exact),
        "allow_subdomains": bool(below),
        "allow_wildcard_certificates": tenant.wildcards,
        "allow_glob_domains": False,
        "allow_any_name": "*" in names.allow,
        "allow_localhost": False,
        "allow_ip_sans": bool(names.ip_ranges),
        "allowed_ip_sans_cidr": [str(network) for network in names.ip_ranges],
        "enforce_hostnames": True,
        "use_csr_sans": False,
        "use_csr_common_name": False,
        "require_cn": False,
        **key_fields({kind for use in wanted for kind in use.keys}),
        "key_usage": ["DigitalSignature"],
        "ext_key_usage": [],
        "server_flag": True,
        "client_flag": False,
        "code_signing_flag": False,
        "email_protection_flag": False,
        "ttl": seconds,
        "max_ttl": seconds,
        "not_after_bound": "ttl-limited",
        "not_before_duration": 60,
        "no_store": stores == {False},
        # Otherwise whoever sends metadata is refused.
        "no_store_metadata": False,
        "generate_lease": False,
    }
