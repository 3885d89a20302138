"""CAA between proof and certificate: asked after each proof, and again before an old one is signed by."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import dns.message
import dns.rcode
import pytest

from acmeproxy.adapters.redis.limits import RedisLimits
from acmeproxy.adapters.validation.caa import DnsCaa
from acmeproxy.adapters.validation.resolver import Resolver
from acmeproxy.core.authorization import AuthorizationStatus
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.ids import TenantName
from acmeproxy.core.job import JobKind
from acmeproxy.core.order import Abandoned, Issued, OrderStatus, Processing
from acmeproxy.core.problem import problem
from acmeproxy.core.reference import Reference
from acmeproxy.services.consent import Consent
from acmeproxy.services.issuance import Issuance
from acmeproxy.services.limiting import Limiting
from acmeproxy.services.stores import Owner
from acmeproxy.services.validation import Validation
from tests.support.dns_server import DnsServer, Reply, Zone, dns_server, failing, from_zone
from tests.support.stored import OTHER_TENANT, TENANT
from tests.support.workshop import RETRIES, Workshop

PROCESSING = ChallengeStatus.PROCESSING
OTHERS: Zone = {"www.alpha.example": {"CAA": ['0 issue "other.example"']}}
EIGHT_HOURS = timedelta(hours=8)
CAA = "urn:ietf:params:acme:error:caa"
DNS = "urn:ietf:params:acme:error:dns"


def account_url(owner: Owner) -> str:
    return f"https://acme.example/acme/{owner.tenant}/account/{owner.account}"


@asynccontextmanager
async def asking(
    workshop: Workshop, reply: Reply | Zone, tenant: TenantName = TENANT
) -> AsyncIterator[DnsServer]:
    """Have the workshop ask a name server for CAA records, for a tenant, from now on."""
    async with dns_server(reply) as server:
        resolver = Resolver(("127.0.0.1", server.port), timedelta(seconds=5))
        caa = DnsCaa(resolver, ("ca.example",), timedelta(seconds=5))
        consent = Consent({tenant: caa}, account_url)
        workshop.validation = Validation(
            workshop.authorizations,
            {TENANT: {workshop.validator.type: workshop.validator}},
            Limiting(RedisLimits(workshop.state), workshop.tenants, workshop.clock),
            workshop.clock,
            retries=RETRIES,
            account_url=account_url,
            consent=consent,
        )
        workshop.issuance = Issuance(
            workshop.orders,
            workshop.signing,
            workshop.tenants,
            workshop.roles,
            workshop.clock,
            consent=consent,
        )
        yield server


async def test_a_proof_that_nobody_objects_to_is_valid(workshop: Workshop) -> None:
    """CAA-15, CAA-16."""
    owner, order = await workshop.ordered(PROCESSING)
    async with asking(workshop, {}) as server:
        assert (await workshop.look(owner, order)).outcome == "valid"
        assert [name for name, _, _ in server.asked] == ["www.alpha.example.", "alpha.example.", "example."]


async def test_an_objection_ends_the_challenge_at_once(workshop: Workshop) -> None:
    """CAA-07, CAA-16, CAA-27: it is no failed attempt that another could mend."""
    owner, order = await workshop.ordered(PROCESSING)
    async with asking(workshop, OTHERS):
        report = await workshop.look(owner, order)
    assert report.outcome == "invalid"
    found = await workshop.authorization(owner, order)
    assert found.status(workshop.clock()) is AuthorizationStatus.INVALID
    assert found.error is not None
    assert (found.error.type, found.error.status) == (CAA, 403)
    assert "in the CAA records of www.alpha.example" in found.error.detail
    shown = (await workshop.order(owner, order)).error([found])
    assert shown is not None
    assert shown.type == CAA
    assert [fault.identifier.value for fault in shown.subproblems if fault.identifier] == [
        "www.alpha.example"
    ]


async def test_nobody_is_asked_before_the_proof(workshop: Workshop) -> None:
    owner, order = await workshop.ordered(PROCESSING)
    workshop.validator.sees(problem(Reference.HTTP01_CONTENT, "no"))
    async with asking(workshop, OTHERS) as server:
        assert (await workshop.look(owner, order)).outcome == "again"
        assert server.asked == []


async def test_what_cannot_be_found_out_is_no_attempt_and_ends_nothing(workshop: Workshop) -> None:
    """CAA-14, abuse case CAA-02: fails closed, and recovers by itself."""
    owner, order = await workshop.ordered(PROCESSING)
    async with asking(workshop, failing(dns.rcode.SERVFAIL)) as server:
        for _ in range(RETRIES.attempts + 2):
            assert (await workshop.look(owner, order)).outcome == "undecided"
        (challenge,) = (await workshop.authorization(owner, order)).challenges
        assert (challenge.status, challenge.attempts) == (PROCESSING, 0)
        assert challenge.error is not None
        assert challenge.error.type == DNS
        assert challenge.error.detail.endswith("[ref CAA-UNKNOWN]")
        server.reply = from_zone({})
        assert (await workshop.look(owner, order)).outcome == "valid"
    (challenge,) = (await workshop.authorization(owner, order)).challenges
    assert (challenge.status, challenge.error, challenge.failures) == (ChallengeStatus.VALID, None, ())


@pytest.mark.parametrize(
    ("waited", "delay"),
    [(0, 2), (1, 2), (5, 5), (300, 300), (600, 600), (4000, 600)],
)
async def test_the_pauses_grow_with_the_time_that_has_passed(
    workshop: Workshop, waited: int, delay: int
) -> None:
    """Seconds since the answer, and until the next look: no zone is asked every second for a day."""
    owner, order = await workshop.ordered(PROCESSING)
    workshop.clock.move(timedelta(seconds=waited))
    async with asking(workshop, failing(dns.rcode.REFUSED)):
        await workshop.look(owner, order)
    assert await workshop.due(owner) == {JobKind.VALIDATE: delay}


async def test_the_account_and_the_method_of_the_proof_count(workshop: Workshop) -> None:
    """CAA-18, CAA-20, CAA-21, abuse case CAA-06."""
    for methods, outcome in (("http-01", "valid"), ("dns-01", "invalid")):
        owner, order = await workshop.ordered(PROCESSING)
        value = f'0 issue "ca.example; accounturi={account_url(owner)}; validationmethods={methods}"'
        async with asking(workshop, {"alpha.example": {"CAA": [value]}}):
            assert (await workshop.look(owner, order)).outcome == outcome
            stranger, other = await workshop.ordered(PROCESSING)
            assert (await workshop.look(stranger, other)).outcome == "invalid"


@pytest.mark.parametrize(
    ("age", "outcome", "questions"),
    [(EIGHT_HOURS - timedelta(seconds=1), "issued", 0), (EIGHT_HOURS, "abandoned", 1)],
)
async def test_an_old_answer_is_not_signed_by(
    workshop: Workshop, age: timedelta, outcome: str, questions: int
) -> None:
    """CAA-16, CAA-01 (abuse): to the second."""
    owner, order = await workshop.finalized()
    workshop.clock.move(age)
    async with asking(workshop, OTHERS) as server:
        assert (await workshop.issue(owner, order)).outcome == outcome
        assert len(server.asked) == questions


async def test_before_signing_each_name_is_asked_about_by_itself(workshop: Workshop) -> None:
    """CAA-01 (abuse), CAA-27: of ten names the seventh forbids, and it is the one that is named."""
    names = [f"n{number}.alpha.example" for number in range(10)]
    owner, order = await workshop.finalized(names)
    workshop.clock.move(EIGHT_HOURS)
    async with asking(workshop, {names[6]: {"CAA": ['0 issue ";"']}}) as server:
        assert (await workshop.issue(owner, order)).outcome == "abandoned"
        assert {f"{name}." for name in names} <= {name for name, _, _ in server.asked}
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Abandoned)
    assert (progress.error.type, progress.error.status) == (CAA, 403)
    assert [fault.identifier.value for fault in progress.error.subproblems if fault.identifier] == [names[6]]
    assert workshop.signer.calls == []


async def test_before_signing_the_recorded_method_counts(workshop: Workshop) -> None:
    """CAA-25, CAA-07 (abuse): what was allowed by http-01 is not, once only dns-01 is."""
    owner, order = await workshop.finalized()
    workshop.clock.move(EIGHT_HOURS)
    async with asking(workshop, {"example": {"CAA": ['0 issue "ca.example; validationmethods=dns-01"']}}):
        assert (await workshop.issue(owner, order)).outcome == "abandoned"


async def test_before_signing_not_knowing_is_waiting(workshop: Workshop) -> None:
    """CAA-14: the order stays processing, is looked at again, and is issued once the zone answers."""
    names = ("www.alpha.example", "mail.alpha.example")
    owner, order = await workshop.finalized(names)
    workshop.clock.move(EIGHT_HOURS)

    def one_fails(query: dns.message.Message, over_tcp: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        fails = query.question[0].name.to_text() == "mail.alpha.example."
        return (failing(dns.rcode.SERVFAIL) if fails else from_zone({}))(query, over_tcp)

    async with asking(workshop, one_fails) as server:
        assert (await workshop.issue(owner, order)).outcome == "undecided"
        found = await workshop.order(owner, order)
        assert isinstance(found.progress, Processing)
        assert found.status([], workshop.clock()) is OrderStatus.PROCESSING
        assert await workshop.due(owner) == {JobKind.ISSUE: 15}
        server.reply = from_zone({})
        assert (await workshop.issue(owner, order)).outcome == "issued"
    assert isinstance((await workshop.order(owner, order)).progress, Issued)


async def test_waiting_ends_with_the_order(workshop: Workshop) -> None:
    """CAA-14: not knowing for a day is told as ours, and nothing is signed."""
    owner, order = await workshop.finalized()
    workshop.clock.move(timedelta(days=1))
    async with asking(workshop, failing(dns.rcode.SERVFAIL)):
        assert (await workshop.issue(owner, order)).outcome == "abandoned"
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Abandoned)
    assert progress.error.type.endswith(":serverInternal")


async def test_a_tenant_that_does_not_want_it_asks_nobody(workshop: Workshop) -> None:
    """CAA-26."""
    async with asking(workshop, OTHERS, OTHER_TENANT) as server:
        owner, order = await workshop.ordered(PROCESSING)
        assert (await workshop.look(owner, order)).outcome == "valid"
        assert server.asked == []
