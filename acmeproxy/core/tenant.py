"""A tenant: one ACME directory, its policy and its place in Vault, all from configuration."""

import ipaddress
from datetime import timedelta

import msgspec

from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.ids import TenantName
from acmeproxy.core.limit import Allowance


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

    An empty `allow` allows nothing; `deny` wins over `allow`. A wildcard is all the names that it covers: it
    needs `*.a.example`, and one of them denied denies it.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    ip_ranges: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()


class Profile(msgspec.Struct, frozen=True):
    """A kind of certificate; what it does not say is the tenant's (draft-ietf-acme-profiles §3).

    `keys` are kinds of certificate keys: RSA, P-256, P-384, P-521, Ed25519; none means all. `store` is false
    for a role whose certificates Vault does not keep.
    """

    name: str
    description: str
    role: str = ""
    issuer: str = ""
    lifetime: timedelta | None = None
    keys: tuple[str, ...] = ()
    store: bool = True


class Tenant(msgspec.Struct, frozen=True):
    """Everything that differs from one tenant to another.

    `caa_identities` are the names by which CAA and dns-persist-01 records mean this CA, and `caa` tells
    whether CAA records are heeded. `authorization_reuse` is for how long after its validation an
    authorization serves further orders of its account; `None` means that every order proves its names
    anew.
    """

    name: TenantName
    vault: VaultPlace
    names: Names
    challenges: tuple[ChallengeType, ...] = (
        ChallengeType.HTTP01,
        ChallengeType.DNS01,
        ChallengeType.TLSALPN01,
    )
    wildcards: bool = False
    eab_required: bool = False
    lifetime: timedelta = timedelta(days=30)
    terms_of_service: str | None = None
    website: str | None = None
    profiles: tuple[Profile, ...] = ()
    authorization_reuse: timedelta | None = None
    caa: bool = False
    caa_identities: tuple[str, ...] = ()
    limits: Allowance = Allowance()
