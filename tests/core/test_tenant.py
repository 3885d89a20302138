"""A tenant that says nothing more than it must allows nothing that it did not name."""

from datetime import timedelta

import msgspec
import pytest

from acmeproxy.core.ids import TenantName
from acmeproxy.core.profile import places
from acmeproxy.core.tenant import Names, Profile, Tenant, VaultPlace

TENANT = Tenant(TenantName("web"), VaultPlace(mount="pki", role="web"), Names())


def test_a_bare_tenant_allows_no_name_no_address_and_no_wildcard() -> None:
    assert TENANT.names == Names(allow=(), deny=(), ip_ranges=())
    assert not TENANT.wildcards


def test_a_bare_tenant_asks_for_a_month_in_the_roles_own_issuer() -> None:
    assert TENANT.lifetime == timedelta(days=30)
    assert (TENANT.vault.namespace, TENANT.vault.issuer) == ("", "")


def test_a_bare_tenant_proves_every_name_anew() -> None:
    """NOR-10: reuse is for those who ask for it."""
    assert TENANT.authorization_reuse is None


def test_a_tenant_is_not_changed() -> None:
    with pytest.raises(AttributeError):
        TENANT.names.allow = ("*",)  # type: ignore[misc]  # what is tested
    assert msgspec.structs.replace(TENANT, wildcards=True) is not TENANT


def test_a_bare_tenant_signs_in_store_mode_and_has_no_tags() -> None:
    assert TENANT.vault.store
    assert TENANT.tags == {}


def test_a_tenant_signs_at_its_own_place_or_at_those_of_its_profiles() -> None:
    """PRF-09: what a profile does not say is the tenant's, but for the store, which is its role's."""
    short = Profile("short", "", role="short", issuer="issuing-1", store=False)
    both = msgspec.structs.replace(TENANT, profiles=(Profile("usual", ""), short))
    assert places(TENANT) == {VaultPlace("pki", "web")}
    assert places(both) == {
        VaultPlace("pki", "web"),
        VaultPlace("pki", "short", "", "issuing-1", store=False),
    }
