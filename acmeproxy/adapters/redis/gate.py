"""The first round trip of a request: its nonce used up, its signer and its object read (design §5)."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.connection import Call, Connection, script
from acmeproxy.adapters.redis.documents import decode, stored
from acmeproxy.adapters.redis.holders import Holders
from acmeproxy.adapters.redis.nonces import LIFETIME, Mint, fresh_secret
from acmeproxy.adapters.redis.orders import load_order, order_read
from acmeproxy.core.account import Account
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ids import TenantName
from acmeproxy.services.stores import Admitted, NonceFault, Owner, StateAwayError, Wanted

_LEARN_EVERY: Final = timedelta(seconds=1)
_LEARN_WITHIN: Final = timedelta(seconds=2)


class RedisGate:
    """Implements `Gate`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._holders = Holders(connection)
        self._mint = Mint()

    def mint(self) -> str:
        """Return a fresh nonce."""
        return self._mint.make()

    async def admit(self, tenant: TenantName, nonce: str, wanted: Wanted) -> Admitted:
        """Use the nonce up and read what is wanted."""
        fault = self._mint.fault(nonce)
        calls = [self._redeem("" if fault else nonce)]
        calls += self._reads(tenant, wanted)
        answers = await self._connection.read(*calls)
        fault = self._learn(answers.pop(0), fault)
        return await self._admitted(tenant, wanted, fault, answers)

    async def learn(self) -> None:
        """Ask for the epoch, so that the nonces handed out from now on are known to everybody.

        Where the store is away, /readyz tells and requests get their own answer.
        """
        with suppress(StateAwayError, TimeoutError):
            async with asyncio.timeout(_LEARN_WITHIN.total_seconds()):
                self._learn((await self._connection.read(self._redeem("")))[0], None)

    async def keep_learning(self) -> None:
        """Ask for the epoch again and again, so that new-nonce hands out none of a void one."""
        while True:
            await self.learn()
            await asyncio.sleep(_LEARN_EVERY.total_seconds())

    def _redeem(self, nonce: str) -> Call:
        secret = self._mint.secret if nonce else ""
        names = (keys.NONCE_EPOCH, keys.used_nonce(nonce))
        return script("redeem", names, secret, int(LIFETIME.total_seconds()), fresh_secret())

    def _learn(self, answer: list[bytes], fault: NonceFault | None) -> NonceFault | None:
        outcome, self._mint.secret = answer[0].decode(), answer[1].decode()
        if fault is None and outcome != "fresh":
            return NonceFault(outcome)
        return fault

    def _reads(self, tenant: TenantName, wanted: Wanted) -> list[Call]:
        if wanted.thumbprint:
            return [Call("GET", (keys.key_holder(tenant, wanted.thumbprint),))]
        if not wanted.account:
            return []
        owner = Owner(tenant, wanted.account)
        calls = [Call("GET", (keys.account(owner),))]
        if wanted.order:
            calls.append(order_read(owner, wanted.order))
        if wanted.authorization:
            calls.append(Call("GET", (keys.authorization(owner, wanted.authorization),)))
        if wanted.certificate:
            calls.append(Call("GET", (keys.certificate(owner, wanted.certificate),)))
        if wanted.held_key:
            calls.append(Call("EXISTS", (keys.key_holder(tenant, wanted.held_key),)))
            calls.append(Call("EXISTS", (keys.blocked_key(tenant, wanted.held_key),)))
        return calls

    async def _admitted(
        self, tenant: TenantName, wanted: Wanted, fault: NonceFault | None, answers: list[Any]
    ) -> Admitted:
        if wanted.thumbprint:
            holder = answers[0]
            if holder is None:
                return Admitted(fault)
            return Admitted(fault, await self._holders.account(tenant, wanted.thumbprint, holder))
        if not wanted.account or answers[0] is None:
            return Admitted(fault)
        blocked = bool(answers.pop()) if wanted.held_key else False
        held = bool(answers.pop()) if wanted.held_key else False
        found = answers[1] if len(answers) > 1 else None
        return Admitted(
            fault,
            stored(answers[0], Account),
            order=load_order(found) if wanted.order and found else None,
            authorization=stored(found, Authorization) if wanted.authorization and found else None,
            certificate=decode(found, Certificate) if wanted.certificate and found else None,
            key_held=held,
            key_blocked=blocked,
        )
