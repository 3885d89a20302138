"""Roles, one fault at a time: what is told, and that the command mends it on a real server (VLT-08)."""

import ipaddress
from datetime import timedelta
from typing import Any, Unpack

import msgspec
import pytest

from acmeproxy.adapters.vault.doctor.case import Use
from acmeproxy.adapters.vault.doctor.role import evaluate
from acmeproxy.core.tenant import Names
from acmeproxy.services.findings import Finding, Level
from tests.support.ward import Parts, Ward

PATCH = "bao patch -namespace=admin/{name} pki/roles/acme "


async def told(ward: Ward, level: Level, text: str, mend: str, **parts: Unpack[Parts]) -> None:
    """See that this is found of the role, and that nothing is any more once it was mended."""
    subject = f"tenant {ward.name}: role pki/acme"
    wanted = Finding(level, subject, text, PATCH.format(name=ward.name) + mend.format(name=ward.name))
    assert [one for one in await ward.faults(**parts) if one.subject == subject] == [wanted]
    await ward.mend(wanted.mend)
    assert await ward.faults(**parts) == []


@pytest.mark.parametrize(
    ("field", "value", "text", "mend"),
    [
        ("no_store", True, "a certificate whose answer was lost can never be found again", "no_store=false"),
        (
            "use_csr_sans",
            True,
            "it takes the names from the request and not from the order",
            "use_csr_sans=false",
        ),
        (
            "use_csr_common_name",
            True,
            "it takes a name from the request's subject",
            "use_csr_common_name=false",
        ),
        (
            "require_cn",
            True,
            "it refuses requests without a common name, which acmeproxy never sends",
            "require_cn=false",
        ),
        ("allow_any_name", True, "it signs all names", "allow_any_name=false"),
        ("allow_glob_domains", True, "it signs names by patterns", "allow_glob_domains=false"),
        (
            "allow_localhost",
            True,
            "it signs localhost, which nobody can prove to be his",
            "allow_localhost=false",
        ),
        ("enforce_hostnames", False, "it signs names that are none of a host", "enforce_hostnames=true"),
        (
            "server_flag",
            False,
            "its certificates are not for TLS servers, and would be refused",
            "server_flag=true",
        ),
        ("code_signing_flag", True, "its certificates may sign code", "code_signing_flag=false"),
        ("email_protection_flag", True, "its certificates may sign mail", "email_protection_flag=false"),
        (
            "generate_lease",
            True,
            "a certificate is revoked when the token that asked for it ends",
            "generate_lease=false",
        ),
    ],
)
async def test_a_switch_with_an_unsafe_value_fails(
    ward: Ward, field: str, value: object, text: str, mend: str
) -> None:
    await ward.change_role({field: value})
    shown = "true" if value else "false"
    await told(ward, Level.FAIL, f"{field}={shown}: {text}", mend)


@pytest.mark.parametrize(
    ("fields", "text", "mend"),
    [
        (
            {"not_after_bound": "permit"},
            "not_after_bound=permit: who may sign may exceed max_ttl",
            "not_after_bound=ttl-limited",
        ),
        (
            {"max_ttl": 0, "ttl": 0},
            "max_ttl is not set: only the mount limits how long its certificates live",
            "ttl=720h max_ttl=720h",
        ),
        (
            {"max_ttl": "480h", "ttl": "480h"},
            "max_ttl is 480h and the tenant promises 720h",
            "ttl=720h max_ttl=720h",
        ),
        (
            {"not_before_duration": "2h"},
            "not_before_duration is more than an hour: acmeproxy refuses what begins so early",
            "not_before_duration=60",
        ),
        (
            {"key_usage": ["DigitalSignature", "KeyAgreement", "KeyEncipherment"]},
            "key_usage has KeyAgreement, KeyEncipherment, which certificates of EC keys must not have",
            "key_usage=DigitalSignature",
        ),
        (
            {"key_usage": ["ContentCommitment"]},
            "key_usage lacks DigitalSignature, which TLS needs",
            "key_usage=DigitalSignature",
        ),
        (
            {"ext_key_usage": ["TimeStamping"]},
            "ext_key_usage names purposes beside TLS: acmeproxy refuses such certificates",
            "ext_key_usage= ext_key_usage_oids=",
        ),
        (
            {"key_type": "mldsa", "key_bits": 65},
            "key_type=mldsa: no ACME client has keys that it takes",
            "key_type=any key_bits=0",
        ),
        (
            {"allow_ip_sans": True},
            "allow_ip_sans=true: the tenant has no certificates for addresses",
            "allow_ip_sans=false",
        ),
        (
            {"issuer_ref": "nobody"},
            "issuer_ref=nobody: the mount has no such issuer, and signing fails",
            "issuer_ref=default",
        ),
        (
            {"allowed_domains": ["other.example"]},
            "it refuses names that the tenant lets be ordered: {name}.example, *.{name}.example",
            "allowed_domains={name}.example allow_bare_domains=true allow_subdomains=true",
        ),
        (
            {"allow_bare_domains": False},
            "it refuses names that the tenant lets be ordered: {name}.example",
            "allowed_domains={name}.example allow_bare_domains=true",
        ),
        (
            {"allow_wildcard_certificates": False},
            "allow_wildcard_certificates=false: the tenant's wildcards can never be signed",
            "allow_wildcard_certificates=true",
        ),
    ],
)
async def test_a_field_that_does_not_fit_fails(
    ward: Ward, fields: dict[str, Any], text: str, mend: str
) -> None:
    await ward.change_role(fields)
    await told(ward, Level.FAIL, text.format(name=ward.name), mend)


@pytest.mark.parametrize(
    ("fields", "text", "mend"),
    [
        (
            {"client_flag": True},
            "client_flag=true: its certificates are for TLS clients too",
            "client_flag=false",
        ),
        (
            {"not_after_bound": "forbid"},
            "not_after_bound=forbid: orders that ask for an end of their own are refused",
            "not_after_bound=ttl-limited",
        ),
        (
            {"allowed_domains": ["other.example", "{name}.example"]},
            "it signs names that the tenant does not have: other.example",
            "allowed_domains={name}.example",
        ),
    ],
)
async def test_a_field_that_is_wider_than_needed_warns(
    ward: Ward, fields: dict[str, Any], text: str, mend: str
) -> None:
    if "allowed_domains" in fields:
        fields = {"allowed_domains": [one.format(name=ward.name) for one in fields["allowed_domains"]]}
    await ward.change_role(fields)
    await told(ward, Level.WARN, text, mend)


async def test_wildcards_that_the_tenant_does_not_have_warn(ward: Ward) -> None:
    plain = msgspec.structs.replace(ward.tenant, wildcards=False)
    text = "allow_wildcard_certificates=true: the tenant has no wildcards"
    await told(ward, Level.WARN, text, "allow_wildcard_certificates=false", tenant=plain)


async def test_a_role_signs_all_names_where_the_tenant_lets_all_be_ordered(ward: Ward) -> None:
    """As `acmeproxy vault apply` makes it."""
    everything = msgspec.structs.replace(ward.tenant, names=Names(("*",)))
    await ward.change_role({"allow_any_name": True, "allowed_domains": []})
    subject = f"tenant {ward.name}: role pki/acme"
    assert [one for one in await ward.faults(tenant=everything) if one.subject == subject] == []


async def test_addresses_are_signed_within_the_tenants_ranges_only(ward: Ward) -> None:
    names = Names(ward.tenant.names.allow, (), (ipaddress.ip_network("10.1.0.0/16"),))
    addressed = msgspec.structs.replace(ward.tenant, names=names)
    mend = "allow_ip_sans=true allowed_ip_sans_cidr=10.1.0.0/16"
    text = "allow_ip_sans=false: the tenant's ip_ranges can never be signed"
    await told(ward, Level.FAIL, text, mend, tenant=addressed)
    await ward.change_role({"allowed_ip_sans_cidr": []})
    text = "allow_ip_sans=true without allowed_ip_sans_cidr: it signs all addresses"
    await told(ward, Level.FAIL, text, mend, tenant=addressed)
    await ward.change_role({"allowed_ip_sans_cidr": ["10.0.0.0/8"]})
    text = "allowed_ip_sans_cidr is not the tenant's names.ip_ranges"
    await told(ward, Level.WARN, text, mend, tenant=addressed)


async def test_keys_that_a_profile_offers_must_be_taken(ward: Ward) -> None:
    await ward.change_role({"key_type": "ec", "key_bits": 384})
    place = ward.tenant.vault
    assert await ward.faults(uses=(Use(place, timedelta(days=1), ("P-384", "P-521")),)) == []
    offered = (Use(place, timedelta(days=1), ("P-256", "P-384")),)
    text = "key_type=ec: it refuses keys that are offered: P-256"
    await told(ward, Level.FAIL, text, "key_type=ec key_bits=256", uses=offered)


async def test_keys_that_no_profile_rules_out_but_the_role_does_warn(ward: Ward) -> None:
    """A role that was written without its key fields takes RSA only, and most clients make P-256 keys."""
    await ward.change_role({"key_type": "rsa", "key_bits": 2048})
    text = "key_type=rsa: it refuses keys that no profile rules out: P-256, P-384, P-521, Ed25519"
    await told(ward, Level.WARN, text, "key_type=any key_bits=0")


async def test_a_mend_is_for_all_that_profiles_ask_of_a_role(ward: Ward) -> None:
    """Two issuers of one role: each is looked at, and the mend of one does not undo that of the other."""
    await ward.change_role({"ttl": "1h", "max_ttl": "1h"})
    place = ward.tenant.vault
    own = msgspec.structs.replace(place, issuer="default")
    uses = (Use(place, timedelta(days=20)), Use(own, timedelta(days=10)))
    subject = f"tenant {ward.name}: role pki/acme"
    found = [one for one in await ward.faults(uses=uses) if one.subject == subject]
    assert {one.mend for one in found} == {PATCH.format(name=ward.name) + "ttl=480h max_ttl=480h"}


async def test_a_profile_that_keeps_nothing_in_vault_has_a_role_that_keeps_nothing(ward: Ward) -> None:
    uses = (Use(ward.tenant.vault, timedelta(days=1), store=False),)
    text = "no_store=false: the profile says that Vault keeps nothing, and it keeps everything"
    await told(ward, Level.WARN, text, "no_store=true", uses=uses)


async def test_a_role_that_is_not_there_fails(ward: Ward) -> None:
    uses = (Use(msgspec.structs.replace(ward.tenant.vault, role="web"), timedelta(days=1)),)
    found = {one.subject: one for one in await ward.faults(uses=uses)}
    assert found[f"tenant {ward.name}: role pki/web"] == Finding(
        Level.FAIL,
        f"tenant {ward.name}: role pki/web",
        "it is not there, or neither the tenant's token nor vault.login may read it",
        "acmeproxy vault apply",
    )


async def test_fields_that_hashicorp_vault_does_not_have_are_no_fault(ward: Ward) -> None:
    """Its roles know neither a bound of not_after nor ranges of addresses (vault.md §2, §4)."""
    shown = (await ward.root("GET", "pki/roles/acme"))["data"]
    for field in ("not_after_bound", "allowed_ip_sans_cidr", "not_before", "not_before_bound"):
        shown.pop(field, None)
    names = Names(ward.tenant.names.allow, (), (ipaddress.ip_network("10.1.0.0/16"),))
    addressed = msgspec.structs.replace(ward.tenant, names=names)
    async with ward.case(tenant=addressed) as case:
        assert evaluate(case, case.uses[0], {**shown, "allow_ip_sans": True}) == []
        [found] = evaluate(case, case.uses[0], shown)
    assert found.mend == f"bao patch -namespace=admin/{ward.name} pki/roles/acme allow_ip_sans=true"
