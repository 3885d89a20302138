"""The mount of the signing CA, one fault at a time."""

import pytest

from acmeproxy.services.findings import Finding, Level
from tests.support.ward import Ward

SUBJECT = "mount pki in admin"


async def told(ward: Ward, text: str, mend: str) -> None:
    """See that this is found, and that nothing is any more once it was mended."""
    assert await ward.faults() == [Finding(Level.FAIL, SUBJECT, text, mend)]
    await ward.mend(mend)
    assert await ward.faults() == []


async def test_the_mount_above_capped_at_768_hours_fails(ward: Ward) -> None:
    tune = {"default_lease_ttl": "768h", "max_lease_ttl": "768h"}
    await ward.root("POST", "sys/mounts/pki/tune", tune, "admin")
    await told(
        ward,
        "max_lease_ttl is the server's default of 768 h: the next issuing CA would live for 32 days",
        "bao secrets tune -namespace=admin -max-lease-ttl=52560h pki",
    )


@pytest.mark.parametrize(
    ("path", "fields", "text", "mend"),
    [
        (
            "crl",
            {"auto_rebuild": False, "enable_delta": False},
            "auto_rebuild=false: every revocation waits for the whole CRL, and without one the CRL expires",
            "auto_rebuild=true enable_delta=true",
        ),
        (
            "auto-tidy",
            {"enabled": False},
            "auto-tidy is off: its store grows for ever, and a failover takes minutes",
            "enabled=true tidy_cert_store=true tidy_revoked_certs=true",
        ),
    ],
)
async def test_what_its_upkeep_lacks_fails(
    ward: Ward, path: str, fields: dict[str, object], text: str, mend: str
) -> None:
    """The list of the signing CA ends after three days: who checks the whole chain trusts nothing then."""
    await ward.root("POST", f"pki/config/{path}", fields, "admin")
    await told(ward, text, f"bao write -namespace=admin pki/config/{path} {mend}")


async def test_a_signing_ca_that_leads_to_no_root_fails(ward: Ward) -> None:
    await ward.root("PATCH", "pki/issuer/default", {"manual_chain": ["self"]}, "admin")
    found = await ward.faults()
    await ward.root("PATCH", "pki/issuer/default", {"manual_chain": []}, "admin")
    text = "nothing leads from the signing CA to a root: the next issuing CA would have no parents"
    assert found == [Finding(Level.FAIL, SUBJECT, text, "acmeproxy vault apply")]
    assert await ward.faults() == []
