"""Profiles: the kinds of certificate that a tenant offers (draft-ietf-acme-profiles)."""

from datetime import timedelta
from typing import Final

import msgspec

from acmeproxy.core.account import Account
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Profile, Tenant, VaultPlace

KEY_KINDS: Final = ("RSA", "P-256", "P-384", "P-521", "Ed25519")


class Conditions(msgspec.Struct, frozen=True):
    """Under what a certificate is issued: where it is signed, for how long at the most, for which keys."""

    place: VaultPlace
    lifetime: timedelta
    keys: tuple[str, ...] = KEY_KINDS


def choose(tenant: Tenant, account: Account, wanted: str | None) -> str | None:
    """Return the profile of a new order: the one asked for, or the first that the account may have.

    A tenant without profiles ignores what is asked for (PRF-10).

    Raises:
        AcmeError: `invalidProfile`, naming those that may be asked for.
    """
    if not tenant.profiles:
        return None
    offered = [profile.name for profile in tenant.profiles if _may(account, profile)]
    if wanted is None and offered:
        return offered[0]
    if wanted not in offered:
        listed = ", ".join(offered) or "none"
        raise refuse(Reference.PROFILE, f"there is no such profile for this account: ask for one of {listed}")
    return wanted


def conditions(tenant: Tenant, account: Account, chosen: str | None) -> Conditions:
    """Return what holds for an order's profile now.

    Raises:
        AcmeError: `invalidProfile`, where it was withdrawn since (PRF-07).
    """
    if chosen is None:
        return Conditions(tenant.vault, tenant.lifetime)
    profile = next((p for p in tenant.profiles if p.name == chosen and _may(account, p)), None)
    if profile is None:
        raise refuse(Reference.PROFILE, f"profile {chosen} is no longer offered: place a new order")
    return Conditions(_place(tenant, profile), profile.lifetime or tenant.lifetime, profile.keys or KEY_KINDS)


def places(tenant: Tenant) -> frozenset[VaultPlace]:
    """Return every place where certificates of a tenant are signed: its own if it has no profiles."""
    return frozenset(_place(tenant, profile) for profile in tenant.profiles) or frozenset({tenant.vault})


def _place(tenant: Tenant, profile: Profile) -> VaultPlace:
    return msgspec.structs.replace(
        tenant.vault,
        role=profile.role or tenant.vault.role,
        issuer=profile.issuer or tenant.vault.issuer,
        store=profile.store,
    )


def _may(account: Account, profile: Profile) -> bool:
    """An EAB key may bind an account to some of the profiles only."""
    return not account.eab_profiles or profile.name in account.eab_profiles
