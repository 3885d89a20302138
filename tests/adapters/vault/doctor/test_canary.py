"""The canary: signed as everything is, told of, and revoked whatever is wrong with it."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
import requests
from cryptography import x509

from acmeproxy.adapters.vault.doctor import examination
from acmeproxy.adapters.vault.doctor.case import Use
from acmeproxy.core.tenant import Names
from acmeproxy.services.findings import Finding, Level
from tests.support.certificates import lasts
from tests.support.cutting_proxy import Cut, cutting_proxy
from tests.support.eventually import eventually
from tests.support.ward import Ward

_FOR_EVER = 3600


async def stored(ward: Ward) -> list[tuple[list[str], bool]]:
    """Return the names of every certificate in the store, and whether it is revoked."""
    found = []
    for serial in (await ward.root("LIST", "pki/certs"))["data"]["keys"]:
        entry = (await ward.root("GET", f"pki/cert/{serial}"))["data"]
        certificate = x509.load_pem_x509_certificate(entry["certificate"].encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found.append((names.get_values_for_type(x509.DNSName), entry["revocation_time"] > 0))
    return found


async def has_signed(ward: Ward) -> bool:
    """Tell whether there is a certificate in the store; of an empty one there is no list."""
    answer = await asyncio.to_thread(
        requests.request,
        "LIST",
        f"{ward.server.address}/v1/{ward.namespace}/pki/certs",
        headers={"X-Vault-Token": ward.server.root_token},
        timeout=10,
    )
    return answer.ok


async def of_canary(ward: Ward, *uses: Use) -> list[Finding]:
    found = await ward.faults(uses=uses) if uses else await ward.faults()
    return [one for one in found if one.subject == f"tenant {ward.name}: canary pki/sign/acme"]


async def test_its_name_is_nobodys_and_it_lasts_five_minutes(ward: Ward) -> None:
    await ward.examined()
    assert await stored(ward) == [([f"acmeproxy-doctor.{ward.name}.example"], True)]
    [serial] = (await ward.root("LIST", "pki/certs"))["data"]["keys"]
    entry = (await ward.root("GET", f"pki/cert/{serial}"))["data"]
    certificate = x509.load_pem_x509_certificate(entry["certificate"].encode())
    # The role dates it back by a minute.
    assert lasts(certificate, timedelta(minutes=6))


async def test_one_that_acmeproxy_would_not_deliver_is_told_of_and_revoked(ward: Ward) -> None:
    await ward.change_role({"server_flag": False, "code_signing_flag": True})
    [found] = await of_canary(ward)
    text = "acmeproxy would not deliver what was signed: it is not for TLS servers only"
    assert found == Finding(Level.FAIL, found.subject, text, "acmeproxy vault plan")
    assert [revoked for _, revoked in await stored(ward)] == [True]


async def test_key_usage_that_is_none_for_its_key_fails(ward: Ward) -> None:
    """OpenBao's default role gives it to every certificate (ecosystem.md 1.2)."""
    await ward.change_role({"key_usage": ["DigitalSignature", "KeyAgreement", "KeyEncipherment"]})
    mend = f"bao patch -namespace=admin/{ward.name} pki/roles/acme key_usage=DigitalSignature"
    [found] = await of_canary(ward)
    assert found == Finding(Level.FAIL, found.subject, "its key usage is none for this kind of key", mend)
    await ward.mend(found.mend)
    assert await ward.faults() == []


async def test_what_vault_warned_of_is_told(ward: Ward) -> None:
    """A lifetime that is cut off is told in a warning and nowhere else (vault.md §1)."""
    await ward.change_role({"max_ttl": "120s", "ttl": "60s"})
    [found] = await of_canary(ward)
    assert found.level is Level.WARN
    assert found.text.startswith('Vault warned: TTL "5m0s" is longer than permitted maxTTL "2m0s"')


@pytest.mark.parametrize(
    ("key_type", "bits"), [("ec", 384), ("ec", 521), ("rsa", 2048), ("rsa", 3072), ("ed25519", 0)]
)
async def test_its_key_is_one_that_the_role_takes(ward: Ward, key_type: str, bits: int) -> None:
    await ward.change_role({"key_type": key_type, "key_bits": bits})
    assert await of_canary(ward) == []
    assert [revoked for _, revoked in await stored(ward)] == [True]


async def test_every_role_has_a_canary_of_its_own(ward: Ward) -> None:
    await ward.change_role({}, role="web")
    policy = (await ward.root("GET", "sys/policies/acl/acmeproxy"))["data"]["policy"]
    both = f'{policy}\npath "pki/sign/web" {{ capabilities = ["update"] }}\n'
    await ward.root("POST", "sys/policies/acl/acmeproxy", {"policy": both})
    place = ward.tenant.vault
    web = msgspec.structs.replace(place, role="web")
    found = await ward.examined(uses=(Use(place, timedelta(days=1)), Use(web, timedelta(days=1))))
    subjects = [one.subject for one in found if one.level is Level.PASS and "canary" in one.subject]
    assert subjects == [
        f"tenant {ward.name}: canary pki/sign/acme",
        f"tenant {ward.name}: canary pki/sign/web",
    ]


async def test_a_role_that_keeps_nothing_has_its_canary_revoked_too(ward: Ward) -> None:
    await ward.change_role({"no_store": True})
    assert await ward.faults(uses=(Use(ward.tenant.vault, timedelta(days=1), store=False),)) == []
    # Vault keeps what is revoked, whatever it kept before.
    assert [revoked for _, revoked in await stored(ward)] == [True]


async def test_where_only_customers_names_are_signed_there_is_none(ward: Ward) -> None:
    await ward.change_role({"allow_subdomains": False, "allowed_domains": ["www.other.example"]})
    tenant = msgspec.structs.replace(ward.tenant, names=Names(("www.other.example",)))
    found = [one for one in await ward.faults(tenant=tenant) if "canary" in one.subject]
    text = "no certificate was tried: the role signs no name that is nobody's"
    assert found == [Finding(Level.WARN, f"tenant {ward.name}: canary pki/sign/acme", text)]


async def test_one_that_cannot_be_revoked_is_told_with_its_serial(ward: Ward) -> None:
    policy = (await ward.root("GET", "sys/policies/acl/acmeproxy"))["data"]["policy"]
    without = policy.replace('"pki/revoke"', '"pki/revoke-not"')
    await ward.root("POST", "sys/policies/acl/acmeproxy", {"policy": without})
    [found] = await of_canary(ward)
    [serial] = (await ward.root("LIST", "pki/certs"))["data"]["keys"]
    assert found.level is Level.FAIL
    assert found.text.startswith("it could not be revoked, and ends ")
    assert found.mend == f"bao write -namespace=admin/{ward.name} pki/revoke serial_number={serial}"
    await ward.mend(found.mend)
    assert [revoked for _, revoked in await stored(ward)] == [True]


async def test_one_whose_answer_is_lost_is_looked_for_and_revoked(ward: Ward) -> None:
    """VLT-02."""
    async with cutting_proxy(ward.server.port) as proxy:
        proxy.cut(b"POST /v1/pki/sign/", Cut.REPLY)
        found = await ward.faults(address=f"http://127.0.0.1:{proxy.port}")
    assert [(one.level, one.subject) for one in found] == [(Level.FAIL, f"tenant {ward.name}: vault")]
    assert found[0].text.startswith("the answer to the canary was lost: ")
    assert found[0].mend == "acmeproxy doctor  # once Vault answers"
    assert [revoked for _, revoked in await stored(ward)] == [True]


async def test_one_that_is_given_up_is_looked_for_and_revoked(ward: Ward) -> None:
    async with cutting_proxy(ward.server.port) as proxy:
        proxy.delay(b"POST /v1/pki/sign/", _FOR_EVER)
        async with ward.case(address=f"http://127.0.0.1:{proxy.port}") as case:
            giving_up = asyncio.create_task(examination.examine(case, (), lambda _: None))
            await proxy.until(b"POST /v1/pki/sign/")
            await eventually(lambda: has_signed(ward))
            giving_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await giving_up
    assert [revoked for _, revoked in await stored(ward)] == [True]
