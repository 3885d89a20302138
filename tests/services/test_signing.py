"""A finalized order becomes one certificate: signed, held against the order, delivered (design §6)."""

import asyncio
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from acmeproxy.adapters.redis import keys
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.job import JobKind
from acmeproxy.core.order import Abandoned, Processing
from acmeproxy.services.reports import Report
from tests.support.acme_csr import certificate_key
from tests.support.certificate_authority import CertificateAuthority, Wish
from tests.support.stored import SECOND, START, answer, load
from tests.support.workshop import Workshop, spki_digest

SERVER_INTERNAL = "urn:ietf:params:acme:error:serverInternal"
NAMES = ("www.alpha.example", "alpha.example")


async def test_an_order_becomes_exactly_one_certificate(workshop: Workshop) -> None:
    """INV-5: asked for once, and nobody looks at the order any more."""
    key = certificate_key()
    owner, order = await workshop.finalized(NAMES, key)
    report = await workshop.issue(owner, order)

    certificate = await workshop.certificate(owner, order)
    leaf = x509.load_der_x509_certificate(certificate.chain[0])
    assert (report.outcome, report.alarm) == ("issued", False)
    assert report.fields["serial"] == certificate.serial
    assert spki_digest(key) == (await intent_key(workshop, leaf))
    assert [name.value for name in certificate.names] == list(NAMES)
    assert certificate.chain == (workshop.signer.store[0][1].leaf, workshop.signer.store[0][1].issuers[0])
    assert (certificate.issued_at, certificate.adopted) == (START, False)
    assert certificate.not_after == START + timedelta(days=1)
    assert workshop.signer.calls == ["sign"]
    assert await workshop.due(owner) == {}
    assert await workshop.surplus(owner) == []


async def intent_key(workshop: Workshop, leaf: x509.Certificate) -> str:
    [(intent, signed)] = workshop.signer.store
    assert x509.load_der_x509_certificate(signed.leaf) == leaf
    return intent.key


async def test_the_key_that_was_certified_becomes_no_accounts(workshop: Workshop) -> None:
    """KEY-11."""
    owner, order = await workshop.finalized()
    await workshop.issue(owner, order)
    marks = await answer(workshop.state, "KEYS", "*:certified:*")
    assert isinstance(marks, list)
    assert len(marks) == 1


async def test_what_is_done_is_not_done_again(workshop: Workshop) -> None:
    """K18, K20: the job comes twice."""
    owner, order = await workshop.finalized()
    await workshop.issue(owner, order)
    before = await workshop.order(owner, order)
    assert await workshop.issue(owner, order) == Report("dropped")
    assert await workshop.order(owner, order) == before
    assert workshop.signer.calls == ["sign"]


async def test_of_twenty_workers_with_one_job_one_asks(workshop: Workshop) -> None:
    """K10, K20: at the very same moment, to the microsecond."""
    owner, order = await workshop.finalized()
    reports = await asyncio.gather(*(workshop.issue(owner, order) for _ in range(20)))
    assert workshop.signer.count("sign") == 1
    outcomes = [report.outcome for report in reports]
    # Who comes late may find the certificate before whoever asked for it has written it down.
    assert outcomes.count("issued") + outcomes.count("adopted") == 1
    assert set(outcomes) <= {"issued", "adopted", "overtaken", "settling", "dropped"}
    assert len(workshop.signer.store) == 1
    assert await workshop.surplus(owner) == []


async def test_the_attempt_is_written_down_before_vault_is_asked(workshop: Workshop) -> None:
    """Threat-model §4.2: with the time of the attempt, and of the next look should nobody come back."""
    owner, order = await workshop.finalized()
    entered, go_on = asyncio.Event(), asyncio.Event()
    workshop.signer.script.append(workshop.signer.waits(entered, go_on))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(workshop.issue(owner, order))
        await entered.wait()
        progress = (await workshop.order(owner, order)).progress
        assert isinstance(progress, Processing)
        assert (progress.intent.attempts, progress.intent.attempted_at) == (1, START)
        assert progress.intent.first_attempt_at == START
        assert await workshop.due(owner) == {JobKind.ISSUE: 30}
        go_on.set()


async def test_a_vault_that_is_away_is_asked_later_and_later(workshop: Workshop) -> None:
    """FIN-22, INV-12: the order stays processing; each pause is twice the last, up to half a minute."""
    owner, order = await workshop.finalized()
    pauses = []
    for attempt in range(1, 8):
        workshop.signer.script.append(workshop.signer.defers())
        report = await workshop.issue(owner, order)
        assert (report.outcome, report.alarm) == ("deferred", True)
        progress = (await workshop.order(owner, order)).progress
        assert isinstance(progress, Processing)
        # Nothing was signed, so nothing is looked for.
        assert (progress.intent.attempts, progress.intent.attempted_at) == (attempt, None)
        pauses.append((await workshop.due(owner))[JobKind.ISSUE])
        workshop.clock.move(timedelta(seconds=pauses[-1]))
    assert pauses == [2, 4, 8, 16, 30, 30, 30]
    assert (await workshop.issue(owner, order)).outcome == "issued"
    assert workshop.signer.calls == ["sign"] * 8


async def test_vault_may_say_when_to_ask_again(workshop: Workshop) -> None:
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.defers(timedelta(seconds=7)))
    await workshop.issue(owner, order)
    assert await workshop.due(owner) == {JobKind.ISSUE: 7}
    # A gateway's page of maintenance may wish for more than an order lives.
    workshop.clock.move(timedelta(seconds=7))
    workshop.signer.script.append(workshop.signer.defers(timedelta(hours=1)))
    await workshop.issue(owner, order)
    assert await workshop.due(owner) == {JobKind.ISSUE: 60}


async def test_vault_may_say_when_to_look_again(workshop: Workshop) -> None:
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.loses(signed=True))
    assert (await workshop.issue(owner, order)).outcome == "uncertain"
    workshop.signer.away, workshop.signer.wish = "sealed", timedelta(seconds=3)
    assert (await workshop.issue(owner, order)).outcome == "deferred"
    assert await workshop.due(owner) == {JobKind.ISSUE: 3}


async def test_a_deferred_order_is_issued_by_whoever_looks_next(workshop: Workshop) -> None:
    """STA-09: through queue and dispatch, with nobody asking."""
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.defers())
    assert await workshop.drained() == [JobKind.ISSUE]
    workshop.clock.move(2 * SECOND)
    assert await workshop.drained() == [JobKind.ISSUE]
    assert (await workshop.certificate(owner, order)).adopted is False


async def test_what_vault_refuses_ends_the_order(workshop: Workshop) -> None:
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.refuses())
    report = await workshop.issue(owner, order)
    assert (report.outcome, report.alarm) == ("refused", True)
    assert report.fields["reason"] == "the role does not allow the name"
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Abandoned)
    assert (progress.error.type, progress.error.status) == (SERVER_INTERNAL, 500)
    # What Vault said is for operators.
    assert "role" not in progress.error.detail
    assert await workshop.due(owner) == {}
    assert workshop.signer.calls == ["sign"]


OTHER_KEY = certificate_key().public_key()
MISMATCHES = {
    "a name more": (Wish(names=("admin.alpha.example",)), "names"),
    "a wildcard": (Wish(names=("*.alpha.example",)), "names"),
    "an organization": (Wish(subject="Evil"), "subject"),
    "another key": (Wish(key=OTHER_KEY), "key"),
    "a CA": (Wish(ca=True), "CA"),
    "for anything": (Wish(usages=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), "TLS servers"),
    "for code": (
        Wish(usages=(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING)),
        "TLS servers",
    ),
    "too long": (Wish(lasts=timedelta(days=2)), "longer"),
    "over": (Wish(lasts=timedelta(seconds=-1)), "ended"),
    "not yet": (Wish(begins=timedelta(hours=1)), "begin"),
}


@pytest.mark.parametrize("what", MISMATCHES)
async def test_what_was_not_ordered_is_not_delivered_but_revoked(what: str, workshop: Workshop) -> None:
    """FIN-19, CSR-06, VLT-15, INV-2."""
    wish, reason = MISMATCHES[what]
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.signs(wish))
    await not_delivered(workshop, await workshop.issue(owner, order), reason)
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Abandoned)
    assert (progress.error.type, progress.error.status) == (SERVER_INTERNAL, 500)


async def test_what_another_ca_signed_is_not_delivered(workshop: Workshop) -> None:
    """VLT-15: a chain that holds together, to a root that is not the tenant's."""
    owner, order = await workshop.finalized()
    stranger = CertificateAuthority.unlike(workshop.clock)
    workshop.signer.script.append(workshop.signer.signs(authority=stranger))
    await not_delivered(workshop, await workshop.issue(owner, order), "root")


async def not_delivered(workshop: Workshop, report: Report, reason: str) -> None:
    assert (report.outcome, report.alarm) == ("mismatch", True)
    assert reason in report.fields["reason"]
    documents = await answer(workshop.state, "KEYS", "*:certificate:*")
    assert documents == []
    [(_, signed)] = workshop.signer.store
    assert await workshop.drained() == [JobKind.ISSUE, JobKind.REVOKE_SURPLUS]
    assert workshop.signer.revoked == [signed.leaf]


async def test_an_order_that_is_not_finalized_is_not_signed(workshop: Workshop) -> None:
    owner, order = await workshop.ordered(ChallengeStatus.VALID)
    assert await workshop.issue(owner, order) == Report("dropped")
    assert workshop.signer.calls == []


async def test_an_order_that_is_not_there_is_gone(workshop: Workshop) -> None:
    owner, order = await workshop.finalized()
    await answer(workshop.state, "DEL", keys.order(owner, order.id))
    assert await workshop.issue(owner, order) == Report("gone")
    assert workshop.signer.calls == []


async def test_an_outcome_is_told_to_whoever_waits(workshop: Workshop) -> None:
    owner, order = await workshop.finalized()
    async with workshop.state.subscribed("acmeproxy:outcomes") as messages:
        await workshop.issue(owner, order)
        message = await anext(messages)
    assert message.startswith(order.id.encode() + b" ")
    assert (await load(workshop.state, owner, order.id)).order.value.id == order.id
