"""Cut before or after every request: what is repeated then is done once (K2, K4, K6, K18, RED-09)."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.accounts import RedisAccounts
from acmeproxy.adapters.redis.authorizations import RedisAuthorizations
from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.ids import CertificateId
from acmeproxy.services.stores import Owner, StateAwayError
from tests.support.reply_dropper import Loss, reply_dropper
from tests.support.stored import (
    DAY,
    PATIENCE,
    START,
    TENANT,
    SetClock,
    answer,
    every_key,
    intent_for,
    load,
    new_account,
    new_order,
    stored_account,
)

Attempt = Callable[[Connection], Awaitable[object]]
#: Prepares what is there before, and returns whose it is and what is then attempted.
Scene = Callable[[Connection], Awaitable[tuple[Owner, Attempt]]]

CLOCK = SetClock()
#: Longer than any attempt takes: greeting the server, loading the scripts, the transition.
MOST: Final = 20


async def new_account_scene(_: Connection) -> tuple[Owner, Attempt]:
    owner, account = new_account()
    return owner, lambda state: RedisAccounts(state, CLOCK).create(TENANT, account)


async def new_order_scene(state: Connection) -> tuple[Owner, Attempt]:
    owner, _ = await stored_account(state)
    made = new_order(owner, ["a.alpha.example", "b.alpha.example"])
    return owner, lambda state: RedisOrders(state, CLOCK).create(owner, *made)


async def answer_scene(state: Connection) -> tuple[Owner, Attempt]:
    owner, _ = await stored_account(state)
    order, made = new_order(owner)
    await RedisOrders(state, CLOCK).create(owner, order, made)
    seen = (await load(state, owner, order.id)).authorizations[0]
    answered = seen.value.replace_challenge(seen.value.challenges[0].answer("token.thumbprint", START))
    return owner, lambda state: RedisAuthorizations(state, CLOCK).answer(owner, seen, answered)


async def finalize_scene(state: Connection) -> tuple[Owner, Attempt]:
    owner, _ = await stored_account(state)
    order, made = new_order(owner, status=ChallengeStatus.VALID)
    await RedisOrders(state, CLOCK).create(owner, order, made)
    seen = await load(state, owner, order.id)
    after = order.finalize(intent_for(order, b"csr", "key"))
    return owner, lambda state: RedisOrders(state, CLOCK).finalize(owner, seen, after)


async def conclude_scene(state: Connection) -> tuple[Owner, Attempt]:
    owner, finalize = await finalize_scene(state)
    await finalize(state)
    [name] = [key for key in await every_key(state) if ":order:" in key]
    order_id = name.rpartition(":")[2]
    [order] = [one.order for one in (await RedisOrders(state, CLOCK).page(owner, "", 10))[0]]
    assert order.value.id == order_id
    certificate = Certificate(
        CertificateId("c" * 32), owner.account, order.value.id, (), "01", (b"der",), START, START + DAY, START
    )
    issued = order.value.issue(certificate.id, START)
    return owner, lambda state: RedisOrders(state, CLOCK).conclude(owner, order, issued, certificate)


#: By scene: of which documents there is how many, and how many jobs are in the stream and due.
SCENES: dict[str, tuple[Scene, dict[str, int], int, int]] = {
    "newAccount": (new_account_scene, {"account": 1, "key": 1}, 0, 0),
    "newOrder": (new_order_scene, {"account": 1, "order": 1, "authorization": 2}, 0, 0),
    "answer": (answer_scene, {"order": 1, "authorization": 1}, 1, 1),
    "finalize": (finalize_scene, {"order": 1, "authorization": 1}, 1, 1),
    "conclude": (conclude_scene, {"order": 1, "certificate": 1}, 1, 0),
}


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("name", SCENES)
async def test_a_transition_that_is_cut_anywhere_is_done_once(
    name: str, loss: Loss, valkey: Valkey, state: Connection
) -> None:
    scene, documents, jobs, due = SCENES[name]
    _, attempt = await scene(state)
    await attempt(state)
    uncut = await _kinds(state)
    assert {kind: uncut[kind] for kind in documents} == documents
    cuts = 0
    async with reply_dropper(valkey.port) as dropper:
        for number in range(1, MOST):
            await answer(state, "FLUSHALL")
            await answer(state, "SCRIPT", "FLUSH")
            owner, attempt = await scene(state)
            before = await every_key(state)
            dropper.lose(number, loss)
            failed = await _fails(dropper.port, attempt)
            dropper.spare()
            cuts += failed
            if failed and loss is Loss.REQUEST:
                assert await every_key(state) == before
            # Again, as whoever was told nothing does, and once more, to see that it stays so.
            assert not await _fails(dropper.port, attempt)
            await attempt(state)
            assert await _kinds(state) == uncut
            assert await answer(state, "XLEN", f"{keys.tag(owner)}:jobs") == jobs
            assert await answer(state, "ZCARD", f"{keys.tag(owner)}:due") == due
            if not dropper.cut:
                break
    # The question for the file, the scripts and the transition were cut, and then there was no more to cut.
    assert 3 < cuts < MOST - 1


async def _fails(port: int, attempt: Attempt) -> bool:
    """Attempt over a connection of its own, through the proxy; tell whether it is unknown what came of it."""
    async with connect(f"redis://127.0.0.1:{port}/0", None, PATIENCE, Durability.AUTO) as state:
        try:
            await attempt(state)
        except StateAwayError:
            return True
        return False


async def _kinds(state: Connection) -> Counter[str]:
    names = [name for name in await every_key(state) if name.startswith(f"{{{TENANT}/")]
    return Counter(name.split(":")[1] for name in names)
