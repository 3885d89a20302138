"""The issuing authority, one fault at a time."""

import ipaddress
from datetime import datetime, timedelta
from typing import Any, Unpack

import msgspec
import pytest

from acmeproxy.adapters.clock import utc_now
from acmeproxy.core.tenant import Names
from acmeproxy.services.findings import Finding, Level
from tests.support.certificate_authority import CertificateAuthority
from tests.support.ward import Parts, Ward


def wanted(ward: Ward, level: Level, text: str, mend: str) -> Finding:
    return Finding(level, f"tenant {ward.name}: issuer pki/default", text, mend)


def rotated(ward: Ward, level: Level, text: str) -> Finding:
    return wanted(ward, level, text, f"acmeproxy vault rotate {ward.name}")


async def of_issuer(ward: Ward, **parts: Unpack[Parts]) -> list[Finding]:
    subject = f"tenant {ward.name}: issuer pki/default"
    return [one for one in await ward.faults(**parts) if one.subject == subject]


async def issued_anew(ward: Ward, *, alone: bool = False, **wish: Any) -> str:  # noqa: ANN401 - Vault's fields
    """Give the tenant another issuing CA as its default, with its parents or alone; return its id."""
    made = await ward.root("POST", "pki/intermediate/generate/internal", {"common_name": "another CA"})
    asked = {
        "csr": made["data"]["csr"],
        "common_name": "another CA",
        "ttl": "26280h",
        "max_path_length": 0,
        "permitted_dns_domains": f"{ward.name}.example",
        **wish,
    }
    signed = await ward.root("POST", "pki/root/sign-intermediate", asked, "admin")
    if alone:
        for issuer in (await ward.root("LIST", "pki/issuers"))["data"]["keys"]:
            await ward.root("DELETE", f"pki/issuer/{issuer}")
    pems = [signed["data"]["certificate"]] if alone else signed["data"]["ca_chain"]
    imported = await ward.root("POST", "pki/intermediate/set-signed", {"certificate": "\n".join(pems)})
    [issuer] = [issuer for issuer, key in imported["data"]["mapping"].items() if key]
    await ward.root("POST", "pki/config/issuers", {"default": issuer})
    return str(issuer)


async def test_an_issuing_ca_imported_without_its_parents_fails(ward: Ward) -> None:
    await issued_anew(ward, alone=True)
    told = wanted(
        ward,
        Level.FAIL,
        "imported without its parents: nothing leads from CN=another CA to a root",
        "bao read -namespace=admin -field=ca_chain pki/cert/ca_chain | "
        f"bao write -namespace=admin/{ward.name} pki/issuers/import/cert pem_bundle=-",
    )
    found = await ward.faults()
    assert told in found
    canary = next(one for one in found if one.subject == f"tenant {ward.name}: canary pki/sign/acme")
    assert canary.text.startswith("acmeproxy would not deliver what was signed: it does not lead to")
    assert canary.level is Level.FAIL
    await ward.mend(told.mend)
    assert await ward.faults() == []


async def test_a_chain_that_was_cut_by_hand_fails(ward: Ward) -> None:
    """The parents are there, and importing them again would change nothing."""
    await ward.root("PATCH", "pki/issuer/default", {"manual_chain": ["self"]})
    issuer = (await ward.root("GET", "pki/issuer/default"))["data"]["issuer_id"]
    name = f"CN=acmeproxy development {ward.name} CA"
    told = wanted(
        ward,
        Level.FAIL,
        f"its manual_chain ends too early: nothing leads from {name} to a root",
        f"bao patch -namespace=admin/{ward.name} pki/issuer/{issuer} manual_chain= && "
        "bao read -namespace=admin -field=ca_chain pki/cert/ca_chain | "
        f"bao write -namespace=admin/{ward.name} pki/issuers/import/cert pem_bundle=-",
    )
    assert await of_issuer(ward) == [told]
    await ward.mend(told.mend)
    assert await ward.faults() == []


async def test_parents_that_are_nowhere_to_be_read_are_to_be_brought(ward: Ward) -> None:
    await issued_anew(ward, alone=True)
    elsewhere = msgspec.structs.replace(ward.tenant.vault, mount="elsewhere", namespace="admin")
    [found] = await of_issuer(ward, signing=elsewhere)
    assert found.mend == (
        f"bao write -namespace=admin/{ward.name} pki/issuers/import/cert pem_bundle=- < parents.pem"
        "  # the certificates above CN=another CA, up to the root"
    )


async def test_an_authority_below_a_root_that_is_not_ours_fails(ward: Ward) -> None:
    other = CertificateAuthority.unlike(utc_now).root_der
    text = "it leads to CN=acmeproxy development root, which is none of vault.roots"
    told = wanted(ward, Level.FAIL, text, "write its root to the file that vault.roots names")
    assert await of_issuer(ward, anchors=(other,)) == [told]


async def test_without_roots_of_ours_the_chain_must_still_end_at_one(ward: Ward) -> None:
    assert await ward.faults(anchors=()) == []
    await issued_anew(ward, alone=True)
    [found] = await of_issuer(ward, anchors=())
    assert found.text == "imported without its parents: nothing leads from CN=another CA to a root"


async def test_an_authority_that_could_sign_authorities_warns(ward: Ward) -> None:
    await issued_anew(ward, max_path_length=1)
    text = "its path length is not 0: it could sign further authorities"
    assert await ward.faults() == [rotated(ward, Level.WARN, text)]


async def test_the_authority_that_the_role_names_is_looked_at(ward: Ward) -> None:
    """And not the default, which may be another: after a rotation both are there."""
    before = (await ward.root("GET", "pki/config/issuers"))["data"]["default"]
    other = await issued_anew(ward, max_path_length=1)
    await ward.change_role({"issuer_ref": before})
    assert await ward.faults() == []
    await ward.change_role({"issuer_ref": other})
    await ward.root("POST", "pki/config/issuers", {"default": before})
    [found] = await ward.faults()
    assert found.subject == f"tenant {ward.name}: issuer pki/{other}"
    assert found.text == "its path length is not 0: it could sign further authorities"


async def test_an_authority_without_name_constraints_warns(ward: Ward) -> None:
    await issued_anew(ward, permitted_dns_domains="")
    text = "it has no name constraints: only the role limits what it signs"
    assert await ward.faults() == [rotated(ward, Level.WARN, text)]


@pytest.mark.parametrize(
    ("names", "mend"),
    [
        (Names(("*",)), "set tenants.{name}.names.allow to its domains, then acmeproxy vault apply"),
        (Names(ip_ranges=(ipaddress.ip_network("10.1.0.0/16"),)), ""),
    ],
)
async def test_to_rotate_is_no_mend_where_the_next_authority_would_have_none_either(
    ward: Ward, names: Names, mend: str
) -> None:
    await issued_anew(ward, permitted_dns_domains="")
    tenant = msgspec.structs.replace(ward.tenant, names=names)
    text = "it has no name constraints: only the role limits what it signs"
    told = wanted(ward, Level.WARN, text, mend.format(name=ward.name))
    assert await of_issuer(ward, tenant=tenant) == [told]


async def test_name_constraints_that_leave_out_a_tenants_names_fail(ward: Ward) -> None:
    await issued_anew(ward, permitted_dns_domains="other.example")
    name = f"{ward.name}.example"
    text = f"its name constraints leave out names that the tenant lets be ordered: {name}, *.{name}"
    assert await of_issuer(ward) == [rotated(ward, Level.FAIL, text)]


async def test_an_authority_that_ends_before_what_it_signs_fails(ward: Ward) -> None:
    await issued_anew(ward, ttl="700h")
    end = utc_now() + timedelta(hours=700)
    text = f"CN=another CA ends on {end:%Y-%m-%d}, before a certificate of now would"
    assert await of_issuer(ward) == [rotated(ward, Level.FAIL, text)]


async def test_an_authority_that_ends_soon_warns(ward: Ward) -> None:
    await issued_anew(ward, ttl="2000h")
    end = utc_now() + timedelta(hours=2000)
    assert await ward.faults() == [
        rotated(ward, Level.WARN, f"CN=another CA ends on {end:%Y-%m-%d}: a new one is due")
    ]


async def test_a_parent_that_ends_first_counts_too(ward: Ward) -> None:
    def much_later() -> datetime:
        return utc_now() + timedelta(days=2190 - 10)

    await issued_anew(ward, ttl="52500h")
    found = await of_issuer(ward, clock=much_later)
    assert [(one.level, one.text.partition(" ends on ")[0]) for one in found] == [
        (Level.FAIL, "CN=another CA")
    ]


async def test_certificates_that_may_outlive_it_fail(ward: Ward) -> None:
    await ward.root("POST", "pki/issuer/default", {"leaf_not_after_behavior": "permit"})
    told = wanted(
        ward,
        Level.FAIL,
        "leaf_not_after_behavior=permit: certificates may outlive it",
        f"bao patch -namespace=admin/{ward.name} pki/issuer/default leaf_not_after_behavior=truncate",
    )
    assert await ward.faults() == [told]
    await ward.mend(told.mend)
    assert await ward.faults() == []


async def test_an_authority_that_may_not_sign_crls_fails(ward: Ward) -> None:
    await ward.root("POST", "pki/issuer/default", {"usage": "read-only,issuing-certificates"})
    told = wanted(
        ward,
        Level.FAIL,
        "usage lacks crl-signing, ocsp-signing",
        f"bao patch -namespace=admin/{ward.name} pki/issuer/default"
        " usage=read-only,issuing-certificates,crl-signing,ocsp-signing",
    )
    assert told in await ward.faults()
    await ward.mend(told.mend)
    assert await ward.faults() == []


async def test_a_revoked_authority_fails(ward: Ward) -> None:
    await ward.root("POST", "pki/issuer/default/revoke", {})
    text = "it is revoked, and so is everything that it signed"
    assert rotated(ward, Level.FAIL, text) in await ward.faults()


async def test_a_mount_without_an_issuer_fails(ward: Ward) -> None:
    default = (await ward.root("GET", "pki/issuer/default"))["data"]["issuer_id"]
    await ward.root("DELETE", f"pki/issuer/{default}")
    found = await of_issuer(ward)
    assert found == [
        wanted(ward, Level.FAIL, "the mount has no such issuer (Vault answered 500)", "acmeproxy vault apply")
    ]


@pytest.mark.parametrize("network", ["10.0.0.0/8", "2001:db8::/32"])
async def test_addresses_need_no_constraint_where_there_is_none_of_their_kind(
    ward: Ward, network: str
) -> None:
    names = Names(ward.tenant.names.allow, (), (ipaddress.ip_network(network),))
    tenant = msgspec.structs.replace(ward.tenant, names=names)
    assert await of_issuer(ward, tenant=tenant) == []
