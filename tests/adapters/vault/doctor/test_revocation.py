"""Revocation, one fault at a time."""

from cryptography import x509

from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.vault.doctor import revocation
from acmeproxy.services.findings import Finding, Level
from tests.support.ward import Ward

PATH = "pki/config/crl"


def wanted(ward: Ward, level: Level, text: str, mend: str) -> Finding:
    mend = f"bao write -namespace=admin/{ward.name} {PATH} {mend}"
    return Finding(level, f"tenant {ward.name}: revocation pki", text, mend)


def not_rebuilt(ward: Ward) -> Finding:
    text = "auto_rebuild=false: every revocation waits for the whole CRL, and without one the CRL expires"
    return wanted(ward, Level.FAIL, text, "auto_rebuild=true enable_delta=true")


async def test_a_crl_without_auto_rebuild_fails(ward: Ward) -> None:
    await ward.root("POST", PATH, {"auto_rebuild": False, "enable_delta": False})
    assert await ward.faults() == [not_rebuilt(ward)]
    await ward.mend(not_rebuilt(ward).mend)
    assert await ward.faults() == []


async def test_a_crl_without_delta_lists_warns(ward: Ward) -> None:
    await ward.root("POST", PATH, {"enable_delta": False})
    delta = "enable_delta=false: a revocation is in no CRL before the next whole one"
    told = wanted(ward, Level.WARN, delta, "enable_delta=true")
    assert await ward.faults() == [told]
    await ward.mend(told.mend)
    assert await ward.faults() == []


async def test_a_crl_without_auto_rebuild_gives_itself_away_where_nobody_may_read_it(ward: Ward) -> None:
    """The canary's revocation is in it at once."""
    await ward.root("POST", PATH, {"auto_rebuild": False, "enable_delta": False})
    assert not_rebuilt(ward) in await ward.faults(reading=None)
    await ward.mend(not_rebuilt(ward).mend)
    assert not_rebuilt(ward) not in await ward.faults(reading=None)


async def test_a_disabled_crl_fails(ward: Ward) -> None:
    await ward.root("POST", PATH, {"disable": True})
    told = wanted(ward, Level.FAIL, "disable=true: the CRL is empty whatever was revoked", "disable=false")
    assert told in await ward.faults()
    await ward.mend(told.mend)
    assert await ward.faults() == []


async def test_ocsp_switched_off_fails(ward: Ward) -> None:
    await ward.root("POST", PATH, {"ocsp_disable": True})
    text = "ocsp_disable=true: nobody is told at once that a certificate is revoked"
    told = wanted(ward, Level.FAIL, text, "ocsp_disable=false")
    assert await ward.faults() == [told]


async def test_ocsp_switched_off_is_seen_where_nobody_may_read_it(ward: Ward) -> None:
    await ward.root("POST", PATH, {"ocsp_disable": True})
    text = "OCSP is switched off: nobody is told at once that a certificate is revoked"
    told = wanted(ward, Level.FAIL, text, "ocsp_disable=false")
    assert told in await ward.faults(reading=None)
    await ward.mend(told.mend)
    assert told not in await ward.faults(reading=None)


async def test_a_crl_that_has_ended_fails(ward: Ward) -> None:
    """Nobody rebuilt it: what it says ended a second after it began."""
    await ward.root("POST", PATH, {"expiry": "1s", "auto_rebuild": False, "enable_delta": False})
    await ward.root("GET", "pki/crl/rotate")
    crl = (await ward.root("GET", "pki/cert/crl"))["data"]["certificate"]
    end = x509.load_pem_x509_crl(crl.encode()).next_update_utc
    assert end is not None

    async def of_revocation() -> list[Finding]:
        async with ward.case(clock=lambda: max(utc_now(), end)) as case:
            return list(await revocation.examine(case, ()))

    found = await of_revocation()
    told = Finding(
        Level.FAIL,
        f"tenant {ward.name}: revocation pki",
        f"the CRL ended on {end:%Y-%m-%d %H:%M}Z: who checks it trusts no certificate",
        f"bao read -namespace=admin/{ward.name} pki/crl/rotate",
    )
    assert told in found
    await ward.root("POST", PATH, {"expiry": "72h"})
    await ward.mend(told.mend)
    assert told not in await of_revocation()
