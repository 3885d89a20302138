"""A tenant: one ACME directory, its policy and its place in Vault, all from configuration."""

import ipaddress
from datetime import timedelta

import msgspec

from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.ids import TenantName


class VaultPlace(msgspec.Struct, frozen=True):
    """Where a tenant's certificates are signed: namespace, mount, role and issuer (INV-4).

    `namespace` is empty where the server has none; an empty `issuer` means the role's own.
    """

    mount: str
    role: str
    namespace: str = ""
    issuer: str = ""


class Names(msgspec.Struct, frozen=True):
    """Which names a tenant may have: `a.example` is itself, `*.a.example` all below it, `*` all names.

    An empty `allow` allows nothing; `deny` wins over `allow`.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    ip_ranges: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()


class Tenant(msgspec.Struct, frozen=True):
    """Everything that differs from one tenant to another."""

    name: TenantName
    vault: VaultPlace
    names: Names
    challenges: tuple[ChallengeType, ...] = (ChallengeType.HTTP01,)
    wildcards: bool = False
    eab_required: bool = False
    lifetime: timedelta = timedelta(days=30)
    terms_of_service: str | None = None
    website: str | None = None
