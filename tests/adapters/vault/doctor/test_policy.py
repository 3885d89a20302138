"""Least privilege: too little and too much are both failures, one path at a time (INV-14)."""

import json
from typing import Any

import msgspec
import pytest

from acmeproxy.adapters.vault.doctor import examination
from acmeproxy.adapters.vault.doctor.case import Use
from acmeproxy.adapters.vault.producer import policies
from acmeproxy.core.tenant import VaultPlace
from acmeproxy.services.findings import Finding, Level
from tests.support.ward import Ward


async def policy(ward: Ward) -> dict[str, Any]:
    text = (await ward.root("GET", "sys/policies/acl/acmeproxy"))["data"]["policy"]
    return dict(policies.parsed(text))


async def write(ward: Ward, paths: dict[str, Any]) -> None:
    await ward.root("POST", "sys/policies/acl/acmeproxy", {"policy": json.dumps({"path": paths})})


async def of_policy(ward: Ward) -> list[Finding]:
    return [one for one in await ward.faults() if one.subject == f"tenant {ward.name}: policy"]


@pytest.mark.parametrize(
    ("path", "capabilities", "what"),
    [
        ("pki/roles/acme", ["read", "update"], "write roles (pki/roles/acme: update)"),
        ("pki/roles/*", ["delete"], "write roles (pki/roles/acmeproxy-doctor: delete)"),
        ("pki/roles/acme", ["read", "patch"], "write roles (pki/roles/acme: patch)"),
        ("pki/roles/later", ["update"], "write roles (pki/roles/later: update)"),
        ("pki/roles/team-*", ["create"], "write roles (pki/roles/team-*: create)"),
        ("pki2/roles/acme", ["update"], "write roles (pki2/roles/acme: update)"),
        ("pki/sign/team-*", ["update"], "sign for other roles (pki/sign/team-*: update)"),
        ("pki/sign/acme", ["update", "sudo"], "sign for other roles (pki/sign/acme: sudo)"),
        ("pki/acme/*", ["update"], "do other things in its mount (pki/acme/*: update)"),
        ("pki/issue/acme", ["update"], "issue with keys made by Vault (pki/issue/acme: update)"),
        (
            "pki/sign-verbatim/*",
            ["update"],
            "sign whatever a request says (pki/sign-verbatim/acme: update)",
        ),
        ("pki/sign/*", ["update"], "sign for other roles (pki/sign/acmeproxy-doctor: update)"),
        (
            "pki/issuer/+/sign/acme",
            ["update"],
            "sign for other roles (pki/issuer/acmeproxy-doctor/sign/acme: update)",
        ),
        (
            "pki/root/sign-intermediate",
            ["update"],
            "make or sign authorities (pki/root/sign-intermediate: update)",
        ),
        (
            "pki/intermediate/*",
            ["update"],
            "make or sign authorities (pki/intermediate/generate/internal: update)",
        ),
        ("pki/issuers/import/*", ["update"], "make or sign authorities (pki/issuers/import/cert: update)"),
        ("pki/root", ["delete", "sudo"], "delete the root (pki/root: delete, sudo)"),
        ("pki/issuer/default", ["read", "update"], "change issuers (pki/issuer/default: update)"),
        ("pki/config/*", ["read", "update"], "change the configuration (pki/config/ca: update)"),
        ("pki/keys/import", ["update"], "make or import keys (pki/keys/import: update)"),
        ("pki/key/*", ["delete"], "delete keys (pki/key/default: delete)"),
        ("pki/tidy", ["update"], "tidy the store (pki/tidy: update)"),
        (
            "sys/policies/acl/acmeproxy",
            ["update"],
            "write policies (sys/policies/acl/acmeproxy: update)",
        ),
        ("sys/mounts/*", ["update"], "change mounts (sys/mounts/acmeproxy-doctor: update)"),
        ("sys/auth/*", ["create", "sudo"], "change logins (sys/auth/acmeproxy-doctor: create, sudo)"),
        (
            "auth/approle/role/acmeproxy",
            ["update"],
            "change logins (auth/approle/role/acmeproxy: update)",
        ),
        ("auth/token/create", ["update"], "make tokens (auth/token/create: update)"),
        ("identity/entity", ["create"], "change identities (identity/entity: create)"),
        ("sys/namespaces/*", ["create"], "make namespaces (sys/namespaces/acmeproxy-doctor: create)"),
    ],
)
async def test_a_token_that_may_do_too_much_fails(
    ward: Ward, path: str, capabilities: list[str], what: str
) -> None:
    sound = await policy(ward)
    await write(ward, {**sound, path: {"capabilities": capabilities}})
    first = what.partition("(")[2].partition(":")[0]
    in_policy = f"policy acmeproxy in namespace admin/{ward.name}"
    read = f"bao policy read -namespace=admin/{ward.name} acmeproxy"
    assert await of_policy(ward) == [
        Finding(
            Level.FAIL,
            f"tenant {ward.name}: policy",
            f"its token may do too much: {what}",
            f"acmeproxy vault apply  # or remove what grants {first} from {in_policy}: {read}",
        )
    ]
    await ward.mend(read)
    await write(ward, sound)
    assert await ward.faults() == []


async def test_everything_that_is_too_much_is_one_finding(ward: Ward) -> None:
    sound = await policy(ward)
    await write(
        ward, {**sound, "*": {"capabilities": ["create", "read", "update", "delete", "list", "sudo"]}}
    )
    [found] = await of_policy(ward)
    assert found.level is Level.FAIL
    assert found.text.startswith("its token may do too much: write roles (")
    assert found.text.endswith("; and 13 more")


@pytest.mark.parametrize(
    ("path", "lacking"),
    [
        ("pki/sign/acme", "update pki/sign/acme"),
        ("pki/revoke", "update pki/revoke"),
        ("pki/roles/acme", "read pki/roles/acme"),
        ("pki/issuer/default", "read pki/issuer/default"),
        ("pki/issuers", "list pki/issuers"),
        ("pki/certs", "list pki/certs"),
        ("pki/certs/detailed", "list pki/certs/detailed"),
        ("pki/cert/*", "read pki/cert/acmeproxy-doctor"),
    ],
)
async def test_a_token_that_may_do_too_little_fails(ward: Ward, path: str, lacking: str) -> None:
    sound = await policy(ward)
    await write(ward, {name: rules for name, rules in sound.items() if name != path})
    assert await of_policy(ward) == [
        Finding(
            Level.FAIL,
            f"tenant {ward.name}: policy",
            f"its token lacks what acmeproxy needs: {lacking}",
            f"acmeproxy vault apply  # writes policy acmeproxy in namespace admin/{ward.name}",
        )
    ]
    await write(ward, sound)
    assert await ward.faults() == []


async def test_a_profile_with_an_issuer_of_its_own_needs_that_way_to_sign_and_no_other(ward: Ward) -> None:
    place = msgspec.structs.replace(ward.tenant.vault, issuer="default")
    uses = (Use(place, ward.tenant.lifetime),)
    [found] = [one for one in await ward.faults(uses=uses) if one.subject == f"tenant {ward.name}: policy"]
    assert found.text == "its token lacks what acmeproxy needs: update pki/issuer/default/sign/acme"
    sound = await policy(ward)
    await write(ward, {**sound, "pki/issuer/default/sign/acme": sound["pki/sign/acme"]})
    assert await ward.faults(uses=uses) == []


async def test_other_roles_of_the_mount_are_nobodys(ward: Ward) -> None:
    await ward.change_role({}, role="web")
    sound = await policy(ward)
    await write(ward, {**sound, "pki/sign/web": {"capabilities": ["update"]}})
    [found] = await of_policy(ward)
    assert found.text == "its token may do too much: sign for other roles (pki/sign/web: update)"


async def test_the_tenants_own_role_is_no_other_though_all_its_profiles_have_theirs(ward: Ward) -> None:
    """`acmeproxy vault apply` lets it sign, for orders of before there were profiles."""
    await ward.change_role({}, role="web")
    sound = await policy(ward)
    more = {"pki/sign/web": sound["pki/sign/acme"], "pki/roles/web": {"capabilities": ["read"]}}
    await write(ward, {**sound, **more})
    uses = (Use(msgspec.structs.replace(ward.tenant.vault, role="web"), ward.tenant.lifetime),)
    assert await ward.faults(uses=uses) == []


async def test_other_roles_of_the_mount_are_written_by_nobody(ward: Ward) -> None:
    """What a plus sign stands for is listed nowhere, and is asked of each role that is there."""
    await ward.change_role({}, role="web")
    sound = await policy(ward)
    await write(ward, {**sound, "+/roles/web": {"capabilities": ["update"]}})
    [found] = await of_policy(ward)
    assert found.text == "its token may do too much: write roles (pki/roles/web: update)"


async def test_what_an_entity_adds_is_read_where_it_is(ward: Ward) -> None:
    await ward.root(
        "POST", "sys/policies/acl/more", {"policy": 'path "pki/roles/*" {\n capabilities = ["update"]\n}'}
    )
    [alias] = (await ward.root("LIST", "identity/entity/id"))["data"]["keys"]
    await ward.root("POST", f"identity/entity/id/{alias}", {"policies": ["more"]})
    [found] = await of_policy(ward)
    assert found.mend.endswith(f": bao policy read -namespace=admin/{ward.name} more")


async def test_other_tenants_within_reach_are_nobodys(ward: Ward) -> None:
    strangers = (VaultPlace("pki-b", "web", ward.namespace), VaultPlace("pki", "web", "admin/elsewhere"))
    assert await ward.faults(strangers=strangers) == []
    sound = await policy(ward)
    await write(ward, {**sound, "pki-b/sign/web": {"capabilities": ["update"]}})
    [found] = await ward.faults(strangers=strangers)
    assert found.text == "its token may do too much: sign for other tenants (pki-b/sign/web: update)"


@pytest.mark.parametrize("reading", ["", None])
async def test_who_logs_in_for_two_tenants_of_a_mount_signs_for_both(ward: Ward, reading: str | None) -> None:
    """As `acmeproxy vault apply` makes it; that they share a login is warned of elsewhere."""
    await ward.change_role({}, role="web")
    sound = await policy(ward)
    await write(ward, {**sound, "pki/sign/web": {"capabilities": ["update"]}})
    fellow = msgspec.structs.replace(ward.tenant.vault, role="web")
    found = await ward.faults(fellows=(fellow,), reading=reading)
    assert [one for one in found if one.level is Level.FAIL] == []
    await write(ward, {**sound, "+/roles/web": {"capabilities": ["update"]}})
    [told] = [one for one in await ward.faults(fellows=(fellow,)) if one.level is Level.FAIL]
    assert told.text == "its token may do too much: write roles (pki/roles/web: update)"


async def test_a_mount_that_two_tenants_share_is_warned_of(ward: Ward) -> None:
    """VLT-16."""
    [found] = await ward.faults(strangers=(VaultPlace("pki", "web", ward.namespace),))
    assert found == Finding(
        Level.WARN,
        f"tenant {ward.name}: policy",
        "another tenant has the same mount, and a revocation right is mount-wide",
        f"set tenants.{ward.name}.vault.mount to one of its own",
    )


async def test_a_login_that_two_tenants_share_is_warned_of(ward: Ward) -> None:
    async with ward.case() as case:
        found = await examination.examine(case, ("beta", "gamma"), lambda _: None)
    assert [one for one in found if one.level is not Level.PASS] == [
        Finding(
            Level.WARN,
            f"tenant {ward.name}: login",
            "beta, gamma log in with the same: who steals one token signs for all of them",
            f"set tenants.{ward.name}.vault.login to an AppRole of its own",
        )
    ]


async def test_a_token_that_cannot_be_asked_what_it_may_is_warned_of(ward: Ward) -> None:
    await ward.root("POST", "auth/approle/role/acmeproxy", {"token_no_default_policy": True})
    sound = await policy(ward)
    await write(ward, {**sound, "auth/token/lookup-self": {"capabilities": ["read"]}})
    [found] = await of_policy(ward)
    assert found.text == "what its token may do cannot be asked: it lacks the policy default"
    assert found.level is Level.WARN
