"""The mount: its lid on lifetimes, its tidying, and the addresses that go into certificates."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from acmeproxy.adapters.vault.doctor import mount
from acmeproxy.adapters.vault.doctor.case import Use
from acmeproxy.services.findings import Finding, Level
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.support.ward import Parts, Ward


async def of_mount(ward: Ward) -> Sequence[Finding]:
    return [one for one in await ward.faults() if one.subject == f"tenant {ward.name}: mount pki"]


def wanted(ward: Ward, level: Level, text: str, mend: str) -> Finding:
    return Finding(level, f"tenant {ward.name}: mount pki", text, mend)


@pytest.mark.parametrize("reading", ["", None])
async def test_a_mount_capped_at_768_hours_fails_whoever_reads(ward: Ward, reading: str | None) -> None:
    """The tenant's own token sees it, at sys/internal/ui/mounts."""
    await ward.root("POST", "sys/mounts/pki/tune", {"default_lease_ttl": "768h", "max_lease_ttl": "768h"})
    told = wanted(
        ward,
        Level.FAIL,
        "max_lease_ttl is the server's default of 768 h: everything longer is cut off without an error",
        f"bao secrets tune -namespace=admin/{ward.name} -max-lease-ttl=26280h pki",
    )
    parts: Parts = {"reading": reading}
    assert told in await ward.faults(**parts)
    await ward.mend(told.mend)
    assert told not in await ward.faults(**parts)


async def test_a_mount_capped_below_what_is_promised_fails(ward: Ward) -> None:
    await ward.root("POST", "sys/mounts/pki/tune", {"default_lease_ttl": "240h", "max_lease_ttl": "240h"})
    told = wanted(
        ward,
        Level.FAIL,
        "max_lease_ttl is 240h and the tenant promises 720h",
        f"bao secrets tune -namespace=admin/{ward.name} -max-lease-ttl=26280h pki",
    )
    assert await of_mount(ward) == [told]
    short = (Use(ward.tenant.vault, timedelta(hours=240)),)
    assert await ward.faults(uses=short) == []
    await ward.mend(told.mend)
    assert await ward.faults() == []


async def test_what_mends_a_mount_lets_its_issuing_ca_last_as_the_settings_say(ward: Ward) -> None:
    """Else `acmeproxy vault plan` would have it tuned again."""
    await ward.root("POST", "sys/mounts/pki/tune", {"default_lease_ttl": "768h", "max_lease_ttl": "768h"})
    mends = [one.mend for one in await ward.faults(lasting=timedelta(days=1800))]
    assert f"bao secrets tune -namespace=admin/{ward.name} -max-lease-ttl=43200h pki" in mends


async def test_a_mount_that_nobody_gave_a_lifetime_has_the_servers(ward: Ward) -> None:
    """Where it is shown at all, it is shown as zero; how long it is, only who may read its tuning knows."""
    await ward.root("POST", "sys/mounts/pki/tune", {"default_lease_ttl": "0", "max_lease_ttl": "0"})
    text = "max_lease_ttl is the server's default of 768 h: everything longer is cut off without an error"
    told = wanted(
        ward, Level.FAIL, text, f"bao secrets tune -namespace=admin/{ward.name} -max-lease-ttl=26280h pki"
    )
    assert await of_mount(ward) == [told]
    assert told in await ward.faults(reading=None)


async def test_tidy_off_fails(ward: Ward) -> None:
    await ward.root("POST", "pki/config/auto-tidy", {"enabled": False})
    told = wanted(
        ward,
        Level.FAIL,
        "auto-tidy is off: its store grows for ever, and a failover takes minutes",
        f"bao write -namespace=admin/{ward.name} pki/config/auto-tidy enabled=true tidy_cert_store=true"
        " tidy_revoked_certs=true",
    )
    assert await ward.faults() == [told]
    await ward.mend(told.mend)
    assert await ward.faults() == []


async def test_tidy_that_leaves_certificates_warns(ward: Ward) -> None:
    await ward.root("POST", "pki/config/auto-tidy", {"tidy_revoked_certs": False})
    told = wanted(
        ward,
        Level.WARN,
        "auto-tidy leaves expired or revoked certificates in the store",
        f"bao write -namespace=admin/{ward.name} pki/config/auto-tidy enabled=true tidy_cert_store=true"
        " tidy_revoked_certs=true",
    )
    assert await ward.faults() == [told]
    await ward.mend(told.mend)
    assert await ward.faults() == []


def cluster(ward: Ward) -> str:
    own = f"{ward.server.address}/v1/admin/{ward.name}/pki"
    return (
        f"bao write -namespace=admin/{ward.name} pki/config/cluster path={own}"
        f" aia_path={ward.front}/pki/{ward.name}"
    )


def urls(ward: Ward) -> str:
    return (
        f"{cluster(ward)} && bao write -namespace=admin/{ward.name} pki/config/urls enable_templating=true"
        " 'issuing_certificates={{cluster_aia_path}}/issuer/{{issuer_id}}/ca'"
        " 'crl_distribution_points={{cluster_aia_path}}/issuer/{{issuer_id}}/crl'"
        " 'ocsp_servers={{cluster_aia_path}}/ocsp'"
    )


async def test_addresses_made_of_a_cluster_that_is_not_set_fail(ward: Ward) -> None:
    """Signing would answer 500; what was set once cannot be taken back, so the mount is a fresh one."""
    templates = (await ward.root("GET", "pki/config/urls"))["data"]
    tidy = (await ward.root("GET", "pki/config/auto-tidy"))["data"]
    await ward.root("DELETE", "sys/mounts/pki")
    await ward.root("POST", "sys/mounts/pki", {"type": "pki", "config": {"max_lease_ttl": "26280h"}})
    await ward.root("POST", "pki/config/auto-tidy", tidy)
    await ward.root("POST", "pki/config/urls", templates)
    text = "its addresses are made of the cluster's, which is not set: signing fails"
    told = wanted(ward, Level.FAIL, text, cluster(ward))
    async with ward.case() as case:
        assert list(await mount.examine(case)) == [told]
        await ward.mend(told.mend)
        assert [one.level for one in await mount.examine(case)] == [Level.PASS]


async def test_addresses_that_are_not_set_warn_and_so_does_the_canary(ward: Ward) -> None:
    empty = {"issuing_certificates": "", "crl_distribution_points": "", "ocsp_servers": ""}
    await ward.root("POST", "pki/config/urls", empty)
    lacking = "issuing_certificates, crl_distribution_points, ocsp_servers"
    text = "it names no place for its CA, its CRL or OCSP: nobody can see whether it is revoked"
    assert await ward.faults() == [
        wanted(ward, Level.WARN, f"config/urls lacks {lacking}", urls(ward)),
        Finding(Level.WARN, f"tenant {ward.name}: canary pki/sign/acme", text, urls(ward)),
    ]
    await ward.mend(urls(ward))
    assert await ward.faults() == []


@pytest.mark.parametrize(
    ("aia_path", "text"),
    [
        (
            "{address}/v1/admin/{name}/pki",
            "it sends those who check it into Vault: {address}/v1/admin/{name}/pki/",
        ),
        (
            "http://pki.example/{name}",
            "it names addresses that are not below acmeproxy's own {front}/pki/: http://pki.",
        ),
    ],
)
async def test_addresses_that_are_not_acmeproxys_own_warn(ward: Ward, aia_path: str, text: str) -> None:
    place = {"address": ward.server.address, "name": ward.name, "front": ward.front}
    await ward.root("POST", "pki/config/cluster", {"aia_path": aia_path.format(**place)})
    [found] = await ward.faults()
    assert found.text.startswith(text.format(**place))
    assert (found.level, found.mend) == (Level.WARN, urls(ward))
    await ward.mend(found.mend)
    assert await ward.faults() == []


async def test_documents_that_are_not_where_the_certificate_says_warn(ward: Ward) -> None:
    async with canned_vault(http_answer(404, b"nothing")) as nothing:
        front = f"http://127.0.0.1:{nothing.port}"
        await ward.root("POST", "pki/config/cluster", {"aia_path": f"{front}/pki/{ward.name}"})
        found = await ward.faults(aia_url=front)
        issuer = (await ward.root("GET", "pki/config/issuers"))["data"]["default"]
    place = f"{front}/pki/{ward.name}/issuer/{issuer}"
    subject = f"tenant {ward.name}: canary pki/sign/acme"
    assert found == [
        Finding(
            Level.WARN,
            subject,
            f"{place}/{document}, which it names, is answered with 404",
            f"curl -sv {place}/{document}",
        )
        for document in ("ca", "crl")
    ]
    found = await ward.faults(aia_url=front)
    assert [one.text for one in found] == [
        f"{place}/{document}, which it names, gives no answer: ConnectionError" for document in ("ca", "crl")
    ]
