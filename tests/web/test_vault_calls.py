"""A Vault in trouble at other calls than the signing: no client is blamed, and the other tenant is served."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from tests.support.eventually import eventually
from tests.support.faulty_vault import Fault, FaultyVault, hangs, resets, says
from tests.support.held import hold
from tests.support.openbao import as_root
from tests.support.problems import assert_refused
from tests.support.proxy import Proxy
from tests.support.relying_party import RelyingParty, asked
from tests.support.spoilt import SIGN, waits_until_mended
from tests.support.vault_looks import revoked_in_store
from tests.support.waiting import ready, serves

pytestmark = pytest.mark.usefixtures("mended")

SPACE: Final = "admin/alpha"
LOGIN: Final = ("auth/approle/login", SPACE)
LOOK_UP: Final = ("/v1/pki/cert", SPACE)
STATUS: Final = ("/v1/pki/ocsp", SPACE)
REVOKE: Final = ("/v1/pki/revoke", SPACE)

QUOTA: Final = says(429, {"errors": ["rate limit quota exceeded"]}, "Retry-After: 1")
LOCKED: Final = says(503, {"errors": ["API access to this namespace has been locked"]})
LEADERLESS: Final = says(307, b"", "Location: http://127.0.0.1:1/v1/x")
LOADING: Final = says(404, {"errors": ["no handler for route. route entry not found."]})
GATEWAY: Final = says(502, b"<html>bad gateway</html>")
TOO_MUCH: Final = says(200, b'{"data": "' + b"x" * (17 << 20) + b'"}')
ODD: Final = says(200, {"data": {"keys": {"a": 1}, "certificate": 7, "state": 7}})


@pytest.mark.parametrize(
    "fault",
    [QUOTA, LOCKED, LEADERLESS, LOADING, GATEWAY, ODD, hangs(after=True)],
    ids=["quota", "locked", "leaderless", "loading", "gateway", "odd", "lost"],
)
async def test_an_order_waits_for_a_login(
    fault: Fault, spoilt: Proxy, faulty: FaultyVault, openbao: OpenBao
) -> None:
    """FIN-22, TEN-06: Vault forgot the token, and a new one is not to be had."""
    wanted = await ready(spoilt, "www.alpha.example")
    faulty.spoil(fault, *LOGIN)
    await as_root(openbao, "POST", "sys/leases/revoke-prefix/auth/approle/login", SPACE)
    await waits_until_mended(wanted, spoilt, faulty)


@pytest.mark.parametrize(
    "fault",
    [QUOTA, LOCKED, LOADING, GATEWAY, TOO_MUCH, ODD, hangs()],
    ids=["quota", "locked", "loading", "gateway", "too much", "odd", "lost"],
)
async def test_an_order_waits_until_its_certificate_can_be_looked_for(
    fault: Fault, spoilt: Proxy, faulty: FaultyVault
) -> None:
    """K15, INV-12: its answer was lost, and nothing is signed again in the dark."""
    wanted = await ready(spoilt, "looked.alpha.example")
    signs = faulty.count(*SIGN)
    faulty.spoil(resets(after=True), *SIGN)
    faulty.spoil(fault, *LOOK_UP)
    await waits_until_mended(wanted, spoilt, faulty)
    assert faulty.count(*SIGN) == signs + 1


@pytest.mark.parametrize(
    "fault",
    [QUOTA, LEADERLESS, ODD, resets(after=True)],
    ids=["quota", "leaderless", "odd", "lost"],
)
async def test_a_revocation_is_noted_and_done(
    fault: Fault, spoilt: Proxy, faulty: FaultyVault, openbao: OpenBao
) -> None:
    """K22: 503 with Retry-After until Vault has said that it is revoked."""
    held = await hold(spoilt, "www.alpha.example")
    faulty.spoil(fault, *REVOKE)
    answer = await held.client.revoke(held.leaf, 4)
    assert_refused(answer, 503, "serverInternal")
    assert answer.headers["Retry-After"] == "5"
    await serves(spoilt, "www.beta.example")
    faulty.mend()
    await eventually(_done(spoilt, held.id))
    assert await revoked_in_store(openbao, "admin/alpha/pki", held.leaf)


def _done(spoilt: Proxy, certificate_id: str) -> Callable[[], Awaitable[bool]]:
    async def done() -> bool:
        return "revoked_at" in await spoilt.state.document("certificate", certificate_id)

    return done


async def test_vaults_own_wish_reaches_the_client(spoilt: Proxy, faulty: FaultyVault) -> None:
    """VLT-05, HTTP-12: whoever waits for a quota need not ask before it is over."""
    wanted = await ready(spoilt, "www.alpha.example")
    faulty.spoil(says(429, {"errors": ["rate limit quota exceeded"]}, "Retry-After: 50"), *SIGN)
    await wanted.finalized()

    async def told() -> bool:
        return 40 < int((await wanted.client.get(wanted.order.location)).headers["Retry-After"]) <= 50

    await eventually(told)


async def test_a_responder_that_hangs_leaves_the_others_places_and_their_breaker(
    spoilt: Proxy, faulty: FaultyVault
) -> None:
    """Of the places at the address it has half at the most, and its lost answers are its own."""
    ours, theirs = (
        await hold(spoilt, "www.alpha.example"),
        await hold(spoilt, "www.beta.example", tenant="beta"),
    )
    alpha, beta = (RelyingParty(spoilt.http, spoilt.origin, name) for name in ("alpha", "beta"))
    faulty.spoil(hangs(), *STATUS)
    asking = [asyncio.create_task(alpha.post(asked(ours.chain, serial=number))) for number in range(2, 10)]
    await faulty.until(*STATUS, times=2)
    assert await beta.status(theirs.chain) == "GOOD"
    # Whoever asks about it is told to try later (RFC 6960 §2.3).
    assert {answer.body for answer in await asyncio.gather(*asking)} == {bytes.fromhex("30030a0103")}
    assert await beta.status(theirs.chain, nonce=b"n" * 16) == "GOOD"
