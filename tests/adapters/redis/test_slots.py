"""What one script touches lies in one slot, so that a cluster can hold it (design §5)."""

from datetime import timedelta

import pytest

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.accounts import RedisCertifiedKeys, RedisEabKeys
from acmeproxy.adapters.redis.authorizations import RedisAuthorizations
from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.gate import RedisGate
from acmeproxy.adapters.redis.jobs import RedisQueue
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.adapters.redis.surplus import RedisSurplus
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.eab import EabKey
from acmeproxy.core.ids import CertificateId
from acmeproxy.core.order import Issued
from acmeproxy.services.stores import Wanted
from tests.support.cutting_proxy import cutting_proxy
from tests.support.redis_protocol import commands, scripts, slot
from tests.support.stored import (
    DAY,
    PATIENCE,
    START,
    TENANT,
    SetClock,
    intent_for,
    load,
    new_order,
    stored_account,
)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"123456789", 12739),
        (b"foo", 12182),
        (b"{user1000}.following", 3443),
        (b"{user1000}.followers", 3443),
        (b"foo{}{bar}", 8363),
        (b"foo{{bar}}zap", 4015),
    ],
)
def test_slots_are_computed_as_the_servers_do(key: bytes, expected: int) -> None:
    """Values of CLUSTER KEYSLOT, the first of them the check value of the CRC."""
    assert slot(key) == expected


async def live(state: Connection) -> None:
    """Have every script called, from the first account to the last certificate."""
    clock = SetClock()
    orders, authorizations = RedisOrders(state, clock), RedisAuthorizations(state, clock)
    owner, account = await stored_account(state)
    await RedisEabKeys(state).add(TENANT, EabKey("kid", b"secret", START))
    order, made = new_order(owner, ["a.alpha.example", "b.alpha.example"])
    await orders.create(owner, order, made)
    gate = RedisGate(state)
    await gate.admit(TENANT, gate.mint(), Wanted(account=owner.account, order=order.id, held_key="k"))
    for seen in (await load(state, owner, order.id)).authorizations:
        challenge = seen.value.challenges[0].answer("token.thumbprint", START)
        answered = seen.value.replace_challenge(challenge)
        await authorizations.answer(owner, seen, answered)
        loaded = await authorizations.load(owner, seen.value.id)
        assert loaded is not None
        settled = answered.replace_challenge(challenge.conclude(None, START))
        await authorizations.conclude(owner, loaded[1], settled)
    found = await load(state, owner, order.id)
    assert {one.value.challenges[0].status for one in found.authorizations} == {ChallengeStatus.VALID}
    processing = order.finalize(intent_for(order, b"csr", "key"))
    await orders.finalize(owner, found, processing)
    seen_order = (await load(state, owner, order.id)).order
    marked = await orders.mark(owner, account, seen_order, processing.attempt(START), START)
    certificate = Certificate(
        CertificateId("c"),
        owner.account,
        order.id,
        order.identifiers,
        "01",
        (b"der",),
        START,
        START + DAY,
        START,
    )
    await orders.conclude(owner, marked, marked.value.issue(certificate.id, START), certificate)
    await RedisCertifiedKeys(state).add(TENANT, "thumbprint")
    await RedisSurplus(state, clock).add(owner, b"der")
    clock.move(timedelta(minutes=1))
    queue = RedisQueue(state, [TENANT], clock)
    await queue.sweep()
    for delivery in await queue.take():
        await queue.finish(delivery)
    assert isinstance((await load(state, owner, order.id)).order.value.progress, Issued)


async def test_the_keys_of_one_call_lie_in_one_slot(valkey: Valkey) -> None:
    names = scripts()
    async with (
        cutting_proxy(valkey.port) as proxy,
        connect(f"redis://127.0.0.1:{proxy.port}/0", None, PATIENCE, Durability.AUTO) as state,
    ):
        await live(state)
        said = list(commands(b"".join(proxy.requests)))
    called: set[str] = set()
    for command in said:
        if command[0] != b"EVALSHA":
            continue
        touched = command[3 : 3 + int(command[2])]
        called.add(names[command[1]])
        if names[command[1]] == "load_order.lua":
            # The keys of the authorizations are built from this prefix.
            touched.append(command[3 + int(command[2])])
        assert touched
        assert len({slot(key) for key in touched}) == 1, (names[command[1]], touched)
    assert called == {"commit.lua", "redeem.lua", "load_order.lua", "sweep.lua"}


def test_accounts_are_spread_over_shards_with_slots_of_their_own() -> None:
    ids = {keys.account_id(str(n)) for n in range(100)}
    tags = {keys.shard_tag(TENANT, one[0]) for one in ids}
    assert tags == {"{alpha/0}", "{alpha/1}", "{alpha/2}", "{alpha/3}"}
    assert len({slot(f"{tag}:jobs".encode()) for tag in tags}) == 4
