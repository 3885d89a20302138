"""Every web process hears of every revocation, before the client does, and knows when it may not have."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from acmeproxy.adapters.embedded.valkey import valkey as running_valkey
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.outcomes import RedisOutcomes
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import CertificateId, OrderId
from acmeproxy.core.order import Order
from tests.support.eventually import eventually
from tests.support.stored import PATIENCE, START, TENANT, new_account, new_order

LONG = timedelta(seconds=10)


class Notes:
    """Implements `Revocations` by writing down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begun(self, certificate: Certificate) -> None:
        self.told.append(f"doubt {certificate.serial}")

    def concluded(self, certificate: Certificate) -> None:
        self.told.append(certificate.serial)

    def listening(self, *, heard: bool) -> None:
        self.told.append("listening" if heard else "interrupted")


def certificate() -> Certificate:
    owner, _ = new_account()
    return Certificate(
        id=CertificateId("c" * 32),
        account_id=owner.account,
        order_id=OrderId("o" * 32),
        names=(),
        serial="13:93:b2",
        chain=(b"leaf", b"issuer"),
        not_before=START,
        not_after=START + LONG,
        issued_at=START,
    )


@asynccontextmanager
async def listening(state: Connection, notes: Notes) -> AsyncIterator[RedisOutcomes]:
    outcomes = RedisOutcomes(state, notes)
    task = asyncio.create_task(outcomes.listen())
    try:
        await told(notes, "listening")
        yield outcomes
    finally:
        task.cancel()


async def told(notes: Notes, last: str) -> None:
    async def it_was() -> bool:
        return notes.told[-1:] == [last]

    await eventually(it_was)


async def tell(state: Connection, subject: str, document: Order | Authorization | Certificate) -> None:
    await Commit(keys.shard_tag(TENANT, "0")).tell(subject, document).run(state)


async def test_a_revocation_is_heard_of_before_whoever_waits_for_it_is_told(state: Connection) -> None:
    """REV-20: when the client reads its answer, nothing says `good` any more."""
    notes = Notes()
    asked = certificate().revoke(None, START)
    async with listening(state, notes) as outcomes:
        with outcomes.certificate(asked.id) as watch:
            await tell(state, asked.id, asked.confirm_revoked(START))
            waiting = asyncio.create_task(watch.outcome(LONG))
            waiting.add_done_callback(lambda _: notes.told.append("the client"))
            assert await waiting == asked.confirm_revoked(START)
            await asyncio.sleep(0)
    assert notes.told == ["listening", "13:93:b2", "the client"]


async def test_other_outcomes_are_no_revocations(state: Connection) -> None:
    """An authorization can be revoked too, and a certificate that is to be revoked is in doubt."""
    notes = Notes()
    owner, _ = new_account()
    order, authorizations = new_order(owner)
    async with listening(state, notes):
        await tell(state, order.id, order)
        await tell(state, authorizations[0].id, msgspec.structs.replace(authorizations[0], revoked_at=START))
        await tell(state, "c", certificate().revoke(None, START))
        await tell(state, "c", certificate().revoke(None, START).confirm_revoked(START))
        await told(notes, "13:93:b2")
    assert notes.told == ["listening", "doubt 13:93:b2", "13:93:b2"]


async def test_an_interruption_is_told_of_and_its_end(tmp_path: Path) -> None:
    notes = Notes()
    async with (
        running_valkey(tmp_path) as first,
        connect(first.url, None, PATIENCE, Durability.AUTO) as state,
        listening(state, notes),
    ):
        await first.process.kill()
        await told(notes, "interrupted")
        async with running_valkey(tmp_path, port=first.port):
            await told(notes, "listening")
    assert notes.told[0] == "listening"
