"""What a Vault in trouble answers one tenant: its orders wait, the other tenant's do not (FIN-22, VLT-05)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from acmeproxy.adapters.vault.provisioning import Hierarchy
from tests.adapters.vault.canned_vault import CannedVault, canned_vault
from tests.support.faulty_vault import (
    Fault,
    FaultyVault,
    bombs,
    hangs,
    resets,
    says,
    trickles,
)
from tests.support.proxies import Launch
from tests.support.proxy import Proxy, hosted
from tests.support.spoilt import SIGN, waits_until_mended
from tests.support.waiting import plan_of_two, ready, serves

pytestmark = pytest.mark.usefixtures("mended")

#: The other proxy of this module must not take the jobs of one that is patient.
ALONE = 2
#: Nothing was signed, and it is known: the order waits.
DEFERRED: dict[str, Fault] = {
    "a quota": says(429, {"errors": ['request path "pki/sign/acme": rate limit quota exceeded']}),
    "a quota with headers": says(429, {"errors": ["rate limit quota exceeded"]}, "Retry-After: 1"),
    "a standby that lags": says(429, {"errors": []}, "Retry-After: 1", "X-Vault-Index: v1:abc"),
    "a mount that is not there yet": says(
        404, {"errors": ['no handler for route "pki/sign/acme". route entry not found.']}
    ),
    "no such namespace": says(404, {"errors": ["namespace not found"]}),
    "no policy": says(403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}),
    "an issuer that is gone": says(
        500, {"errors": ["1 error occurred:\n\t* unable to find PKI issuer for reference: nope\n\n"]}
    ),
    "a sealed namespace": says(503, {"errors": ["namespace is sealed"]}),
    "a locked namespace": says(503, {"errors": ["API access to this namespace has been locked"]}),
    "an election": says(500, {"errors": ["local node not active but active cluster node not found"]}),
    "a leader that is dead": says(307, b"", "Location: http://127.0.0.1:1/v1/pki/sign/acme"),
}
#: It was signed, and the answer is no answer: the certificate is found, and not signed again.
LOST: dict[str, Fault] = {
    "hangs after signing": hangs(after=True),
    "reset after signing": resets(after=True),
    "trickles": trickles(0.05),
    "a gateway that gave up": says(504, b"<html>504 Gateway Time-out</html>", after=True),
    "a bad gateway": says(502, b"<html>502 Bad Gateway</html>", after=True),
    "too much": says(200, b'{"data": "' + b"x" * (2 << 20) + b'"}', after=True),
    "a gzip bomb": bombs(64 << 20),
    "no JSON": says(200, b"\x00\xff", after=True),
    "no certificate": says(200, {"data": {}}, after=True),
    "storage that failed": says(500, {"errors": ["unable to store certificate locally"]}, after=True),
}


@pytest.mark.parametrize("fault", DEFERRED.values(), ids=DEFERRED)
async def test_an_order_waits_until_the_fault_is_mended(
    fault: Fault, spoilt: Proxy, faulty: FaultyVault
) -> None:
    """FIN-22, TEN-06: 200 and processing with Retry-After all the time, then valid by itself."""
    wanted = await ready(spoilt, "www.alpha.example")
    faulty.spoil(fault, *SIGN)
    await waits_until_mended(wanted, spoilt, faulty)


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
async def test_a_lost_answer_costs_no_second_certificate(
    fault: Fault, spoilt: Proxy, faulty: FaultyVault
) -> None:
    """VLT-02, VLT-05: what was signed is found and delivered, although the fault goes on."""
    wanted = await ready(spoilt, "lost.alpha.example")
    signs = faulty.count(*SIGN)
    faulty.spoil(fault, *SIGN)
    await wanted.finalized()
    await serves(spoilt, "www.beta.example")
    await wanted.issued()
    assert faulty.count(*SIGN) == signs + 1


async def test_a_tenant_whose_orders_all_hang_does_not_hold_the_others_up(
    launch: Launch, hierarchy: Hierarchy, faulty: FaultyVault, name_server: int
) -> None:
    """TEN-06, VLT-05, INV-9: more orders than Vault has places, and a deadline that never comes."""
    plan = plan_of_two(faulty.port, hierarchy, name_server)
    patient = replace(plan, more={**plan.more, "vault": "timeout = 60\n"}, database=ALONE)
    async with launch(patient) as patiently:
        hanging = [await ready(patiently, f"h{number}.alpha.example") for number in range(10)]
        faulty.spoil(hangs(), *SIGN)
        signs = faulty.count(*SIGN)
        for one in hanging:
            await one.finalized()
        await faulty.until(*SIGN, times=signs + 4)
        async with asyncio.timeout(50):
            for number in range(4):
                await serves(patiently, f"s{number}.beta.example")
        # Half of the eight places were alpha's, and still are.
        assert faulty.count(*SIGN) == signs + 4
        for one in hanging:
            await one.still_waits()


async def test_a_request_that_is_lost_before_signing_is_made_again(
    spoilt: Proxy, faulty: FaultyVault
) -> None:
    """K12, VLT-02: but not before it is certain that it was not carried out."""
    wanted = await ready(spoilt, "unheard.alpha.example")
    signs = faulty.count(*SIGN)
    faulty.spoil(resets(), *SIGN)
    await wanted.finalized()
    faulty.mend()
    await wanted.still_waits()
    await serves(spoilt, "www.beta.example")
    await wanted.issued()
    assert faulty.count(*SIGN) == signs + 2


@pytest_asyncio.fixture(loop_scope="session")
async def canary() -> AsyncIterator[CannedVault]:
    async with hosted(canned_vault()) as running:
        yield running


async def test_a_redirect_takes_no_token_anywhere(
    spoilt: Proxy, faulty: FaultyVault, canary: CannedVault
) -> None:
    """VLT-06: a 307 is waited out, whoever it names."""
    wanted = await ready(spoilt, "www.alpha.example")
    elsewhere = f"Location: http://127.0.0.1:{canary.port}/v1/pki/sign/acme"
    faulty.spoil(says(307, b"", elsewhere), *SIGN)
    await waits_until_mended(wanted, spoilt, faulty)
    assert canary.requests == []
