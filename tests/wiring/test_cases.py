"""What is examined follows from the settings."""

from datetime import timedelta

import msgspec

from acmeproxy.adapters.vault.doctor.case import Use
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Profile, Tenant, VaultPlace
from acmeproxy.wiring.cases import uses

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PLACE = VaultPlace("pki", "web", "admin/payments")
TENANT = Tenant(TenantName("payments"), PLACE, Names(("*.payments.example",)), lifetime=30 * DAY)


def with_profiles(*profiles: Profile) -> Tenant:
    return msgspec.structs.replace(TENANT, profiles=profiles)


def test_a_tenant_without_profiles_uses_its_own_role() -> None:
    assert uses(TENANT) == (Use(PLACE, 30 * DAY),)


def test_the_tenants_own_role_is_used_though_all_its_profiles_have_theirs() -> None:
    """`acmeproxy vault apply` builds it, and orders of before there were profiles are signed with it."""
    other = msgspec.structs.replace(PLACE, role="mail")
    mail = Profile("mail", "a", role="mail", lifetime=DAY, keys=("RSA",))
    assert uses(with_profiles(mail)) == (Use(other, DAY, ("RSA",)), Use(PLACE, 30 * DAY))


def test_every_role_and_issuer_of_a_profile_is_used_once() -> None:
    other = msgspec.structs.replace(PLACE, role="mail")
    old = msgspec.structs.replace(PLACE, issuer="issuing-1")
    profiles = (
        Profile("server", "a"),
        Profile("mail", "b", role="mail", lifetime=DAY),
        Profile("old", "c", issuer="issuing-1", lifetime=HOUR),
    )
    assert uses(with_profiles(*profiles)) == (Use(PLACE, 30 * DAY), Use(other, DAY), Use(old, HOUR))


def test_of_one_role_the_most_is_asked_that_a_profile_asks() -> None:
    profiles = (
        Profile("short", "a", lifetime=HOUR, keys=("P-256",)),
        Profile("long", "b", lifetime=90 * DAY, keys=("P-384", "P-256")),
    )
    assert uses(with_profiles(*profiles)) == (Use(PLACE, 90 * DAY, ("P-256", "P-384")),)


def test_a_profile_for_all_keys_makes_the_role_one_for_all_keys() -> None:
    profiles = (Profile("short", "a", lifetime=HOUR, keys=("P-256",)), Profile("any", "b", lifetime=HOUR))
    assert uses(with_profiles(*profiles)) == (Use(PLACE, HOUR),)
