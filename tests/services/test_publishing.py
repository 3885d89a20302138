"""Many CAs in one process share what there is of it."""

import pytest

from acmeproxy.core import ocsp
from acmeproxy.core.ocsp import CertId, Request
from acmeproxy.services.flights import Flights
from acmeproxy.services.publishing import Publishing
from tests.support.scripted_authority import ScriptedAuthority
from tests.support.stored import SetClock


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
    publishing = Publishing(names, flying, clock, lambda *_: None, most)
    publishing.listening(heard=True)
    for name in ("alpha", "beta"):
        found, authority = publishing.find(name), names[name]
        assert found is not None
        hashes = ocsp.issuer_hashes(authority.certificate)[0]
        for serial in (*range(1, 240), 1, 2):
            await found.statuses.answer(Request(CertId(hashes, serial)))
        # Newcomers have a fifth of a share: 240 of 1200, 200 of 1000, or 100 of the 500 that each has.
        assert (authority.asked[1] == 1) is kept
