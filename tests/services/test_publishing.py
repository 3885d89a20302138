"""Many CAs in one process share what there is of it."""

import asyncio
from collections.abc import Sequence

import pytest

from acmeproxy.core import ocsp
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ocsp import CertId, Fault, Request, Response, Status
from acmeproxy.services.flights import Flights, flights
from acmeproxy.services.publishing import Publishing
from tests.support.scripted_authority import ScriptedAuthority
from tests.support.stored import SetClock


async def nothing(_tenants: Sequence[str], _name: object) -> Certificate | None:
    return None


@pytest.mark.parametrize(("most", "kept"), [(2400, True), (2000, False), (1, False)])
async def test_memory_is_shared_out_among_the_mounts(
    most: int,
    kept: bool,  # noqa: FBT001 - a case
    flying: Flights,
    clock: SetClock,
) -> None:
    """Abuse: who asks every CA for all numbers there are gets the room of one, and each has some."""
    authorities = [ScriptedAuthority(clock, name) for name in ("alpha", "beta")]
    names = {"alpha": authorities[0], "beta": authorities[1], "alpha again": authorities[0]}
    publishing = Publishing(names, flying, clock, lambda *_: None, nothing, most)
    publishing.listening(heard=True)
    for name in ("alpha", "beta"):
        found, authority = publishing.find(name), names[name]
        assert found is not None
        hashes = ocsp.issuer_hashes(authority.certificate)[0]
        for serial in (*range(1, 240), 1, 2):
            await found.statuses.answer(Request(CertId(hashes, serial)))
        # Newcomers have a fifth of a share: 240 of 1200, 200 of 1000, or 100 of the 500 that each has.
        assert (authority.asked[1] == 1) is kept


async def test_who_waits_for_a_ca_that_hangs_leaves_room_for_everybody_else(clock: SetClock) -> None:
    """INV-9: those who wait are requests of the server, which answers clients of ACME too."""
    authorities = {name: ScriptedAuthority(clock, name) for name in ("alpha", "beta")}
    crashes: list[BaseException] = []
    async with flights(crashes.append, seats=8) as flying:
        publishing = Publishing(authorities, flying, clock, lambda *_: None, nothing)

        async def said(name: str, serial: int) -> Status | Fault:
            found, issuer = publishing.find(name), authorities[name].certificate
            assert found is not None
            answer = await found.statuses.answer(Request(CertId(ocsp.issuer_hashes(issuer)[0], serial)))
            return answer.status if isinstance(answer, Response) else answer

        assert await said("alpha", 5) is Status.GOOD
        authorities["alpha"].turn = asyncio.Event()
        asking = [asyncio.create_task(said("alpha", 7)) for _ in range(20)]
        assert await said("beta", 7) is Status.GOOD
        assert [task.result() for task in asking if task.done()] == [Fault.TRY_LATER] * 16
        # What was said before is said again, by whoever has no seat.
        assert await said("alpha", 5) is Status.GOOD
        authorities["alpha"].turn.set()
        assert [await task for task in asking].count(Status.GOOD) == 4
    assert crashes == []
