"""The first round trip: what is asked for is found, and only under its owner (INV-3)."""

import msgspec
import pytest

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.adapters.redis.gate import RedisGate
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import AccountId, CertificateId, OrderId
from acmeproxy.services.stores import Admitted, NonceFault, Wanted
from tests.support.stored import (
    OTHER_TENANT,
    START,
    TENANT,
    SetClock,
    answer,
    new_order,
    stored_account,
)


async def test_one_request_finds_its_account_and_its_order(state: Connection, clock: SetClock) -> None:
    owner, account = await stored_account(state)
    order, authorizations = new_order(owner, ["a.alpha.example", "b.alpha.example"])
    await RedisOrders(state, clock).create(owner, order, authorizations)
    gate = RedisGate(state)

    found = await gate.admit(TENANT, "", Wanted(account=owner.account, order=order.id))
    assert found.nonce_fault is NonceFault.MISSING
    assert found.account == account
    assert found.order is not None
    assert found.order.order.value == order
    assert tuple(one.value for one in found.order.authorizations) == authorizations

    one = authorizations[1]
    found = await gate.admit(TENANT, "", Wanted(account=owner.account, authorization=one.id))
    assert found.authorization is not None
    assert found.authorization.value == one

    nothing = await gate.admit(TENANT, "", Wanted(account=owner.account, order=OrderId("0" * 32)))
    assert nothing == Admitted(NonceFault.MISSING, account)


async def test_a_certificate_is_found(state: Connection) -> None:
    owner, _ = await stored_account(state)
    certificate = Certificate(
        CertificateId("c" * 32), owner.account, OrderId("0" * 32), (), "01", (b"der",), START, START, START
    )
    await answer(state, "SET", keys.certificate(owner, certificate.id), msgspec.json.encode(certificate))
    wanted = Wanted(account=owner.account, certificate=certificate.id)
    assert (await RedisGate(state).admit(TENANT, "", wanted)).certificate == certificate


async def test_a_stranger_finds_nothing(state: Connection, clock: SetClock) -> None:
    """INV-3: another account, or the same ids in another tenant, see what is missing."""
    owner, _ = await stored_account(state)
    stranger, theirs = await stored_account(state)
    order, authorizations = new_order(owner)
    await RedisOrders(state, clock).create(owner, order, authorizations)
    gate = RedisGate(state)
    for wanted in (
        Wanted(account=stranger.account, order=order.id),
        Wanted(account=stranger.account, authorization=authorizations[0].id),
    ):
        assert await gate.admit(TENANT, "", wanted) == Admitted(NonceFault.MISSING, theirs)
        elsewhere = msgspec.structs.replace(wanted, account=owner.account)
        assert await gate.admit(OTHER_TENANT, "", elsewhere) == Admitted(NonceFault.MISSING)


async def test_an_account_is_found_by_its_key_in_its_tenant_only(state: Connection) -> None:
    owner, account = await stored_account(state)
    wanted = Wanted(thumbprint=account.value.thumbprint)
    gate = RedisGate(state)
    assert (await gate.admit(TENANT, "", wanted)).account == account
    assert (await gate.admit(OTHER_TENANT, "", wanted)).account is None
    assert (await gate.admit(TENANT, "", Wanted(thumbprint="other"))).account is None
    assert (await gate.admit(TENANT, "", Wanted(account=AccountId("0" * 33)))).account is None
    assert owner.account == account.value.id


@pytest.mark.parametrize("mine", [True, False])
async def test_a_key_that_is_an_accounts_is_told(mine: bool, state: Connection) -> None:  # noqa: FBT001
    """KEY-10: whether the CSR's key is an account's is read in the same step."""
    owner, account = await stored_account(state)
    _, other = await stored_account(state)
    held = (account if mine else other).value.thumbprint
    gate = RedisGate(state)
    for thumbprint, expected in ((held, True), ("nobody's", False)):
        wanted = Wanted(account=owner.account, order=OrderId("0" * 32), held_key=thumbprint)
        found = await gate.admit(TENANT, "", wanted)
        assert (found.key_held, found.account, found.order) == (expected, account, None)


async def test_a_document_that_cannot_be_read_is_no_absent_one(state: Connection) -> None:
    """RED-08."""
    owner, _ = await stored_account(state)
    await answer(state, "SET", keys.account(owner), b'{"id": 5}')
    with pytest.raises(msgspec.ValidationError):
        await RedisGate(state).admit(TENANT, "", Wanted(account=owner.account))
