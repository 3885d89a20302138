"""CAA is heeded only by a CA that has a name, and only where a tenant says so (abuse case CAA-08, CAA-26)."""

from pathlib import Path

import pytest

from acmeproxy.core.ids import TenantName
from acmeproxy.settings import Address, load
from tests.support.settings_file import SOUND, changed, write
from tests.support.settings_refused import refused

ALLOW = 'names.allow = ["*.payments.example"]'
NAMED = '[validation]\ncaa_identities = ["CA.Example", "pki.example"]\n'
REASON = "needs validation.caa_identities: the names that mean this CA"


def test_off_is_the_default(tmp_path: Path) -> None:
    tenant = load(write(tmp_path, SOUND + NAMED)).tenant_values()[TenantName("payments")]
    assert (tenant.caa, tenant.caa_identities) == (False, ("ca.example", "pki.example"))


def test_enforced_it_needs_a_name(tmp_path: Path) -> None:
    """CAA-08: nothing starts that would have to let everybody or nobody match."""
    text = changed(ALLOW, f'{ALLOW}\ncaa = "enforce"')
    assert refused(tmp_path, text) == [f"acmeproxy.toml:12: tenants.payments.caa: {REASON}"]
    tenant = load(write(tmp_path, text + NAMED)).tenant_values()[TenantName("payments")]
    assert (tenant.caa, tenant.caa_identities) == (True, ("ca.example", "pki.example"))


def test_dns_persist_01_needs_a_name(tmp_path: Path) -> None:
    """DPE-01: a challenge offers at least one issuer."""
    text = changed(ALLOW, f'{ALLOW}\nchallenges = ["dns-persist-01"]')
    assert refused(tmp_path, text) == [f"acmeproxy.toml:12: tenants.payments.challenges: {REASON}"]
    load(write(tmp_path, text + NAMED))


def test_the_rule_is_told_once_beside_another_mistake_and_not_wrongly(tmp_path: Path) -> None:
    """CFG-04."""
    text = changed(ALLOW, f'{ALLOW}\ncaa = "enforce"') + "[validation]\nattempts = 0\n"
    assert refused(tmp_path, text) == [
        f"acmeproxy.toml:12: tenants.payments.caa: {REASON}",
        "acmeproxy.toml:15: validation.attempts: must be at least 1",
    ]
    assert refused(tmp_path, f'{text}caa_identities = ["ca.example"]\n') == [
        "acmeproxy.toml:15: validation.attempts: must be at least 1"
    ]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ('["*.ca.example"]', "caa_identities[0]"),
        ('["b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example"]', "caa_identities[0]"),
        ('["ca.example."]', "caa_identities[0]"),
        ("[1]", "caa_identities[0]"),
        ('["ca.example", "CA.example"]', "caa_identities"),
        (str([f"ca{n}.example" for n in range(11)]), "caa_identities"),
        ('"ca.example"', "caa_identities"),
    ],
)
def test_an_identity_is_a_domain_and_there_are_at_most_ten(value: str, key: str, tmp_path: Path) -> None:
    """DPE-01."""
    (mistake,) = refused(tmp_path, f"{SOUND}[validation]\ncaa_identities = {value}\n")
    assert mistake.startswith(f"acmeproxy.toml:14: validation.{key}: ")


def test_a_policy_is_one_of_two(tmp_path: Path) -> None:
    (mistake,) = refused(tmp_path, changed(ALLOW, f'{ALLOW}\ncaa = "on"'))
    assert mistake.startswith("acmeproxy.toml:12: tenants.payments.caa: must be ")


def test_a_tenant_may_have_its_own_resolver(tmp_path: Path) -> None:
    text = changed(ALLOW, f'{ALLOW}\nresolver = "10.0.0.53:5353"')
    assert load(write(tmp_path, text)).tenants["payments"].resolver == Address("10.0.0.53", 5353)
    (mistake,) = refused(tmp_path, changed(ALLOW, f'{ALLOW}\nresolver = "dns.example:53"'))
    assert mistake.startswith("acmeproxy.toml:12: tenants.payments.resolver: must be an IP address")
