"""Documents as they are stored, a connection to store them over, and a clock that is set."""

import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import pytest
import pytest_asyncio

from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.accounts import RedisAccounts
from acmeproxy.adapters.redis.connection import Call, Connection, Durability, connect
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.core.account import Account
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.challenge import Challenge, ChallengeStatus, ChallengeType, key_authorization
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.ids import AuthorizationId, OrderId, TenantName, random_id
from acmeproxy.core.order import Intent, Order
from acmeproxy.services.stores import OrderWithAuthorizations, Owner, Stored
from tests.support.acme_keys import generate

TENANT: Final = TenantName("alpha")
OTHER_TENANT: Final = TenantName("beta")
START: Final = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)
#: For a server that is there: how busy this machine is says nothing of it.
PATIENCE: Final = timedelta(seconds=20)


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def clock() -> SetClock:
    """Return a clock that says noon."""
    return SetClock()


@pytest_asyncio.fixture
async def state(valkey: Valkey) -> AsyncIterator[Connection]:
    """Connect to the session's Valkey, which is empty."""
    async with connect(valkey.url, None, PATIENCE, Durability.AUTO) as connection:
        yield connection


async def answer(state: Connection, *words: str | bytes | float) -> object:
    """Send one command to the store, for a look behind the stage."""
    return (await state.read(Call(str(words[0]), words[1:])))[0]


async def every_key(state: Connection) -> dict[str, object]:
    """Return all that the store holds: by name of the key, what DUMP says of it."""
    names = await state.read(Call("KEYS", ("*",)))
    found: list[bytes] = sorted(names[0])
    values = await state.read(*(Call("DUMP", (name,)) for name in found)) if found else []
    return {name.decode(): value for name, value in zip(found, values, strict=True)}


def new_account(tenant: TenantName = TENANT) -> tuple[Owner, Account]:
    """Make an account with a fresh key."""
    key = generate()
    account = Account(keys.account_id(key.thumbprint), key.jwk, key.thumbprint, START)
    return Owner(tenant, account.id), account


async def stored_account(state: Connection, tenant: TenantName = TENANT) -> tuple[Owner, Stored[Account]]:
    """Store an account with a fresh key, and return it as it is read."""
    owner, account = new_account(tenant)
    await RedisAccounts(state, utc_now).create(tenant, account)
    found = await RedisAccounts(state, utc_now).find(tenant, account.thumbprint)
    assert found is not None
    return owner, found


def new_order(
    owner: Owner,
    names: Sequence[str] = ("www.alpha.example",),
    status: ChallengeStatus = ChallengeStatus.PENDING,
    now: datetime = START,
) -> tuple[Order, tuple[Authorization, ...]]:
    """Make an order whose challenges are all pending, all answered, or all passed."""
    order_id = OrderId(random_id())
    identifiers = tuple(Identifier(IdentifierType.DNS, name) for name in names)
    authorizations = tuple(
        Authorization(
            AuthorizationId(random_id()), owner.account, order_id, name, now + DAY, (_challenge(status, now),)
        )
        for name in identifiers
    )
    ids = tuple(authorization.id for authorization in authorizations)
    return Order(order_id, owner.account, identifiers, ids, now, now + DAY), authorizations


def intent_for(order: Order, csr: bytes, key: str, now: datetime = START) -> Intent:
    """Make the intent of an order, for a day's certificate."""
    return Intent(random_id(), csr, key, order.identifiers, 86400, now)


async def load(state: Connection, owner: Owner, order_id: OrderId) -> OrderWithAuthorizations:
    """Read an order that must be there."""
    found = await RedisOrders(state, SetClock()).load(owner, order_id)
    assert found is not None
    return found[1]


def _challenge(status: ChallengeStatus, now: datetime) -> Challenge:
    token = secrets.token_urlsafe(32)
    pending = Challenge(ChallengeType.HTTP01, token)
    if status is ChallengeStatus.PENDING:
        return pending
    answered = pending.answer(key_authorization(token, "thumbprint"), now)
    if status is ChallengeStatus.PROCESSING:
        return answered
    return msgspec.structs.replace(answered, status=status, attempts=1, validated_at=now)
