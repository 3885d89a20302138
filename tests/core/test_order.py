"""Every transition of an order (A12: OS-1..OS-14, ORD-02..04, ORD-09, ORD-10)."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from acmeproxy.core.authorization import Authorization
from acmeproxy.core.challenge import Challenge, ChallengeType
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.ids import AccountId, AuthorizationId, CertificateId, OrderId
from acmeproxy.core.order import Abandoned, Intent, Issued, Order, OrderStatus, Processing, digest
from acmeproxy.core.problem import Subject, problem
from acmeproxy.core.reference import Reference

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPIRES = NOW + timedelta(days=1)
LATE = EXPIRES + timedelta(days=100)
NAMES = (Identifier(IdentifierType.DNS, "a.example"), Identifier(IdentifierType.DNS, "*.b.example"))
FAULT = problem(Reference.HTTP01_CONTENT, "the response is not the key authorization")
ABANDONED = problem(Reference.SIGNING_REFUSED, "the CA refused")
Status = OrderStatus
States = tuple[Authorization, Authorization]


def pending(number: int) -> Authorization:
    return Authorization(
        id=AuthorizationId(f"authz-{number}"),
        account_id=AccountId("account"),
        order_id=OrderId("order"),
        identifier=NAMES[number],
        expires=EXPIRES,
        challenges=(Challenge(ChallengeType.HTTP01, "token").answer("proof", NOW),),
    )


def valid(number: int) -> Authorization:
    start = pending(number)
    return start.replace_challenge(start.challenges[0].conclude(None, NOW))


def invalid(number: int) -> Authorization:
    start = pending(number)
    return start.replace_challenge(start.challenges[0].failed_once(FAULT).conclude(FAULT, NOW))


ORDER = Order(
    id=OrderId("order"),
    account_id=AccountId("account"),
    identifiers=NAMES,
    authorizations=(AuthorizationId("authz-0"), AuthorizationId("authz-1")),
    created_at=NOW,
    expires=EXPIRES,
)
INTENT = Intent("intent", b"csr", "key", NAMES, 86400, NOW)
READY: States = (valid(0), valid(1))
PROCESSING = ORDER.finalize(INTENT)
ISSUED = PROCESSING.issue(CertificateId("certificate"), NOW)
ENDED = PROCESSING.abandon(ABANDONED, NOW)
EVERY_STATE = {"open": ORDER, "processing": PROCESSING, "issued": ISSUED, "abandoned": ENDED}


@pytest.mark.parametrize(
    ("authorizations", "when", "expected"),
    [
        pytest.param((pending(0), pending(1)), NOW, Status.PENDING, id="OS-1"),
        pytest.param((valid(0), pending(1)), NOW, Status.PENDING, id="OS-1 one valid"),
        pytest.param(READY, NOW, Status.READY, id="OS-2, OS-3"),
        pytest.param(tuple(reversed(READY)), NOW, Status.READY, id="OS-3 other sequence"),
        pytest.param((valid(0), invalid(1)), NOW, Status.INVALID, id="OS-4 invalid"),
        pytest.param((pending(0), pending(1).deactivate(NOW)), NOW, Status.INVALID, id="OS-4 deactivated"),
        pytest.param(
            (pending(0), msgspec.structs.replace(pending(1), revoked_at=NOW)),
            NOW,
            Status.INVALID,
            id="OS-4 revoked",
        ),
        pytest.param(
            (pending(0), msgspec.structs.replace(pending(1), expires=NOW)),
            NOW,
            Status.INVALID,
            id="OS-4 expired",
        ),
        pytest.param((pending(0), pending(1)), EXPIRES, Status.INVALID, id="OS-5, ORD-10"),
        pytest.param(READY, EXPIRES, Status.INVALID, id="OS-9 order expired"),
        pytest.param((valid(0), valid(1).deactivate(NOW)), NOW, Status.INVALID, id="OS-9 deactivated"),
        pytest.param(
            (valid(0), msgspec.structs.replace(valid(1), expires=NOW)), NOW, Status.INVALID, id="OS-9 expired"
        ),
        # INV-1: what is not there is not valid.
        pytest.param((valid(0),), NOW, Status.INVALID, id="one lost"),
        pytest.param((), NOW, Status.INVALID, id="all lost"),
        pytest.param((valid(0), valid(0)), NOW, Status.INVALID, id="one twice"),
    ],
)
def test_an_open_order_is_as_its_authorizations_are(
    authorizations: tuple[Authorization, ...], when: datetime, expected: Status
) -> None:
    """ORD-09: derived in the same read, so the two cannot disagree."""
    assert ORDER.status(authorizations, when) is expected


@pytest.mark.parametrize("when", [NOW, EXPIRES, LATE])
@pytest.mark.parametrize(
    "authorizations",
    [READY, (pending(0), invalid(1)), (valid(0).deactivate(NOW), valid(1)), ()],
    ids=["valid", "invalid", "deactivated", "lost"],
)
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param(PROCESSING, Status.PROCESSING, id="OS-6"),
        pytest.param(ISSUED, Status.VALID, id="OS-10, OS-13"),
        pytest.param(ENDED, Status.INVALID, id="OS-11, OS-14"),
    ],
)
def test_a_finalized_order_goes_its_own_way(
    order: Order, expected: Status, authorizations: tuple[Authorization, ...], when: datetime
) -> None:
    assert order.status(authorizations, when) is expected


def test_finalize_keeps_what_is_to_be_signed() -> None:
    """OS-6."""
    assert PROCESSING.progress == Processing(INTENT)
    assert msgspec.structs.replace(PROCESSING, progress=ORDER.progress) == ORDER


@pytest.mark.parametrize("state", ["processing", "issued", "abandoned"])
def test_finalize_happens_once(state: str) -> None:
    """OS-12, OS-13, OS-14, abuse CSR-13: whatever the caller has overlooked."""
    other = msgspec.structs.replace(INTENT, id="other", csr=b"other")

    assert EVERY_STATE[state].finalize(other) is EVERY_STATE[state]


def test_issuing_names_the_certificate_and_remembers_the_csr() -> None:
    """OS-10, ORD-02."""
    assert ISSUED.progress == Issued(CertificateId("certificate"), digest(b"csr"), NOW)
    assert digest(b"csr") == "c27338c453067b437471afbce792704d816112c6031bb996b62c698ea599ef80"


def test_abandoning_says_why() -> None:
    """OS-11, ORD-03."""
    assert ENDED.progress == Abandoned(ABANDONED, NOW)
    assert ENDED.error(READY) == ABANDONED
    assert ORDER.abandon(ABANDONED, NOW).progress == Abandoned(ABANDONED, NOW)


@pytest.mark.parametrize("state", ["issued", "abandoned"])
def test_nothing_leaves_an_end(state: str) -> None:
    """OS-13, OS-14."""
    order = EVERY_STATE[state]

    assert order.issue(CertificateId("other"), LATE) is order
    assert order.abandon(FAULT, LATE) is order
    assert order.attempt(LATE) is order
    assert order.nothing_signed() is order


@pytest.mark.parametrize(("waited", "seconds"), [(0, 1), (3, 1), (8, 2), (60, 15), (120, 30), (86400, 30)])
def test_who_has_waited_long_asks_again_later(waited: int, seconds: int) -> None:
    """HTTP-12, CLI-16: nobody polls through an outage as in the first second."""
    assert PROCESSING.wait(NOW + timedelta(seconds=waited)) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("wished", "seconds"), [(20, 20), (3600, 60), (0.1, 1), (-5, 1)])
def test_vaults_own_wish_is_passed_on(wished: float, seconds: int) -> None:
    """VLT-05: of a quota, but not of a gateway's hour of maintenance."""
    marked = PROCESSING.attempt(NOW).nothing_signed(NOW + timedelta(seconds=wished))
    assert marked.wait(NOW) == timedelta(seconds=seconds)
    assert marked.attempt(NOW).wait(NOW) == timedelta(seconds=1)


def test_an_open_order_cannot_be_signed() -> None:
    assert ORDER.issue(CertificateId("certificate"), NOW) is ORDER
    assert ORDER.attempt(NOW, "pki") is ORDER
    assert ORDER.nothing_signed() is ORDER


def intent(order: Order) -> Intent:
    assert isinstance(order.progress, Processing)
    return order.progress.intent


def test_an_attempt_is_marked_before_it_begins() -> None:
    """OS-16: while the mark stands, a certificate may exist that nobody has seen."""
    first = PROCESSING.attempt(NOW)
    settled = first.nothing_signed()
    second = settled.attempt(LATE)

    assert (intent(first).attempts, intent(first).attempted_at, intent(first).first_attempt_at) == (
        1,
        NOW,
        NOW,
    )
    assert (intent(settled).attempted_at, intent(settled).first_attempt_at) == (None, NOW)
    assert (intent(second).attempts, intent(second).attempted_at) == (2, LATE)
    # The search for it begins where the first attempt did.
    assert intent(second).first_attempt_at == NOW


@pytest.mark.parametrize(
    ("state", "csr", "expected"),
    [
        ("open", b"csr", False),
        ("processing", b"csr", True),
        ("processing", b"other", False),
        ("issued", b"csr", True),
        ("issued", b"other", False),
        ("abandoned", b"csr", False),
    ],
)
def test_the_very_same_csr_again_is_no_new_request(*, state: str, csr: bytes, expected: bool) -> None:
    """K18: the first answer was lost; another CSR is abuse CSR-13."""
    assert EVERY_STATE[state].repeats(csr) is expected


def test_one_failed_name_is_the_reason() -> None:
    """ORD-03, PRB-05: in a subproblem, with nothing below it."""
    reason = ORDER.error((valid(0), invalid(1)))

    assert reason is not None
    assert (reason.type, reason.status, reason.identifier) == (FAULT.type, 403, None)
    assert reason.detail == FAULT.detail
    assert reason.subproblems == (msgspec.structs.replace(FAULT, identifier=Subject("dns", "*.b.example")),)


def test_several_failed_names_are_told_together() -> None:
    """PRB-06; the sentence keeps its contract: one line, ending in a reference."""
    reason = ORDER.error((invalid(0), invalid(1)))

    assert reason is not None
    assert reason.detail == (
        "the response is not the key authorization; 2 names failed: a.example, *.b.example "
        "[ref HTTP01-CONTENT]"
    )
    assert [p.identifier for p in reason.subproblems] == [
        Subject("dns", "a.example"),
        Subject("dns", "*.b.example"),
    ]


def test_a_hundred_failed_names_do_not_make_an_endless_sentence() -> None:
    many = tuple(
        msgspec.structs.replace(
            invalid(0), identifier=Identifier(IdentifierType.DNS, f"{i}.{'a' * 60}.example")
        )
        for i in range(100)
    )

    reason = ORDER.error(many)

    assert reason is not None
    assert len(reason.detail) < 450
    assert reason.detail.endswith(" [ref HTTP01-CONTENT]")


@pytest.mark.parametrize("authorizations", [READY, (pending(0), pending(1)), ()])
def test_without_a_failure_there_is_no_reason(authorizations: tuple[Authorization, ...]) -> None:
    """ORD-03, PRB-12."""
    assert ORDER.error(authorizations) is None
    assert PROCESSING.error((invalid(0), invalid(1))) is None
    assert ISSUED.error((invalid(0), invalid(1))) is None


def test_a_name_that_was_proved_after_all_is_no_reason() -> None:
    """CHL-18: two challenges were tried, and one of them was good."""
    tried = msgspec.structs.replace(
        pending(0),
        challenges=(
            pending(0).challenges[0].conclude(FAULT, NOW),
            Challenge(ChallengeType.DNS01, "t").answer("proof", NOW).conclude(None, NOW),
        ),
    )

    assert ORDER.status((tried, valid(1)), NOW) is Status.READY
    assert ORDER.error((tried, valid(1))) is None


def test_statuses_are_those_of_the_rfc() -> None:
    """ORD-04."""
    assert {status.value for status in OrderStatus} == {"pending", "ready", "processing", "valid", "invalid"}
