"""OCSP answers: said again while fresh, never after a revocation, and few questions at a time."""

import asyncio
from datetime import timedelta

import pytest
from cryptography.x509 import ocsp as x509_ocsp

from acmeproxy.core import ocsp
from acmeproxy.core.ocsp import CertId, Fault, IssuerHash, Request, Response
from acmeproxy.services.flights import AwayError
from acmeproxy.services.publication import Publication
from acmeproxy.services.statuses import Statuses
from tests.support.scripted_authority import ScriptedAuthority, ca_certificate, signed_list, signed_status
from tests.support.stored import SetClock

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
SERIAL = 0x1393B2184DFB7C2881D8A572A8593AB63507C50D


def about(
    authority: ScriptedAuthority, serial: int = SERIAL, *, nonce: bool = False, kind: int = 0
) -> Request:
    return Request(CertId(ocsp.issuer_hashes(authority.certificate)[kind], serial), nonce)


async def said(statuses: Statuses, request: Request) -> str:
    """Return a status, or a fault, by its name."""
    answer = await statuses.answer(request)
    return answer.status.name if isinstance(answer, Response) else answer.name


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_is_asked_once_for_all_who_ask(statuses: Statuses, authority: ScriptedAuthority) -> None:
    found = await asyncio.gather(*(said(statuses, about(authority)) for _ in range(50)))
    assert found == ["GOOD"] * 50
    assert authority.asked == {"issuers": 1, SERIAL: 1}


async def test_each_hash_is_a_question_of_its_own(statuses: Statuses, authority: ScriptedAuthority) -> None:
    """The answer repeats the hashes of the question, and clients compare them."""
    for kind in range(4):
        request = about(authority, kind=kind)
        answer = await statuses.answer(request)
        assert isinstance(answer, Response)
        # Which it would not be for another hash.
        again = ocsp.parse_response(answer.der, request.certificate, authority.certificate, authority.clock())
        assert again == answer
    assert authority.asked[SERIAL] == 4


async def test_good_is_said_again_for_a_minute_at_most(
    statuses: Statuses, authority: ScriptedAuthority, clock: SetClock
) -> None:
    """A revocation directly in Vault is seen after a minute, whoever tells us or not."""
    assert await said(statuses, about(authority)) == "GOOD"
    authority.revoked = {SERIAL}
    clock.move(44 * SECOND)
    assert await said(statuses, about(authority)) == "GOOD"
    assert authority.asked[SERIAL] == 1
    clock.move(16 * SECOND)
    assert await said(statuses, about(authority)) == "REVOKED"


async def test_what_is_often_asked_for_is_fetched_before_anybody_waits(
    statuses: Statuses, authority: ScriptedAuthority, clock: SetClock
) -> None:
    await said(statuses, about(authority))
    clock.move(45 * SECOND)
    assert await said(statuses, about(authority)) == "GOOD"
    await settled()
    assert authority.asked[SERIAL] == 2
    clock.move(44 * SECOND)
    assert await said(statuses, about(authority)) == "GOOD"
    assert authority.asked[SERIAL] == 2


async def test_revoked_is_said_until_the_answer_is_over(
    statuses: Statuses, authority: ScriptedAuthority, clock: SetClock
) -> None:
    authority.revoked = {SERIAL}
    assert await said(statuses, about(authority)) == "REVOKED"
    authority.away = True
    clock.move(timedelta(hours=12) - SECOND)
    assert await said(statuses, about(authority)) == "REVOKED"
    await settled()
    clock.move(SECOND)
    assert await said(statuses, about(authority)) == "TRY_LATER"


async def test_while_vault_is_away_good_is_said_until_the_answer_is_over(
    statuses: Statuses, authority: ScriptedAuthority, clock: SetClock
) -> None:
    await said(statuses, about(authority))
    authority.away = True
    clock.move(timedelta(hours=12) - SECOND)
    assert await said(statuses, about(authority)) == "GOOD"
    assert await said(statuses, about(authority, 7)) == "TRY_LATER"
    clock.move(SECOND)
    assert await said(statuses, about(authority)) == "TRY_LATER"


async def test_after_a_revocation_nothing_that_was_said_before_is_said_again(
    statuses: Statuses, authority: ScriptedAuthority
) -> None:
    for kind in (0, 1):
        assert await said(statuses, about(authority, kind=kind)) == "GOOD"
    authority.revoked = {SERIAL}
    statuses.revoked(SERIAL)
    for kind in (0, 1):
        assert await said(statuses, about(authority, kind=kind)) == "REVOKED"
    assert await said(statuses, about(authority, 7)) == "GOOD"


async def test_a_certificate_that_will_be_revoked_is_asked_about_each_time(
    statuses: Statuses, authority: ScriptedAuthority
) -> None:
    """The notification that it was may come later than the client's next question."""
    assert await said(statuses, about(authority)) == "GOOD"
    statuses.doubt(SERIAL)
    for _ in range(2):
        assert await said(statuses, about(authority)) == "GOOD"
    assert authority.asked[SERIAL] == 3
    authority.revoked = {SERIAL}
    for _ in range(2):
        assert await said(statuses, about(authority)) == "REVOKED"
    assert authority.asked[SERIAL] == 4
    statuses.revoked(SERIAL)
    assert await said(statuses, about(authority)) == "REVOKED"


async def test_an_answer_that_was_under_way_meanwhile_is_not_good_any_more(
    statuses: Statuses, authority: ScriptedAuthority
) -> None:
    """Asked before, answered after: Vault said good, and it is not."""
    await statuses.answer(about(authority, 7))
    authority.turn = asyncio.Event()
    before = asyncio.create_task(said(statuses, about(authority)))
    await settled()
    assert authority.asked[SERIAL] == 1
    statuses.revoked(SERIAL)
    after = asyncio.create_task(said(statuses, about(authority)))
    await settled()
    assert authority.asked[SERIAL] == 2
    authority.turn.set()
    # It was said to be revoked, and this node of Vault does not know it yet.
    assert (await before, await after) == ("TRY_LATER", "TRY_LATER")
    authority.revoked = {SERIAL}
    assert await said(statuses, about(authority)) == "REVOKED"


async def test_while_nobody_listens_good_is_asked_for_each_time(
    statuses: Statuses, authority: ScriptedAuthority
) -> None:
    await said(statuses, about(authority))
    statuses.listening(heard=False)
    for _ in range(3):
        assert await said(statuses, about(authority)) == "GOOD"
    assert authority.asked[SERIAL] == 4
    authority.revoked = {SERIAL}
    assert await said(statuses, about(authority)) == "REVOKED"
    assert await said(statuses, about(authority)) == "REVOKED"
    assert authority.asked[SERIAL] == 5
    statuses.listening(heard=True)
    for _ in range(3):
        await said(statuses, about(authority))
    assert authority.asked[SERIAL] == 6


async def test_who_sends_a_nonce_gets_an_answer_that_is_new(
    statuses: Statuses, authority: ScriptedAuthority
) -> None:
    """RFC 9654, RFC 5019 §2.2.1: Vault repeats no nonce; it has none of the requests' of ours either."""
    await said(statuses, about(authority))
    authority.revoked = {SERIAL}
    assert await said(statuses, about(authority)) == "GOOD"
    assert await said(statuses, about(authority, nonce=True)) == "REVOKED"


async def test_another_cas_certificates_are_nobodys_question(
    statuses: Statuses, authority: ScriptedAuthority, clock: SetClock
) -> None:
    """RFC 5019 §2.2.3: not able to answer for that CA; Vault is not asked, whatever hashes are invented."""
    other = ScriptedAuthority(clock, "another CA")
    assert await said(statuses, about(other)) == "UNAUTHORIZED"
    for number in range(100):
        request = Request(CertId(IssuerHash("sha1", bytes([number] * 20), b"k" * 20), SERIAL))
        assert await said(statuses, request) == "UNAUTHORIZED"
    assert authority.asked == {"issuers": 1}


@pytest.mark.parametrize(
    ("answer", "expected", "asked"),
    [
        (Fault.UNAUTHORIZED.value, "UNAUTHORIZED", 1),
        (Fault.TRY_LATER.value, "TRY_LATER", 1),
        (Fault.INTERNAL_ERROR.value, "TRY_LATER", 1),
        (Fault.MALFORMED_REQUEST.value, "TRY_LATER", 1),
        (b"<html>", "TRY_LATER", 1),
    ],
    ids=["ocsp_disable", "try later", "internal", "malformed", "a page"],
)
async def test_what_is_no_answer_is_said_honestly_and_not_asked_for_each_time(
    answer: bytes, expected: str, asked: int, statuses: Statuses, authority: ScriptedAuthority
) -> None:
    authority.lie = answer
    for _ in range(5):
        assert await said(statuses, about(authority)) == expected
    assert authority.asked[SERIAL] == asked


async def test_what_is_wrong_with_one_answer_keeps_nobody_from_the_others(
    statuses: Statuses, authority: ScriptedAuthority, publication: Publication, told: list[str]
) -> None:
    """A list that is over, or a status that nobody can read, says nothing of the rest of the mount."""
    authority.list = signed_list(authority.certificate, authority.key, authority.clock() - 73 * HOUR, set())
    known = await publication.issuer()
    assert known is not None
    for _ in range(5):
        with pytest.raises(AwayError):
            await publication.revocation_list(known, delta=False)
        assert await said(statuses, about(authority)) == "GOOD"
    assert authority.asked == {"issuers": 1, "list": 1, SERIAL: 1}
    authority.lie = b"<html>"
    for serial in range(1, 6):
        assert await said(statuses, about(authority, serial)) == "TRY_LATER"
    authority.lie = None
    assert await said(statuses, about(authority, 6)) == "GOOD"
    # Whoever asks for many such things does not fill the log.
    assert told == ["a list that cannot be shown: of another time"]


async def test_an_answer_about_another_certificate_or_by_another_ca_is_not_passed_on(
    statuses: Statuses, authority: ScriptedAuthority, clock: SetClock
) -> None:
    request = ocsp.encode_request(about(authority).certificate)
    asked = _loaded(request)
    authority.lie = signed_status(authority.certificate, authority.key, asked, clock(), serial=7)
    assert await said(statuses, about(authority)) == "TRY_LATER"
    other = ScriptedAuthority(clock)
    namesake = ca_certificate(other.key, "issuing CA", clock())
    authority.lie = signed_status(namesake, other.key, asked, clock())
    clock.move(SECOND)
    assert await said(statuses, about(authority)) == "TRY_LATER"
    authority.lie = None
    clock.move(SECOND)
    assert await said(statuses, about(authority)) == "GOOD"
    assert authority.asked[SERIAL] == 3


async def test_unknown_and_answers_without_an_end_are_not_kept(
    statuses: Statuses, authority: ScriptedAuthority, clock: SetClock
) -> None:
    asked = _loaded(ocsp.encode_request(about(authority).certificate))
    authority.lie = signed_status(authority.certificate, authority.key, asked, clock(), unknown=True)
    assert await said(statuses, about(authority)) == "UNKNOWN"
    authority.lie = signed_status(authority.certificate, authority.key, asked, clock(), lasts=None)
    assert await said(statuses, about(authority)) == "GOOD"
    assert await said(statuses, about(authority)) == "GOOD"
    assert authority.asked[SERIAL] == 3


async def test_a_flood_of_numbers_asks_vault_for_a_few_at_a_time_and_washes_nothing_out(
    statuses: Statuses, authority: ScriptedAuthority, clock: SetClock
) -> None:
    for _ in range(2):
        await said(statuses, about(authority))
    authority.turn = asyncio.Event()
    flood = [asyncio.create_task(said(statuses, about(authority, 1000 + n))) for n in range(200)]
    await settled()
    # A client of ours is answered meanwhile.
    assert await said(statuses, about(authority)) == "GOOD"
    authority.turn.set()
    answers = await asyncio.gather(*flood)
    assert authority.most_inside == 4
    assert (answers.count("GOOD"), answers.count("TRY_LATER")) == (68, 132)
    authority.away = True
    for number in range(1000):
        await statuses.answer(about(authority, 10_000 + number))
    clock.move(2 * SECOND)
    assert await said(statuses, about(authority)) == "GOOD"
    assert authority.asked[SERIAL] == 1


def _loaded(der: bytes) -> x509_ocsp.OCSPRequest:
    return x509_ocsp.load_der_ocsp_request(der)
