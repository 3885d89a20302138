"""A tenant that says nothing more than it must allows nothing that it did not name."""

from datetime import timedelta

import msgspec
import pytest

from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace

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
