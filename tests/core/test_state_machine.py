"""Challenges, authorizations, an order, and a tiny model: ends are ends, twice is once (A12, A13, A14)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from acmeproxy.core.authorization import Authorization
from acmeproxy.core.challenge import Challenge, ChallengeType
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.ids import AccountId, AuthorizationId, CertificateId, OrderId
from acmeproxy.core.order import Intent, Order
from acmeproxy.core.problem import Problem, problem
from acmeproxy.core.reference import Reference

T = TypeVar("T")

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KINDS = (ChallengeType.HTTP01, ChallengeType.DNS01)
NAMES = tuple(Identifier(IdentifierType.DNS, name) for name in ("a.example", "b.example"))
FAULT = problem(Reference.DNS_FAILED, "no such name")
ALIVE = {"pending", "valid"}

numbers = st.integers(0, len(NAMES) - 1)
kinds = st.sampled_from(KINDS)
faults = st.sampled_from([None, FAULT])


class LifeOfAnOrder(RuleBasedStateMachine):
    """One order for two names, two challenges each; the second authorization ends before the order does.

    The model keeps one word for each thing, and changes it only where the tables of RFC 8555 §7.1.6 do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.authorizations = [_authorization(0, START + 8 * HOUR), _authorization(1, START + 4 * HOUR)]
        self.order = Order(
            id=OrderId("order"),
            account_id=AccountId("account"),
            identifiers=NAMES,
            authorizations=tuple(authorization.id for authorization in self.authorizations),
            created_at=START,
            expires=START + 8 * HOUR,
        )
        self.challenge_words = {(n, kind): "pending" for n in range(len(NAMES)) for kind in KINDS}
        self.authorization_words = ["pending"] * len(NAMES)
        self.order_word = "pending"

    @rule(hours=st.integers(1, 3))
    def time_passes(self, hours: int) -> None:
        self.now += hours * HOUR
        for n, authorization in enumerate(self.authorizations):
            if self.now >= authorization.expires and self.authorization_words[n] in ALIVE:
                self.authorization_words[n] = "expired"
        if self.now >= self.order.expires and self.order_word in {"pending", "ready"}:
            self.order_word = "invalid"
        self._follow()

    @rule(n=numbers, kind=kinds)
    def a_client_answers(self, n: int, kind: ChallengeType) -> None:
        self._step(n, kind, lambda challenge: challenge.answer("token.thumbprint", self.now))
        if self.challenge_words[n, kind] == "pending" and self._open(n):
            self.challenge_words[n, kind] = "processing"

    @rule(n=numbers, kind=kinds)
    def an_attempt_fails(self, n: int, kind: ChallengeType) -> None:
        authorization, challenge = self._find(n, kind)
        self.authorizations[n] = authorization.replace_challenge(challenge.failed_once(FAULT))

    @rule(n=numbers, kind=kinds, fault=faults)
    def a_worker_concludes(self, n: int, kind: ChallengeType, fault: Problem | None) -> None:
        """Maybe late: the authorization expired, was given up, or was settled by another challenge."""
        self._step(n, kind, lambda challenge: challenge.conclude(fault, self.now))
        if self.challenge_words[n, kind] == "processing" and self._open(n):
            word = "invalid" if fault else "valid"
            self.challenge_words[n, kind] = word
            if self.authorization_words[n] == "pending":
                self.authorization_words[n] = word
        self._follow()

    @rule(n=numbers)
    def a_client_gives_up(self, n: int) -> None:
        self.authorizations[n] = _twice(lambda value: value.deactivate(self.now), self.authorizations[n])
        if self.authorization_words[n] in ALIVE:
            self.authorization_words[n] = "deactivated"
        self._follow()

    @precondition(lambda self: self.order_word == "ready")
    @rule()
    def a_client_finalizes(self) -> None:
        self.order = _twice(lambda order: order.finalize(_intent(self.now)), self.order)
        self.order_word = "processing"

    @precondition(lambda self: self.order_word in {"processing", "valid"})
    @rule()
    def a_client_finalizes_again(self) -> None:
        assert self.order.finalize(_intent(self.now)) is self.order

    @rule()
    def a_worker_tries(self) -> None:
        self.order = self.order.attempt(self.now)

    @rule()
    def vault_signs_nothing(self) -> None:
        self.order = _twice(lambda order: order.nothing_signed(), self.order)

    @rule()
    def a_certificate_is_stored(self) -> None:
        self.order = _twice(lambda order: order.issue(CertificateId("certificate"), self.now), self.order)
        if self.order_word == "processing":
            self.order_word = "valid"

    @rule()
    def a_worker_abandons(self) -> None:
        self.order = _twice(lambda order: order.abandon(FAULT, self.now), self.order)
        if self.order_word != "valid":
            self.order_word = "invalid"

    @invariant()
    def statuses_are_the_models(self) -> None:
        assert {key: self._find(*key)[1].status.value for key in self.challenge_words} == self.challenge_words
        assert [a.status(self.now).value for a in self.authorizations] == self.authorization_words
        assert self.order.status(self.authorizations, self.now).value == self.order_word

    @invariant()
    def an_error_is_told_only_where_something_failed(self) -> None:
        for word, authorization in zip(self.authorization_words, self.authorizations, strict=True):
            assert (word == "invalid") <= (authorization.error is not None)
            assert (word == "valid") <= (authorization.error is None)
        if self.order_word in {"ready", "processing", "valid"}:
            assert self.order.error(self.authorizations) is None

    @invariant()
    def documents_come_back_as_they_were(self) -> None:
        assert msgspec.json.decode(msgspec.json.encode(self.order), type=Order) == self.order
        for authorization in self.authorizations:
            octets = msgspec.json.encode(authorization)
            assert msgspec.json.decode(octets, type=Authorization) == authorization

    def _find(self, n: int, kind: ChallengeType) -> tuple[Authorization, Challenge]:
        challenge = self.authorizations[n].challenge(kind)
        assert challenge is not None
        return self.authorizations[n], challenge

    def _step(self, n: int, kind: ChallengeType, change: Callable[[Challenge], Challenge]) -> None:
        def step(authorization: Authorization) -> Authorization:
            challenge = authorization.challenge(kind)
            assert challenge is not None
            return authorization.replace_challenge(_twice(change, challenge))

        self.authorizations[n] = _twice(step, self.authorizations[n])

    def _open(self, n: int) -> bool:
        """Tell whether no challenge has settled an authorization yet."""
        return not {"valid", "invalid"} & {self.challenge_words[n, kind] for kind in KINDS}

    def _follow(self) -> None:
        """Let an order that is not finalized be what its authorizations make of it."""
        if self.order_word not in {"pending", "ready"}:
            return
        words = set(self.authorization_words)
        if words - ALIVE:
            self.order_word = "invalid"
        else:
            self.order_word = "ready" if words == {"valid"} else "pending"


def _twice(step: Callable[[T], T], value: T) -> T:
    """Do a step, and again what came of it: delivered twice, it changes nothing more."""
    once = step(value)
    assert step(once) is once
    return once


def _authorization(n: int, expires: datetime) -> Authorization:
    return Authorization(
        id=AuthorizationId(f"authz-{n}"),
        account_id=AccountId("account"),
        order_id=OrderId("order"),
        identifier=NAMES[n],
        expires=expires,
        challenges=tuple(Challenge(kind, "token") for kind in KINDS),
    )


def _intent(now: datetime) -> Intent:
    return Intent("intent", b"csr", "key", NAMES, 86400, now)


TestLifeOfAnOrder = LifeOfAnOrder.TestCase
TestLifeOfAnOrder.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
