"""`[tenants.NAME]`: names (CFG-05), places in Vault (TEN-02), and the tenant that the use cases see."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.settings import load
from tests.support.settings_file import SOUND, changed, write
from tests.support.settings_refused import refused

ALLOW = 'names.allow = ["*.payments.example"]'
ROLE = 'vault.role = "web"'
PAYMENTS = TenantName("payments")


def test_a_tenant_as_the_use_cases_know_it(tmp_path: Path) -> None:
    text = """\
names.allow = ["A.Payments.example", "*.payments.example"]
names.deny = ["*"]
names.ip_ranges = ["10.0.0.0/8", "fd00::/8"]
wildcards = true
eab_required = true
lifetime = "12h"
terms_of_service = "https://acme.example/terms?v=2#top"
website = "http://wiki.example"
"""
    vault = 'vault = { namespace = "pay/ments", mount = "pki/int", role = "web", issuer = "int-2026" }'
    environ = {"VAULT_NAMESPACE": "corp/"}
    tenants = load(write(tmp_path, changed(ALLOW, text).replace(ROLE, vault)), environ).tenant_values()

    assert tenants == {
        PAYMENTS: Tenant(
            name=PAYMENTS,
            vault=VaultPlace(mount="pki/int", role="web", namespace="corp/pay/ments", issuer="int-2026"),
            names=Names(
                allow=("a.payments.example", "*.payments.example"),
                deny=("*",),
                ip_ranges=(IPv4Network("10.0.0.0/8"), IPv6Network("fd00::/8")),
            ),
            challenges=(ChallengeType.HTTP01, ChallengeType.DNS01, ChallengeType.TLSALPN01),
            wildcards=True,
            eab_required=True,
            lifetime=timedelta(hours=12),
            terms_of_service="https://acme.example/terms?v=2#top",
            website="http://wiki.example",
        )
    }


def test_nothing_allowed_is_what_nothing_says(tmp_path: Path) -> None:
    """CFG-05: no list and an empty list allow nothing; all names must be written as `*`."""
    for nothing in ("", "names.allow = []", "names = {}"):
        tenant = load(write(tmp_path, changed(ALLOW, nothing))).tenant_values()[PAYMENTS]
        assert tenant.names == Names(allow=(), deny=(), ip_ranges=())
    tenant = load(write(tmp_path, changed(ALLOW, 'names.allow = ["*"]'))).tenant_values()[PAYMENTS]
    assert tenant.names.allow == ("*",)


@pytest.mark.parametrize(
    "pattern",
    ["", " ", ".", "*.", "**", "*.*.a.example", "a.*.example", ".a.example", "a.example.", "a_b.example"],
)
def test_a_pattern_is_a_name_or_stands_for_names(pattern: str, tmp_path: Path) -> None:
    """IDN-08: an empty text would match what nobody meant."""
    (mistake,) = refused(tmp_path, changed(ALLOW, f'names.allow = ["ok.example", "{pattern}"]'))
    assert mistake.startswith("acmeproxy.toml:11: tenants.payments.names.allow[1]: ")


@pytest.mark.parametrize("name", ["Payments", "pay_ments", "a/b", "..", "", "x" * 64, "bücher"])
def test_a_tenants_name_can_stand_in_a_url(name: str, tmp_path: Path) -> None:
    """TEN-02."""
    mistakes = refused(tmp_path, f'{SOUND}[tenants."{name}"]\nvault.role = "x"\n')
    assert len(mistakes) == 1
    assert "a tenant's name is 1 to 63 lower-case letters, digits and hyphens" in mistakes[0]


@pytest.mark.parametrize("key", ["mount", "role", "namespace", "issuer"])
@pytest.mark.parametrize(
    "value",
    [
        "../sign/admin",
        "a/../b",
        "a..b",
        ".",
        "..",
        "%2e%2e",
        "/a",
        "a//b",
        "a?b",
        "a#b",
        "-a",
        "a-",
        "ä",
        " a",
        "a\\n",
    ],
)
def test_a_vault_name_leads_nowhere_else(key: str, value: str, tmp_path: Path) -> None:
    """TEN-02, K03."""
    vault = f'vault = {{ role = "web", {key} = "{value}" }}' if key != "role" else f'vault.role = "{value}"'
    (mistake,) = refused(tmp_path, changed(ROLE, vault))
    assert mistake.startswith(f"acmeproxy.toml:12: tenants.payments.vault.{key}: must be letters, digits")


@pytest.mark.parametrize("key", ["role", "issuer"])
def test_a_role_is_one_segment(key: str, tmp_path: Path) -> None:
    vault = f'vault = {{ role = "web", {key} = "a/b" }}' if key != "role" else 'vault.role = "a/b"'
    assert len(refused(tmp_path, changed(ROLE, vault))) == 1


def test_a_tenant_needs_a_role(tmp_path: Path) -> None:
    assert refused(tmp_path, changed(ROLE, "")) == [
        "acmeproxy.toml:10: tenants.payments.vault.role: is required"
    ]
    assert refused(tmp_path, changed(ROLE, 'vault.role = ""')) == [
        "acmeproxy.toml:12: tenants.payments.vault.role: must not be empty"
    ]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("challenges = []", "challenges"),
        ('challenges = ["http-01", "http-01"]', "challenges"),
        ('challenges = ["http-1"]', "challenges[0]"),
        ("lifetime = 0", "lifetime"),
        ("lifetime = -5", "lifetime"),
        ('lifetime = "30"', "lifetime"),
        ("lifetime = true", "lifetime"),
        ('names.ip_ranges = ["10.0.0.1/8"]', "names.ip_ranges[0]"),
        ("names.ip_ranges = [10]", "names.ip_ranges[0]"),
        ('website = "javascript:alert(1)"', "website"),
        ('terms_of_service = "/terms"', "terms_of_service"),
        ("eab_required = 1", "eab_required"),
        ('wildcards = "true"', "wildcards"),
        ('names.deny = "a.example"', "names.deny"),
    ],
)
def test_other_values_are_refused_at_their_key(line: str, key: str, tmp_path: Path) -> None:
    """CFG-04: wrong types too."""
    (mistake,) = refused(tmp_path, changed(ALLOW, line))
    assert mistake.startswith(f"acmeproxy.toml:11: tenants.payments.{key}: must ")
