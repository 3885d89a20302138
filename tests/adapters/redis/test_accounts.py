"""Accounts and the keys that lead to them: one account a key, whatever comes at once (KEY-09)."""

import asyncio

import msgspec
import pytest

from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.accounts import RedisAccounts, RedisCertifiedKeys, RedisEabKeys
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.core.account import AccountStatus
from acmeproxy.core.eab import EabKey
from acmeproxy.services.account_stores import KeyCertifiedError
from acmeproxy.services.stores import StaleError
from tests.support.stored import (
    OTHER_TENANT,
    SECOND,
    START,
    TENANT,
    answer,
    every_key,
    new_account,
    stored_account,
)


async def test_of_fifty_accounts_with_one_key_one_is_made(state: Connection) -> None:
    """ACC-03, KEY-09: and the key leads to that one."""
    accounts = RedisAccounts(state, utc_now)
    _, first = new_account()
    rivals = [msgspec.structs.replace(first, id=accounts.new_id(first.thumbprint)) for _ in range(50)]
    ends = await asyncio.gather(*(accounts.create(TENANT, one) for one in rivals), return_exceptions=True)
    made = [one for one, end in zip(rivals, ends, strict=True) if end is None]
    assert len(made) == 1
    assert {type(end) for end in ends if end is not None} == {StaleError}
    found = await accounts.find(TENANT, first.thumbprint)
    assert found is not None
    assert found.value == made[0]
    assert len(await every_key(state)) == 2


async def test_an_account_lives_beside_its_key_for_ever(state: Connection) -> None:
    _, stored = await stored_account(state)
    account = stored.value
    shard = f"{{alpha/{account.id[0]}}}"
    names = {f"{shard}:key:{account.thumbprint}", f"{shard}:account:{account.id}"}
    assert set(await every_key(state)) == names
    assert {await answer(state, "TTL", name) for name in names} == {-1}


def test_an_accounts_id_is_its_keys_shard_and_128_random_bits() -> None:
    ids = {keys.account_id("thumbprint") for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(one) for one in ids} == {33}
    assert {one[0] for one in ids} == {keys.shard_of_key("thumbprint")}
    assert {keys.shard_of_key(str(n)) for n in range(100)} == {"0", "1", "2", "3"}


async def test_a_certified_key_becomes_no_account(state: Connection) -> None:
    """KEY-11 (RFC 8555 §11.1): refused as such and not as a race; only in the tenant that certified it."""
    _, account = new_account()
    await RedisCertifiedKeys(state).add(TENANT, account.thumbprint)
    before = await every_key(state)
    with pytest.raises(KeyCertifiedError):
        await RedisAccounts(state, utc_now).create(TENANT, account)
    assert await every_key(state) == before
    await RedisAccounts(state, utc_now).create(OTHER_TENANT, account)


async def test_a_key_is_another_one_in_another_tenant(state: Connection) -> None:
    """INV-3."""
    accounts = RedisAccounts(state, utc_now)
    _, stored = await stored_account(state)
    assert await accounts.find(OTHER_TENANT, stored.value.thumbprint) is None
    await accounts.create(OTHER_TENANT, stored.value)
    assert await accounts.find(OTHER_TENANT, stored.value.thumbprint) == stored


async def test_an_account_is_replaced_as_it_was_read(state: Connection) -> None:
    accounts = RedisAccounts(state, utc_now)
    _, stored = await stored_account(state)
    closed = stored.value.deactivate(START + SECOND)
    await accounts.replace(TENANT, stored, closed)
    with pytest.raises(StaleError):
        await accounts.replace(TENANT, stored, stored.value.with_contact(("mailto:a@b.example",)))
    found = await accounts.find(TENANT, stored.value.thumbprint)
    assert found is not None
    assert (found.value.status, found.value.closed_at) == (AccountStatus.DEACTIVATED, START + SECOND)


async def test_of_two_changes_at_once_one_is_made(state: Connection) -> None:
    accounts = RedisAccounts(state, utc_now)
    _, stored = await stored_account(state)
    wishes = [stored.value.with_contact((f"mailto:{n}@b.example",)) for n in range(20)]
    ends = await asyncio.gather(
        *(accounts.replace(TENANT, stored, wish) for wish in wishes), return_exceptions=True
    )
    assert [type(end) for end in ends].count(StaleError) == 19
    found = await accounts.find(TENANT, stored.value.thumbprint)
    assert found is not None
    assert found.value == wishes[ends.index(None)]


async def test_an_eab_key_is_kept_in_its_tenant_and_never_written_over(state: Connection) -> None:
    """ACC-05: a kid is looked up inside the tenant only."""
    eab_keys = RedisEabKeys(state)
    key = EabKey("eab_1", b"\x00secret\xff", START, label="for checkout")
    await eab_keys.add(TENANT, key)
    with pytest.raises(StaleError):
        await eab_keys.add(TENANT, msgspec.structs.replace(key, secret=b"other"))
    found = await eab_keys.get(TENANT, "eab_1")
    assert found is not None
    assert found.value == key
    assert await eab_keys.get(OTHER_TENANT, "eab_1") is None
    assert await eab_keys.get(TENANT, "eab_2") is None
