"""The use cases of a worker over a real store, with a signer and a validator that do as they are told."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

import msgspec
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from acmeproxy import telemetry
from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.accounts import RedisAccounts, RedisCertifiedKeys
from acmeproxy.adapters.redis.authorizations import RedisAuthorizations
from acmeproxy.adapters.redis.connection import Connection
from acmeproxy.adapters.redis.jobs import RedisQueue
from acmeproxy.adapters.redis.ledger import RedisLedger
from acmeproxy.adapters.redis.limits import RedisLimits
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.adapters.redis.roles import RedisRoles
from acmeproxy.adapters.redis.surplus import RedisSurplus
from acmeproxy.core.account import Account
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.challenge import ChallengeStatus
from acmeproxy.core.job import Job, JobKind
from acmeproxy.core.order import Issued, Order
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.consent import Consent
from acmeproxy.services.handover import Handover
from acmeproxy.services.issuance import Issuance
from acmeproxy.services.limiting import Limiting
from acmeproxy.services.reports import Report
from acmeproxy.services.revoking import Revoking
from acmeproxy.services.roles import KnownRoles, RoleReading
from acmeproxy.services.signing import Signing
from acmeproxy.services.stores import Owner, Stored, Undelivered
from acmeproxy.services.validation import Retries, Validation
from acmeproxy.worker.dispatch import Dispatch
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.certificate_authority import CertificateAuthority
from tests.support.log_capture import captured
from tests.support.scripted_roles import ScriptedRoles
from tests.support.scripted_signer import ScriptedSigner
from tests.support.scripted_validator import ScriptedValidator
from tests.support.stored import (
    TENANT,
    SetClock,
    answer,
    intent_for,
    load,
    new_order,
    stored_account,
)

LEAVING: Final = timedelta(seconds=10)
SETTLING: Final = timedelta(seconds=25)
RETRIES: Final = Retries(attempts=3, delay=timedelta(seconds=2))


class Workshop:
    """What a worker works with, and a look at what came of it."""

    def __init__(self, state: Connection, clock: SetClock) -> None:
        self.state = state
        self.clock = clock
        self.tenants = {
            TENANT: Tenant(TENANT, VaultPlace("pki", "acme"), Names(("alpha.example", "*.alpha.example")))
        }
        self.authority = CertificateAuthority(clock)
        self.signer = ScriptedSigner(self.authority)
        self.validator = ScriptedValidator()
        self.orders = RedisOrders(state, clock)
        self.authorizations = RedisAuthorizations(state, clock)
        self.queue = RedisQueue(state, [TENANT], clock)
        ledger = RedisLedger(state, clock)
        consent = Consent({}, _account_url)
        surplus, certified = RedisSurplus(state, clock), RedisCertifiedKeys(state)
        anchors = {TENANT: (self.authority.root_der,)}
        handover = Handover(self.orders, surplus, certified, ledger, clock, anchors=anchors)
        self.signing = Signing(
            self.orders, surplus, ledger, self.signer, handover, clock, leaving=LEAVING, settling=SETTLING
        )
        self.published = RedisRoles(state)
        self.reader = ScriptedRoles()
        reading = RoleReading(self.reader, self.published, self.tenants)
        self.roles = KnownRoles(self.published, self.tenants, reading)
        self.issuance = Issuance(self.orders, self.signing, self.tenants, self.roles, clock, consent=consent)
        self.validation = Validation(
            self.authorizations,
            {TENANT: {self.validator.type: self.validator}},
            Limiting(RedisLimits(state), self.tenants, clock),
            clock,
            retries=RETRIES,
            account_url=_account_url,
            consent=consent,
        )
        self.metrics = telemetry.metrics("test")
        self.revoking = Revoking(ledger, surplus, self.signer, self.tenants, clock)
        self.dispatch = Dispatch(
            self.validation, self.issuance, self.revoking, reading, self.tenants, self.metrics
        )

    # --- what is there before ---------------------------------------------------------------------------

    async def ordered(
        self, status: ChallengeStatus, names: Sequence[str] = ("www.alpha.example",)
    ) -> tuple[Owner, Order]:
        """Store an account and an order."""
        owner, _ = await stored_account(self.state)
        order, authorizations = new_order(owner, names, status, self.clock())
        await self.orders.create(owner, order, authorizations)
        return owner, order

    async def finalized(
        self,
        names: Sequence[str] = ("www.alpha.example",),
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> tuple[Owner, Order]:
        """Store an account and an order that was finalized with an honest CSR."""
        owner, order = await self.ordered(ChallengeStatus.VALID, names)
        key = key or certificate_key()
        intent = intent_for(order, certificate_request(names, key), spki_digest(key), self.clock())
        processing = order.finalize(intent)
        await self.orders.finalize(owner, await load(self.state, owner, order.id), processing)
        return owner, processing

    async def close(self, owner: Owner) -> None:
        """Close the account, as its owner does."""
        stored = await self._account(owner)
        await RedisAccounts(self.state, self.clock).replace(
            owner.tenant, stored, stored.value.deactivate(self.clock())
        )

    async def contact(self, owner: Owner, url: str) -> None:
        """Change an account's contact, as its owner may at any time."""
        account = await self._account(owner)
        accounts = RedisAccounts(self.state, self.clock)
        await accounts.replace(owner.tenant, account, account.value.with_contact((url,)))

    async def give_up(self, owner: Owner, order: Order, which: int = 0) -> None:
        """Deactivate one of an order's authorizations."""
        seen = (await load(self.state, owner, order.id)).authorizations[which]
        await self.authorizations.conclude(owner, seen, seen.value.deactivate(self.clock()))

    # --- what is done -----------------------------------------------------------------------------------

    async def issue(self, owner: Owner, order: Order) -> Report:
        """Carry an order one step on."""
        return await self.issuance.issue(Job(JobKind.ISSUE, owner.tenant, owner.account, order.id))

    async def look(self, owner: Owner, order: Order) -> Report:
        """Look at an order's first authorization."""
        return await self.validation.look(looking(owner, order))

    async def drained(self) -> list[JobKind]:
        """Do whatever is due, and what becomes due by that, until nothing is; return what was done."""
        done: list[JobKind] = []
        while await self.queue.sweep() or await self._enqueued():
            for delivery in await self.queue.take():
                await self.dispatch(delivery.job)
                await self.queue.finish(delivery)
                done.append(delivery.job.kind)
        return done

    # --- what came of it --------------------------------------------------------------------------------

    async def order(self, owner: Owner, order: Order) -> Order:
        """Read an order."""
        return (await load(self.state, owner, order.id)).order.value

    async def authorization(self, owner: Owner, order: Order) -> Authorization:
        """Read an order's first authorization."""
        return (await load(self.state, owner, order.id)).authorizations[0].value

    async def certificate(self, owner: Owner, order: Order) -> Certificate:
        """Read the certificate that an order ended with."""
        progress = (await self.order(owner, order)).progress
        assert isinstance(progress, Issued), progress
        document = await answer(self.state, "GET", keys.certificate(owner, progress.certificate_id))
        assert isinstance(document, bytes)
        return msgspec.json.decode(document, type=Certificate)

    async def due(self, owner: Owner) -> dict[JobKind, float]:
        """Return in how many seconds an account's jobs are looked at again."""
        found = await answer(self.state, "ZRANGE", f"{keys.tag(owner)}:due", 0, -1, "WITHSCORES")
        assert isinstance(found, list)
        jobs = [msgspec.json.decode(member, type=Job) for member in found[::2]]
        now = self.clock().timestamp()
        return {job.kind: float(at) - now for job, at in zip(jobs, found[1::2], strict=True)}

    async def surplus(self, owner: Owner) -> list[bytes]:
        """Return the certificates of an account that are to be revoked."""
        return [one.leaf for one in await self.undelivered(owner)]

    async def undelivered(self, owner: Owner) -> list[Undelivered]:
        """Return the certificates of an account that are to be revoked, and where they were signed."""
        names = await answer(
            self.state, "KEYS", f"{keys.tag(owner)}:surplus:{owner.account}:*".replace("{", "?")
        )
        assert isinstance(names, list)
        found = [await answer(self.state, "GET", name) for name in sorted(names)]
        return [
            msgspec.json.decode(octets, type=Undelivered)
            for octets in found
            if isinstance(octets, bytes) and octets
        ]

    async def _enqueued(self) -> bool:
        streams = [f"{keys.shard_tag(TENANT, shard)}:jobs" for shard in "0123"]
        return any([await answer(self.state, "XLEN", stream) for stream in streams])

    async def _account(self, owner: Owner) -> Stored[Account]:
        document = await answer(self.state, "GET", keys.account(owner))
        assert isinstance(document, bytes)
        account = msgspec.json.decode(document, type=Account)
        found = await RedisAccounts(self.state, self.clock).find(owner.tenant, account.thumbprint)
        assert found is not None
        return found


@pytest.fixture(autouse=True)
def events() -> Iterator[structlog.testing.LogCapture]:
    """Keep what is logged, and print none of it."""
    with captured() as capture:
        yield capture


@pytest.fixture
def workshop(state: Connection, clock: SetClock) -> Workshop:
    """Set up a workshop over an empty store."""
    return Workshop(state, clock)


async def killed_during_the_call(
    workshop: Workshop, owner: Owner, order: Order, *, signed: bool = True
) -> None:
    """Have a worker end while Vault is asked, which has signed by then or has not."""
    entered = asyncio.Event()
    workshop.signer.script.append(workshop.signer.waits(entered, asyncio.Event(), signed_before=signed))
    victim = asyncio.create_task(workshop.issue(owner, order))
    await entered.wait()
    victim.cancel()
    assert await asyncio.gather(victim, return_exceptions=True)


def looking(owner: Owner, order: Order) -> Job:
    """Return the job to look at an order's first authorization."""
    return Job(JobKind.VALIDATE, owner.tenant, owner.account, order.authorizations[0])


def spki_digest(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the SHA-256 of a public key's SubjectPublicKeyInfo in hex."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()


def _account_url(owner: Owner) -> str:
    return f"https://acme.example/acme/{owner.tenant}/account/{owner.account}"
