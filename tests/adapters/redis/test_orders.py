"""Orders: each transition one step, from new-order to the certificate."""

import asyncio
import hashlib
from datetime import timedelta

import msgspec
import pytest

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.authorizations import RedisAuthorizations
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.ids import CertificateId, OrderId, random_id
from acmeproxy.core.order import Issued, Order, OrderStatus, Processing
from acmeproxy.core.problem import problem
from acmeproxy.core.reference import Reference
from acmeproxy.services.stores import Owner, StaleError
from tests.support.stored import (
    DAY,
    SECOND,
    START,
    SetClock,
    answer,
    every_key,
    intent_for,
    load,
    new_account,
    new_order,
    stored_account,
)

CSR = b"a csr"
DAYS_31, DAYS_800 = 31 * 86400, 800 * 86400


async def placed(
    state: Connection, status: ChallengeStatus = ChallengeStatus.VALID
) -> tuple[Owner, RedisOrders, Order]:
    """Store an account with an order for two names."""
    owner, _ = await stored_account(state)
    orders = RedisOrders(state, SetClock())
    order, authorizations = new_order(owner, ["a.alpha.example", "b.alpha.example"], status)
    await orders.create(owner, order, authorizations)
    return owner, orders, order


def certificate_of(order: Order) -> Certificate:
    certificate_id = CertificateId(random_id())
    return Certificate(
        certificate_id,
        order.account_id,
        order.id,
        order.identifiers,
        "0a:0b",
        (b"der",),
        START,
        START + DAY,
        START,
    )


async def test_an_order_is_stored_with_its_authorizations_and_listed(state: Connection) -> None:
    """NOR-04; what may expire has its time to live from the first write."""
    owner, orders, order = await placed(state)
    found = await load(state, owner, order.id)
    assert found.order.value == order
    assert [one.value.id for one in found.authorizations] == list(order.authorizations)
    assert await answer(state, "TTL", keys.order(owner, order.id)) == DAYS_31
    assert {await answer(state, "TTL", keys.authorization(owner, one)) for one in order.authorizations} == {
        DAYS_31
    }
    assert [one.order.value for one in (await orders.page(owner, "", 10))[0]] == [order]


async def test_an_order_is_created_whole_or_not_at_all(state: Connection) -> None:
    """K4, RED-09."""
    owner, orders, first = await placed(state)
    before = await every_key(state)
    taken = (await load(state, owner, first.id)).authorizations[1].value
    other, authorizations = new_order(owner)
    with pytest.raises(StaleError):
        await orders.create(
            owner, other, (*authorizations, msgspec.structs.replace(taken, order_id=other.id))
        )
    assert await every_key(state) == before


async def test_nothing_is_found_of_another_owner(state: Connection) -> None:
    """INV-3."""
    owner, orders, order = await placed(state)
    stranger, _ = await stored_account(state)
    assert await orders.load(stranger, order.id) is None
    assert await orders.load(owner, OrderId("0" * 32)) is None
    assert await orders.page(stranger, "", 10) == ([], "")
    lost = new_account()[0]
    await orders.create(lost, *new_order(lost))
    assert await orders.load(lost, order.id) is None


async def test_pages_follow_each_other_without_a_gap(state: Connection) -> None:
    """OLS-04: oldest first, each order once, also those of the same moment, and the last page says so."""
    owner, _ = await stored_account(state)
    orders = RedisOrders(state, SetClock())
    made: list[OrderId] = []
    for n in range(25):
        order, authorizations = new_order(owner, now=START + SECOND * (n // 5))
        await orders.create(owner, order, authorizations)
        made.append(order.id)
    seen: list[OrderId] = []
    cursor, sizes = "", []
    while True:
        page, cursor = await orders.page(owner, cursor, 10)
        sizes.append(len(page))
        seen += [one.order.value.id for one in page]
        if not cursor:
            break
    assert sizes == [10, 10, 5]
    assert len(set(seen)) == 25
    fives = [set(made[n : n + 5]) for n in range(0, 25, 5)]
    assert [set(seen[n : n + 5]) for n in range(0, 25, 5)] == fives


async def test_orders_that_come_while_somebody_reads_shift_nothing(state: Connection) -> None:
    owner, orders, first = await placed(state)
    page, cursor = await orders.page(owner, "", 1)
    assert ([one.order.value.id for one in page], cursor) == ([first.id], "")
    second, authorizations = new_order(owner, now=START + SECOND)
    await orders.create(owner, second, authorizations)
    _, cursor = await orders.page(owner, "", 1)
    third, authorizations = new_order(owner, now=START + 2 * SECOND)
    await orders.create(owner, third, authorizations)
    page, cursor = await orders.page(owner, cursor, 10)
    assert ([one.order.value.id for one in page], cursor) == ([second.id, third.id], "")


async def test_orders_that_are_placed_at_once_are_all_listed(state: Connection) -> None:
    """STA-13: the list and the documents agree, and nobody is sent away for want of a connection."""
    owner, _ = await stored_account(state)
    orders = RedisOrders(state, SetClock())
    made = [new_order(owner) for _ in range(300)]
    await asyncio.gather(*(orders.create(owner, *one) for one in made))
    page, cursor = await orders.page(owner, "", 500)
    assert cursor == ""
    assert {one.order.value.id for one in page} == {order.id for order, _ in made}
    assert all(len(one.authorizations) == 1 for one in page)


async def test_a_cursor_that_is_none_of_ours_is_an_error(state: Connection) -> None:
    owner, orders, _ = await placed(state)
    with pytest.raises(ValueError, match="int"):
        await orders.page(owner, "x", 10)


async def test_finalizing_writes_the_intent_and_the_job(state: Connection) -> None:
    """K11: a hint in the stream, and a date after which somebody looks even without it."""
    owner, orders, order = await placed(state)
    intent = intent_for(order, CSR, "key")
    await orders.finalize(owner, await load(state, owner, order.id), order.finalize(intent))
    after = (await load(state, owner, order.id)).order.value
    assert after.progress == Processing(intent)
    assert await answer(state, "XLEN", f"{keys.tag(owner)}:jobs") == 1
    due = await answer(state, "ZRANGE", f"{keys.tag(owner)}:due", 0, -1, "WITHSCORES")
    job = {"kind": "issue", "tenant": "alpha", "account": owner.account, "subject": order.id}
    assert due == [msgspec.json.encode(job), b"1772366430"]
    assert await answer(state, "TTL", keys.order(owner, order.id)) == DAYS_800


@pytest.mark.parametrize("changed", [0, 1])
async def test_finalizing_is_stale_when_an_authorization_changed(changed: int, state: Connection) -> None:
    """STA-03: given up between the look and the write."""
    owner, orders, order = await placed(state)
    seen = await load(state, owner, order.id)
    given_up = seen.authorizations[changed]
    await RedisAuthorizations(state, SetClock()).conclude(owner, given_up, given_up.value.deactivate(START))
    before = await every_key(state)
    with pytest.raises(StaleError):
        await orders.finalize(owner, seen, order.finalize(intent_for(order, CSR, "key")))
    assert await every_key(state) == before


async def test_of_fifty_finalizations_one_is_written(state: Connection) -> None:
    """K10, STA-01."""
    owner, orders, order = await placed(state)
    seen = await load(state, owner, order.id)
    wishes = [order.finalize(intent_for(order, CSR, "key")) for _ in range(50)]
    ends = await asyncio.gather(
        *(orders.finalize(owner, seen, wish) for wish in wishes), return_exceptions=True
    )
    assert [type(end) for end in ends].count(StaleError) == 49
    assert (await load(state, owner, order.id)).order.value == wishes[ends.index(None)]
    assert await answer(state, "XLEN", f"{keys.tag(owner)}:jobs") == 1


async def finalized(state: Connection) -> tuple[Owner, RedisOrders, Order]:
    owner, orders, order = await placed(state)
    order = order.finalize(intent_for(order, CSR, "key"))
    await orders.finalize(owner, await load(state, owner, order.id), order)
    return owner, orders, order


async def test_marking_an_attempt_holds_only_while_the_account_is_as_it_was(state: Connection) -> None:
    """ACC-02: closed between the look and the call to Vault."""
    owner, orders, order = await finalized(state)
    loaded = await orders.load(owner, order.id)
    assert loaded is not None
    account, seen = loaded
    written = await orders.mark(owner, account, seen.order, order.attempt(START), START + SECOND)
    assert (await load(state, owner, order.id)).order == written
    assert await answer(state, "ZRANGE", f"{keys.tag(owner)}:due", 0, -1, "WITHSCORES") == [
        msgspec.json.encode(_job(owner, order)),
        b"1772366401",
    ]
    await answer(state, "SET", keys.account(owner), msgspec.json.encode(account.value.deactivate(START)))
    with pytest.raises(StaleError):
        await orders.mark(owner, account, written, written.value.attempt(START + SECOND), START + SECOND)
    assert (await load(state, owner, order.id)).order == written


async def test_of_two_workers_that_mark_at_the_same_microsecond_one_has_marked(state: Connection) -> None:
    """K10, K20: the very same document is not taken for a repetition, or both would ask Vault."""
    owner, orders, order = await finalized(state)
    loaded = await orders.load(owner, order.id)
    assert loaded is not None
    account, seen = loaded
    ends = await asyncio.gather(
        *(orders.mark(owner, account, seen.order, order.attempt(START), START + SECOND) for _ in range(20)),
        return_exceptions=True,
    )
    assert [type(end) for end in ends].count(StaleError) == 19


async def test_the_end_of_an_order_is_written_with_its_certificate(state: Connection) -> None:
    """K18, INV-5: and nobody looks at it any more."""
    owner, orders, order = await finalized(state)
    seen = (await load(state, owner, order.id)).order
    certificate = certificate_of(order)
    issued = order.issue(certificate.id, START)
    await orders.conclude(owner, seen, issued, certificate)
    assert (await load(state, owner, order.id)).order.value.progress == Issued(
        certificate.id, hashlib.sha256(CSR).hexdigest(), START
    )
    assert await orders.delivered(owner, certificate.id) == "0a:0b"
    assert await orders.delivered(owner, CertificateId("0" * 32)) is None
    assert await answer(state, "ZCARD", f"{keys.tag(owner)}:due") == 0
    assert await answer(state, "TTL", keys.certificate(owner, certificate.id)) == DAYS_800

    other = certificate_of(order)
    with pytest.raises(StaleError):
        await orders.conclude(owner, seen, order.issue(other.id, START), other)
    assert await orders.delivered(owner, other.id) is None


async def test_an_order_ends_without_a_certificate(state: Connection) -> None:
    owner, orders, order = await finalized(state)
    seen = (await load(state, owner, order.id)).order
    fault = problem(Reference.SIGNING_REFUSED, "no")
    await orders.conclude(owner, seen, order.abandon(fault, START), None)
    found = await load(state, owner, order.id)
    shown = [one.value for one in found.authorizations]
    assert found.order.value.status(shown, START) is OrderStatus.INVALID
    assert found.order.value.error(shown) == fault


async def test_an_order_is_looked_at_again_or_no_more(state: Connection) -> None:
    owner, orders, order = await finalized(state)
    due = f"{keys.tag(owner)}:due"
    await orders.look_again(owner, order, START + timedelta(minutes=5))
    assert await answer(state, "ZRANGE", due, 0, -1, "WITHSCORES") == [
        msgspec.json.encode(_job(owner, order)),
        b"1772366700",
    ]
    await orders.drop(owner, order)
    assert await answer(state, "ZCARD", due) == 0
    assert (await load(state, owner, order.id)).order.value == order


def _job(owner: Owner, order: Order) -> dict[str, str]:
    return {"kind": "issue", "tenant": owner.tenant, "account": owner.account, "subject": order.id}
