"""Lists and certificates are kept while they are true, and fetched once however many ask."""

import asyncio
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.services.flights import AwayError, flights
from acmeproxy.services.publication import Known, Publication
from tests.support.scripted_authority import ISSUER, ScriptedAuthority, signed_list
from tests.support.stored import SetClock

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


async def issuer(publication: Publication) -> Known:
    known = await publication.issuer()
    assert known is not None
    return known


async def numbers(publication: Publication, *, delta: bool = False) -> set[int]:
    """Return what is on the list."""
    found = await publication.revocation_list(await issuer(publication), delta=delta)
    assert found is not None
    return {entry.serial_number for entry in x509.load_der_x509_crl(found.der)}


async def settled() -> None:
    """Let what was begun in the background end."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_list_is_fetched_once_for_all_who_ask(
    publication: Publication, authority: ScriptedAuthority
) -> None:
    authority.revoked = {5}
    found = await asyncio.gather(*(numbers(publication) for _ in range(50)))
    assert found == [{5}] * 50
    assert authority.asked == {"issuers": 1, "list": 1}


async def test_a_newer_list_is_fetched_in_the_background_before_a_minute_is_over(
    publication: Publication, authority: ScriptedAuthority, clock: SetClock
) -> None:
    assert await numbers(publication) == set()
    authority.revoked = {5}
    clock.move(44 * SECOND)
    assert await numbers(publication) == set()
    await settled()
    assert authority.asked["list"] == 1
    clock.move(SECOND)
    # Whoever asks waits for nothing; who comes after sees it.
    assert await numbers(publication) == set()
    await settled()
    assert await numbers(publication) == {5}
    assert authority.asked["list"] == 2


async def test_who_asks_after_a_minute_is_shown_no_older_list(
    publication: Publication, authority: ScriptedAuthority, clock: SetClock
) -> None:
    """Most relying parties fetch one once in hours: the first of them must not see that of hours ago."""
    assert await numbers(publication) == set()
    authority.revoked = {5}
    clock.move(MINUTE)
    assert await numbers(publication) == {5}


async def test_a_list_that_ends_soon_is_fetched_again_at_half_of_its_time(
    publication: Publication, authority: ScriptedAuthority, clock: SetClock
) -> None:
    authority.list = signed_list(authority.certificate, authority.key, clock(), set(), lasts=20 * SECOND)
    await numbers(publication)
    authority.list = None
    authority.revoked = {5}
    clock.move(10 * SECOND)
    await numbers(publication)
    await settled()
    assert await numbers(publication) == {5}


async def test_while_vault_is_away_the_last_list_is_shown_until_its_end_and_never_after(
    publication: Publication, authority: ScriptedAuthority, clock: SetClock, told: list[str]
) -> None:
    authority.revoked = {5}
    await numbers(publication)
    known = await issuer(publication)
    authority.away = True
    clock.move(timedelta(hours=72) - SECOND)
    assert await numbers(publication) == {5}
    await settled()
    assert "nobody is there" in told
    clock.move(SECOND)
    with pytest.raises(AwayError):
        await publication.revocation_list(known, delta=False)
    # A certificate is what it was.
    assert await issuer(publication) == known


async def test_nobody_asks_for_a_moment_after_a_failure(
    publication: Publication, authority: ScriptedAuthority, clock: SetClock, told: list[str]
) -> None:
    authority.away = True
    for _ in range(5):
        with pytest.raises(AwayError):
            await publication.issuer()
    assert authority.asked["issuers"] == 1
    assert told == ["nobody is there"]
    authority.away = False
    clock.move(SECOND)
    assert await numbers(publication) == set()


async def test_a_list_that_is_not_the_issuers_is_not_shown(
    publication: Publication, authority: ScriptedAuthority, clock: SetClock, told: list[str]
) -> None:
    other = ScriptedAuthority(clock)
    authority.list = signed_list(other.certificate, other.key, clock(), set())
    with pytest.raises(AwayError):
        await numbers(publication)
    assert told == ["a list that cannot be shown: not signed by the issuer"]


async def test_a_node_that_lags_does_not_take_a_newer_list_back(
    publication: Publication, authority: ScriptedAuthority, clock: SetClock
) -> None:
    authority.revoked = {5}
    old = signed_list(authority.certificate, authority.key, clock() - SECOND, set())
    await numbers(publication)
    authority.list = old
    clock.move(MINUTE)
    await numbers(publication)
    await settled()
    assert authority.asked["list"] == 2
    assert await numbers(publication) == {5}


async def test_after_a_revocation_the_next_list_is_looked_for_at_once_but_not_a_thousand_times(
    publication: Publication, authority: ScriptedAuthority, clock: SetClock
) -> None:
    der = authority.certificate.public_bytes(Encoding.DER)
    await numbers(publication)
    authority.revoked = {5}
    clock.move(2 * SECOND)
    for _ in range(1000):
        publication.expect_lists(der)
        await numbers(publication)
        await settled()
    assert await numbers(publication) == {5}
    assert authority.asked["list"] == 2
    clock.move(2 * SECOND)
    publication.expect_lists(b"another issuer")
    await numbers(publication)
    await settled()
    # The one of the loop's last turn, two seconds later.
    assert authority.asked["list"] == 3


async def test_a_fault_of_ours_is_told_of_also_where_nobody_waits_for_it() -> None:
    crashes: list[BaseException] = []

    async def broken() -> None:
        raise ZeroDivisionError

    async with flights(crashes.append) as flying:
        flying.begin(broken())
        await settled()
    assert [type(crash) for crash in crashes] == [ZeroDivisionError]


async def test_deltas_and_whole_lists_are_two_things(
    publication: Publication, authority: ScriptedAuthority
) -> None:
    assert await numbers(publication, delta=True) == set()
    assert authority.asked == {"issuers": 1, "delta": 1}
    assert await numbers(publication) == set()
    assert authority.asked == {"issuers": 1, "delta": 1, "list": 1}


async def test_that_there_is_no_list_is_remembered_for_a_while(
    publication: Publication, authority: ScriptedAuthority, clock: SetClock
) -> None:
    authority.has_lists = False
    known = await issuer(publication)
    for _ in range(5):
        assert await publication.revocation_list(known, delta=True) is None
    assert authority.asked["delta"] == 1
    authority.has_lists = True
    clock.move(10 * SECOND)
    assert await publication.revocation_list(known, delta=True) is not None


async def test_an_issuer_that_is_new_is_found_and_one_that_is_none_is_not_asked_for_again_and_again(
    publication: Publication, authority: ScriptedAuthority, clock: SetClock
) -> None:
    assert await publication.issuer(ISSUER) is not None
    authority.issuer_id = "48b825f5-69ad-e4fc-b753-442e2a2338eb"
    assert await publication.issuer(authority.issuer_id) is None
    clock.move(3 * SECOND)
    assert await publication.issuer(authority.issuer_id) is not None
    assert await publication.issuer() is not None
    for _ in range(5):
        assert await publication.issuer("nobody") is None
    assert authority.asked["issuers"] == 2
