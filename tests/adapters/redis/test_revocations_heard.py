"""Every web process hears of every revocation, before the client does, and knows when it may not have."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.embedded.valkey import valkey as running_valkey
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.commit import Commit
from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.outcomes import RedisOutcomes
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import CertificateId, OrderId
from acmeproxy.core.order import Order
from tests.support.cutting_proxy import Cut, CuttingProxy, cutting_proxy
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


@asynccontextmanager
async def far_away(valkey: Valkey) -> AsyncIterator[tuple[CuttingProxy, Connection]]:
    """Reach the store through a network that can fail; without an answer within half a second it has."""
    async with (
        cutting_proxy(valkey.port) as network,
        connect(f"redis://127.0.0.1:{network.port}/0", None, LONG / 20, Durability.AUTO) as state,
    ):
        yield network, state


async def test_a_connection_that_is_reset_is_an_interruption_although_the_store_is_there(
    valkey_server: Valkey,
) -> None:
    """What was published in between is lost, however quickly there is another connection."""
    notes = Notes()
    async with far_away(valkey_server) as (network, state), listening(state, notes):
        network.cut(b"PING", Cut.REQUEST)
        await told(notes, "interrupted")
        await told(notes, "listening")


async def test_a_connection_that_is_dead_without_an_end_is_an_interruption(valkey_server: Valkey) -> None:
    """A firewall that forgets a connection ends nothing: on a silent one nobody may say what he knew (A6)."""
    notes = Notes()
    async with far_away(valkey_server) as (network, state), listening(state, notes):
        network.swallow()
        await told(notes, "interrupted")


async def test_who_has_asked_for_news_does_not_listen_before_that_has_arrived(valkey_server: Valkey) -> None:
    """Else what is revoked between the two is `good` to who believes that all is heard."""
    notes = Notes()
    async with far_away(valkey_server) as (network, state):
        network.swallow(b"SUBSCRIBE")
        listener = asyncio.create_task(RedisOutcomes(state, notes).listen())
        await network.until(b"SUBSCRIBE")
        await told(notes, "interrupted")
        listener.cancel()
    assert notes.told == ["interrupted"]
