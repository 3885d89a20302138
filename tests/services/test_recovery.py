"""Answers that were lost: what was signed is found, or signed again, and never both (K12..K20)."""

import asyncio
import time
from datetime import timedelta

import msgspec
import pytest
from structlog.testing import LogCapture

from acmeproxy.core.job import JobKind
from acmeproxy.core.order import Abandoned, Issued, Order, Processing
from acmeproxy.services.stores import Owner
from tests.support.certificate_authority import Wish
from tests.support.stored import SECOND, START
from tests.support.workshop import SETTLING, Workshop, killed_during_the_call


async def lost(workshop: Workshop, *, signed: bool) -> tuple[Owner, Order]:
    """Have an order finalized whose answer from Vault was lost."""
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.loses(signed=signed))
    report = await workshop.issue(owner, order)
    assert (report.outcome, report.alarm) == ("uncertain", True)
    return owner, order


async def test_an_uncertain_order_stays_processing_and_is_looked_for_soon(workshop: Workshop) -> None:
    owner, order = await lost(workshop, signed=True)
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Processing)
    assert progress.intent.attempted_at == START
    assert await workshop.due(owner) == {JobKind.ISSUE: 1}


async def test_what_was_signed_is_found_and_adopted(workshop: Workshop) -> None:
    """K15, K16, VLT-02: Vault had stored it, and it is signed no second time."""
    owner, order = await lost(workshop, signed=True)
    workshop.clock.move(SECOND)
    assert (await workshop.issue(owner, order)).outcome == "adopted"
    certificate = await workshop.certificate(owner, order)
    assert certificate.adopted
    assert certificate.chain[0] == workshop.signer.store[0][1].leaf
    assert workshop.signer.calls == ["sign", "find"]
    assert await workshop.due(owner) == {}


async def test_where_nothing_is_found_it_is_waited_until_nothing_can_come_and_then_signed(
    workshop: Workshop,
) -> None:
    """K12, K13: for as long as Vault may work on a request and we on its answer."""
    owner, order = await lost(workshop, signed=False)
    pauses = [1.0]
    while workshop.clock() + pauses[-1] * SECOND < START + SETTLING:
        workshop.clock.move(pauses[-1] * SECOND)
        assert (await workshop.issue(owner, order)).outcome == "settling"
        pauses.append((await workshop.due(owner))[JobKind.ISSUE])
    # Half of what it was waited so far, and the last time when it is over: many may wait for a sick Vault.
    assert pauses == pytest.approx([1, 2, 2, 2.5, 3.75, 5.625, 8.125], abs=0.01)
    assert workshop.signer.calls == ["sign", *["find"] * 6]
    workshop.clock.move(pauses[-1] * SECOND)
    assert (await workshop.issue(owner, order)).outcome == "issued"
    assert workshop.signer.count("sign") == 2
    assert len(workshop.signer.store) == 1


async def test_what_comes_late_is_adopted_and_not_signed_again(workshop: Workshop) -> None:
    """K13: Vault was at it all the time."""
    owner, order = await lost(workshop, signed=False)
    workshop.clock.move(SECOND)
    assert (await workshop.issue(owner, order)).outcome == "settling"
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Processing)
    workshop.signer.keep(progress.intent)
    workshop.clock.move(SECOND)
    assert (await workshop.issue(owner, order)).outcome == "adopted"
    assert workshop.signer.count("sign") == 1


async def test_of_two_that_are_found_the_earliest_is_adopted_and_the_other_revoked(
    workshop: Workshop,
) -> None:
    """INV-5: one order delivers one certificate."""
    owner, order = await lost(workshop, signed=True)
    workshop.signer.keep(workshop.signer.store[0][0])
    workshop.signer.keep(workshop.signer.store[0][0])
    first, *others = [signed.leaf for _, signed in workshop.signer.store]
    workshop.clock.move(SECOND)
    assert (await workshop.issue(owner, order)).outcome == "adopted"
    assert (await workshop.certificate(owner, order)).chain[0] == first
    assert sorted(await workshop.surplus(owner)) == sorted(others)
    assert sorted(await workshop.drained()) == ["issue", "revoke-surplus", "revoke-surplus"]
    assert sorted(workshop.signer.revoked) == sorted(others)
    assert await workshop.surplus(owner) == []


async def test_what_is_found_is_held_against_the_order_too(workshop: Workshop) -> None:
    """FIN-19: adopted is not trusted."""
    owner, order = await lost(workshop, signed=False)
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Processing)
    found = workshop.signer.keep(progress.intent, Wish(names=("admin.alpha.example",)))
    workshop.clock.move(SECOND)
    assert (await workshop.issue(owner, order)).outcome == "mismatch"
    assert isinstance((await workshop.order(owner, order)).progress, Abandoned)
    assert await workshop.surplus(owner) == [found.leaf]


async def test_while_vault_cannot_be_asked_nothing_is_decided(workshop: Workshop) -> None:
    """INV-12: also not after the time in which it would be signed again."""
    owner, order = await lost(workshop, signed=True)
    workshop.signer.away = "sealed"
    workshop.clock.move(2 * SETTLING)
    report = await workshop.issue(owner, order)
    assert (report.outcome, report.alarm) == ("deferred", True)
    # Half of what it was waited so far: a store that cannot be searched is not hammered at.
    assert await workshop.due(owner) == {JobKind.ISSUE: 25}
    assert isinstance((await workshop.order(owner, order)).progress, Processing)
    workshop.signer.away = ""
    assert (await workshop.issue(owner, order)).outcome == "adopted"
    assert workshop.signer.count("sign") == 1


@pytest.mark.parametrize("signed", [True, False])
async def test_a_worker_that_is_killed_during_the_call_leaves_a_way_on(
    signed: bool,  # noqa: FBT001 - whether Vault had signed
    workshop: Workshop,
) -> None:
    """K12, K16: nobody comes back to say that the answer was lost."""
    owner, order = await workshop.finalized()
    await killed_during_the_call(workshop, owner, order, signed=signed)
    workshop.clock.move(timedelta(seconds=30))
    # The document says when to look again, whatever became of the job's entry in the stream.
    assert await workshop.drained() == [JobKind.ISSUE, JobKind.ISSUE]
    certificate = await workshop.certificate(owner, order)
    assert certificate.adopted is signed
    assert workshop.signer.count("sign") == (1 if signed else 2)
    assert len(workshop.signer.store) == 1


async def test_a_stale_workers_certificate_becomes_surplus(workshop: Workshop) -> None:
    """K8, K20: stopped during the call until another signed; woken, it signs as well, and loses."""
    owner, order = await workshop.finalized()
    entered, go_on = asyncio.Event(), asyncio.Event()
    workshop.signer.script.append(workshop.signer.waits(entered, go_on))
    stale = asyncio.create_task(workshop.issue(owner, order))
    await entered.wait()
    workshop.clock.move(timedelta(seconds=30))
    assert (await workshop.issue(owner, order)).outcome == "issued"
    delivered = await workshop.certificate(owner, order)
    go_on.set()
    assert (await stale).outcome == "overtaken"

    assert await workshop.certificate(owner, order) == delivered
    late = workshop.signer.store[1][1].leaf
    assert await workshop.surplus(owner) == [late]
    assert JobKind.REVOKE_SURPLUS in await workshop.drained()
    assert workshop.signer.revoked == [late]


async def test_a_stale_workers_certificate_that_was_adopted_is_no_surplus(workshop: Workshop) -> None:
    """K20: both hold the same one."""
    owner, order = await workshop.finalized()
    entered, go_on = asyncio.Event(), asyncio.Event()
    workshop.signer.script.append(workshop.signer.waits(entered, go_on, signed_before=True))
    stale = asyncio.create_task(workshop.issue(owner, order))
    await entered.wait()
    workshop.clock.move(timedelta(seconds=30))
    assert (await workshop.issue(owner, order)).outcome == "adopted"
    go_on.set()
    assert (await stale).outcome == "overtaken"
    assert await workshop.surplus(owner) == []
    assert isinstance((await workshop.order(owner, order)).progress, Issued)
    await workshop.drained()
    assert workshop.signer.revoked == []


async def test_a_surplus_certificate_is_revoked_for_as_long_as_it_takes(workshop: Workshop) -> None:
    """INV-5, K22: Vault is away, and nobody asks."""
    owner, order = await lost(workshop, signed=True)
    other = workshop.signer.keep(workshop.signer.store[0][0]).leaf
    workshop.clock.move(SECOND)
    assert (await workshop.issue(owner, order)).outcome == "adopted"
    workshop.signer.away = "sealed"
    assert JobKind.REVOKE_SURPLUS in await workshop.drained()
    for _ in range(3):
        workshop.clock.move(timedelta(seconds=31))
        assert await workshop.drained() == [JobKind.REVOKE_SURPLUS]
    assert await workshop.surplus(owner) == [other]
    workshop.signer.away = ""
    workshop.clock.move(timedelta(seconds=31))
    assert await workshop.drained() == [JobKind.REVOKE_SURPLUS]
    assert workshop.signer.revoked == [other]
    workshop.clock.move(timedelta(hours=1))
    assert await workshop.drained() == []


async def test_what_another_order_was_given_is_not_adopted(workshop: Workshop) -> None:
    """INV-5: a client ordered the same names with the same key twice, and the second answer was lost."""
    owner, first = await workshop.finalized(("www.alpha.example",))
    assert (await workshop.issue(owner, first)).outcome == "issued"
    intent, given = workshop.signer.store[0]

    owner, second = await workshop.finalized(("www.alpha.example",))
    workshop.signer.script.append(workshop.signer.loses(signed=False))
    assert (await workshop.issue(owner, second)).outcome == "uncertain"
    progress = (await workshop.order(owner, second)).progress
    assert isinstance(progress, Processing)
    # As Vault's store would show it to whoever looks for this key.
    workshop.signer.store[0] = (msgspec.structs.replace(intent, key=progress.intent.key), given)

    assert (await workshop.issue(owner, second)).outcome == "settling"
    assert await workshop.surplus(owner) == []


async def test_an_order_that_expired_ends_and_what_it_left_is_revoked_when_vault_is_back(
    workshop: Workshop,
) -> None:
    """FIN-22, INV-5: its client is told at last, and what may have been signed is not forgotten."""
    owner, order = await lost(workshop, signed=True)
    workshop.signer.away = "no handler for route"
    workshop.clock.move(timedelta(hours=24))
    report = await workshop.issue(owner, order)
    assert (report.outcome, report.alarm) == ("abandoned", True)
    ended = (await workshop.order(owner, order)).progress
    assert isinstance(ended, Abandoned)
    assert ended.error.type == "urn:ietf:params:acme:error:serverInternal"
    assert await workshop.due(owner) == {JobKind.ISSUE: 30}

    workshop.clock.move(30 * SECOND)
    assert (await workshop.issue(owner, order)).outcome == "deferred"
    assert await workshop.due(owner) == {JobKind.ISSUE: 15 * 60}
    workshop.signer.away = ""
    workshop.clock.move(15 * 60 * SECOND)
    assert set(await workshop.drained()) == {JobKind.ISSUE, JobKind.REVOKE_SURPLUS}
    assert workshop.signer.revoked == [workshop.signer.store[0][1].leaf]
    assert await workshop.due(owner) == {}
    assert (await workshop.order(owner, order)).progress == ended
    assert workshop.signer.count("sign") == 1


async def test_nothing_is_looked_for_beyond_its_end(workshop: Workshop, events: LogCapture) -> None:
    """A mount that is gone for good is not asked for ever; operators read what nobody saw."""
    owner, order = await lost(workshop, signed=True)
    workshop.signer.away = "no handler for route"
    workshop.clock.move(timedelta(hours=24))
    await workshop.issue(owner, order)
    asked = workshop.signer.count("find")
    workshop.clock.move(timedelta(hours=1))
    assert set(await workshop.drained()) == {JobKind.ISSUE}
    assert {entry["log_level"] for entry in events.entries if entry["event"] == "job.forgotten"} == {"error"}
    assert workshop.signer.count("find") == asked
    assert await workshop.due(owner) == {}


async def test_a_surplus_certificate_that_has_ended_is_let_be(workshop: Workshop) -> None:
    """Its mount may be gone: Vault would be asked for ever."""
    owner, order = await lost(workshop, signed=True)
    workshop.signer.keep(workshop.signer.store[0][0])
    await workshop.issue(owner, order)
    workshop.signer.away = "no handler for route"
    workshop.clock.move(timedelta(hours=25))
    assert JobKind.REVOKE_SURPLUS in await workshop.drained()
    assert await workshop.surplus(owner) == []
    assert await workshop.due(owner) == {}


async def test_a_request_may_leave_for_so_long_after_its_mark(workshop: Workshop) -> None:
    """K12, K20: until then others count on it that it may, from then on that it did not."""
    owner, order = await workshop.finalized()
    before = time.monotonic()
    await workshop.issue(owner, order)
    # The mark was written between the two.
    assert before + 10 <= workshop.signer.leave_by <= time.monotonic() + 10
