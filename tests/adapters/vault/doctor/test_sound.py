"""What is sound passes, whoever reads."""

import json

from acmeproxy.adapters.vault.connection import AppRoleLogin, Secret
from acmeproxy.services.findings import Finding, Level
from tests.support.ward import Ward


async def test_a_sound_tenant_passes_every_check(ward: Ward) -> None:
    found = await ward.examined()
    subjects = [finding.subject.removeprefix(f"tenant {ward.name}: ") for finding in found]
    assert subjects == [
        "login",
        "policy",
        "role pki/acme",
        "issuer pki/default",
        "mount pki",
        "canary pki/sign/acme",
        "revocation pki",
    ]
    assert {finding.level for finding in found} == {Level.PASS}
    assert {finding.mend for finding in found} == {""}


async def test_nothing_is_left_behind_but_a_revoked_canary(ward: Ward) -> None:
    await ward.examined()
    serials = (await ward.root("LIST", "pki/certs"))["data"]["keys"]
    found = [(await ward.root("GET", f"pki/cert/{serial}"))["data"] for serial in serials]
    assert [one["revocation_time"] > 0 for one in found] == [True]


async def test_a_reader_that_may_only_read_sees_all_that_the_operator_sees(ward: Ward) -> None:
    """INV-14: the policy is in the namespace above, with the tenant's paths prefixed."""
    prefix = f"{ward.name}/pki"
    read = {f"{prefix}/{path}": {"capabilities": ["read"]} for path in ("roles/*", "issuer/*", "config/*")}
    policy = {"path": {**read, "sys/mounts/pki/tune": {"capabilities": ["read"]}}}
    name = f"reads-{ward.name}"
    await ward.root("POST", f"sys/policies/acl/{name}", {"policy": json.dumps(policy)}, "admin")
    made = await ward.root("POST", "auth/token/create", {"policies": [name]}, "admin")
    assert await ward.faults(reading=made["auth"]["client_token"]) == []


async def test_without_a_reader_what_cannot_be_seen_is_told_with_the_command_that_sees_it(ward: Ward) -> None:
    again = f"BAO_TOKEN=... acmeproxy doctor --tenant {ward.name}  # a token with the policy acmeproxy-reader"
    assert await ward.faults(reading=None) == [
        Finding(
            Level.WARN,
            f"tenant {ward.name}: mount pki",
            "whether it tidies its store cannot be seen with this token",
            f"{again}, which may read pki/config/auto-tidy",
        ),
        Finding(
            Level.WARN,
            f"tenant {ward.name}: revocation pki",
            "how its CRL is rebuilt cannot be seen with this token",
            f"{again}, which may read pki/config/crl",
        ),
    ]


async def test_a_reader_that_cannot_log_in_is_told_beside_what_it_does_not_see(ward: Ward) -> None:
    found = await ward.faults(reading="no-token-at-all")
    assert found[0] == Finding(
        Level.WARN,
        f"tenant {ward.name}: reader",
        "vault.login, which should read the configuration, does not work: "
        "the login did not work: Vault answered 403 'permission denied': the token is expired, revoked, "
        "used up or bound to other addresses, or may not look at itself: write a new one, "
        "or see to the agent that does",
        "bao token create -namespace=admin -policy=acmeproxy-reader",
    )
    assert [one.subject.partition(": ")[2] for one in found[1:]] == ["mount pki", "revocation pki"]


async def test_an_approle_of_the_reader_is_made_anew(ward: Ward) -> None:
    approle = AppRoleLogin("nobody", Secret("nothing"))
    found = await ward.faults(reading="no-token-at-all", reader_entrance=approle)
    assert (found[0].subject, found[0].mend) == (f"tenant {ward.name}: reader", "acmeproxy vault apply")
