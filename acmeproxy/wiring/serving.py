"""A serving process, built from the settings."""

import asyncio
import enum
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec
from aiohttp import web

from acmeproxy import __version__, settings, telemetry
from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.redis.accounts import RedisAccounts, RedisCertifiedKeys, RedisEabKeys
from acmeproxy.adapters.redis.authorizations import RedisAuthorizations
from acmeproxy.adapters.redis.connection import Connection, Durability, connect
from acmeproxy.adapters.redis.gate import RedisGate
from acmeproxy.adapters.redis.jobs import RedisQueue
from acmeproxy.adapters.redis.ledger import RedisCampaigns, RedisLedger
from acmeproxy.adapters.redis.limits import RedisLimits
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.adapters.redis.outcomes import RedisOutcomes
from acmeproxy.adapters.redis.roles import RedisRoles, RedisRoleWishes
from acmeproxy.adapters.redis.surplus import RedisSurplus
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.services.administration import Administration
from acmeproxy.services.authentication import Authentication
from acmeproxy.services.certificates import Certificates
from acmeproxy.services.finalization import Finalization
from acmeproxy.services.handover import Handover
from acmeproxy.services.issuance import Issuance
from acmeproxy.services.limiting import Limiting
from acmeproxy.services.ordering import Ordering
from acmeproxy.services.ports import Signer
from acmeproxy.services.proving import Proving
from acmeproxy.services.publishing import SIGNING, Publishing
from acmeproxy.services.registration import Registration
from acmeproxy.services.renewal import Renewal
from acmeproxy.services.responding import Responding
from acmeproxy.services.revocation import Revocation
from acmeproxy.services.revoking import Revoking
from acmeproxy.services.roles import KnownRoles, RoleReading
from acmeproxy.services.rollover import Rollover
from acmeproxy.services.signing import Signing
from acmeproxy.services.validation import Retries, Validation
from acmeproxy.web.app import build_app
from acmeproxy.web.keys import Services
from acmeproxy.wiring import proof, validating, vaults
from acmeproxy.wiring.publications import publications
from acmeproxy.worker.dispatch import Dispatch
from acmeproxy.worker.measured import MeasuredSigner, breaker_gauge, proof_gauges
from acmeproxy.worker.runner import Runner

_PROBE_PATIENCE: Final = timedelta(milliseconds=500)
#: As far as the clocks of two workers may be apart (threat-model §1.5).
_CLOCKS_APART: Final = timedelta(seconds=5)


class Role(enum.StrEnum):
    """What a process does: answer clients, work for them, or both (design §3)."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"


class Assembly(msgspec.Struct, frozen=True):
    """A process put together: what listens, what works, and what must run meanwhile until cancelled.

    `premise` is to be met before anything listens or works, and raises `UnprovenError` if it is not.
    """

    app: web.Application | None
    runner: Runner | None
    chores: tuple[Callable[[], Coroutine[None, None, None]], ...]
    drain: Callable[[], None]
    premise: Callable[[], Coroutine[None, None, None]]


@asynccontextmanager
async def assemble(given: settings.Settings, role: Role) -> AsyncIterator[Assembly]:
    """Put a process together; nothing is asked of any server before it is needed.

    Raises:
        SettingsError: A worker lacks what it needs to log in to Vault.
    """
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(state(given))
        metrics = telemetry.metrics(__version__)
        signer = None
        if role is not Role.WEB:
            given.require_credentials()
            limit = given.vault.max_in_flight
            heard = breaker_gauge(metrics)
            signer = await stack.enter_async_context(VaultSigner(vaults.vaults(given), limit, heard))
        serving = _Serving(connection, signer)
        chores: list[Callable[[], Coroutine[None, None, None]]] = []
        app = runner = None
        premise = _nothing
        published, tenants = RedisRoles(connection), given.tenant_values()
        reading = RoleReading(signer, published, tenants) if signer else None
        roles = KnownRoles(published, tenants, reading) if reading else None
        if role is not Role.WORKER:
            signing = {SIGNING: given.vault.at("", given.vault.authority.mount)}
            ledger = RedisLedger(connection, utc_now)
            publishing = await stack.enter_async_context(publications(given, metrics, ledger, signing))
            gate, outcomes = RedisGate(connection), RedisOutcomes(connection, publishing)
            await gate.learn()
            chores += [gate.keep_learning, outcomes.listen]
            roles = roles or KnownRoles(published, tenants, RedisRoleWishes(connection, outcomes))
            services = _services(given, connection, gate, outcomes, roles, publishing, metrics, serving)
            app = build_app(services, given.server.max_requests)
        if signer is not None and reading is not None and roles is not None:
            proving = Proving(partial(proof.prove, given, signer.logins), proof_gauges(metrics))
            chores += [signer.keep_logged_in, reading.keep_reading, proving.keep_looking]
            if given.vault.unsafe == "refuse":
                premise = proving.require
            runner = _runner(given, connection, MeasuredSigner(signer, metrics), roles, reading, metrics)
            serving.on_drain = runner.drain
        if roles is not None:
            chores.append(roles.keep_learning)
        yield Assembly(app, runner, tuple(chores), serving.drain, premise)


@asynccontextmanager
async def administration(given: settings.Settings) -> AsyncIterator[Administration]:
    """Put together what operators' commands need."""
    async with state(given) as connection:
        accounts = RedisAccounts(connection, utc_now)
        yield Administration(accounts, RedisEabKeys(connection), utc_now)


@asynccontextmanager
async def certificates(given: settings.Settings) -> AsyncIterator[Certificates]:
    """Put together what operators' commands need of issued certificates."""
    async with state(given) as connection:
        yield Certificates(RedisLedger(connection, utc_now), RedisCampaigns(connection), utc_now)


async def _nothing() -> None:
    """Require nothing."""


class _Serving:
    """What `/readyz` tells."""

    def __init__(self, connection: Connection, signer: VaultSigner | None) -> None:
        self._connection = connection
        self._signer = signer
        self._draining = False
        self.on_drain: Callable[[], None] = lambda: None

    def drain(self) -> None:
        self._draining = True
        self.on_drain()

    async def states(self) -> Mapping[str, str]:
        redis, vault = await asyncio.gather(self._connection.state(), self._vaults())
        return {
            "serving": "draining" if self._draining else "ok",
            "redis": redis,
            **{f"vault {tenant}": state for tenant, state in vault.items()},
        }

    async def _vaults(self) -> Mapping[str, str]:
        """Ask every tenant's Vault, but for no longer than whoever probes us will wait."""
        return await self._signer.health(_PROBE_PATIENCE) if self._signer else {}


def state(given: settings.Settings) -> AbstractAsyncContextManager[Connection]:
    """Open the state store; nothing is sent before the first use."""
    password = given.redis.password
    return connect(
        given.redis.url.get_secret_value(),
        password.get_secret_value() if password else None,
        given.redis.timeout,
        Durability(given.redis.durability),
    )


def _services(  # noqa: PLR0913, PLR0917 - the parts of one process
    given: settings.Settings,
    connection: Connection,
    gate: RedisGate,
    outcomes: RedisOutcomes,
    roles: KnownRoles,
    publishing: Publishing,
    metrics: telemetry.Metrics,
    serving: _Serving,
) -> Services:
    orders = RedisOrders(connection, utc_now)
    authorizations = RedisAuthorizations(connection, utc_now)
    accounts = RedisAccounts(connection, utc_now)
    limiting = _limiting(given, connection)
    ledger = RedisLedger(connection, utc_now)
    renewal = Renewal(ledger, RedisCampaigns(connection), orders, utc_now)
    return Services(
        tenants=given.tenant_values(),
        public_url=given.server.public_url,
        gate=gate,
        authentication=Authentication(gate),
        registration=Registration(accounts, RedisEabKeys(connection), limiting, utc_now),
        rollover=Rollover(accounts),
        ordering=Ordering(orders, authorizations, limiting, renewal, roles, utc_now),
        responding=Responding(
            authorizations, outcomes, limiting, utc_now, patience=given.server.challenge_wait
        ),
        finalization=Finalization(orders, outcomes, roles, utc_now, patience=given.server.finalize_wait),
        revocation=Revocation(
            ledger,
            authorizations,
            RedisCertifiedKeys(connection),
            outcomes,
            utc_now,
            patience=given.server.revoke_wait,
        ),
        renewal=renewal,
        publishing=publishing,
        clock=utc_now,
        metrics=metrics,
        readiness=serving.states,
    )


def _limiting(given: settings.Settings, connection: Connection) -> Limiting:
    return Limiting(RedisLimits(connection), given.tenant_values(), utc_now)


def _runner(  # noqa: PLR0913, PLR0917 - the parts of a worker
    given: settings.Settings,
    connection: Connection,
    signer: Signer,
    roles: KnownRoles,
    reading: RoleReading,
    metrics: telemetry.Metrics,
) -> Runner:
    tenants = given.tenant_values()
    orders = RedisOrders(connection, utc_now)
    ledger = RedisLedger(connection, utc_now)
    surplus = RedisSurplus(connection, utc_now)
    certified = RedisCertifiedKeys(connection)
    handover = Handover(orders, surplus, certified, ledger, utc_now, anchors=vaults.anchors(given))
    leaving = given.vault.timeout
    settling = leaving + given.vault.max_request_duration + _CLOCKS_APART
    signing = Signing(orders, surplus, ledger, signer, handover, utc_now, leaving=leaving, settling=settling)
    retries = Retries(given.validation.attempts, given.validation.retry_delay)
    consent = validating.consent(given)
    validation = Validation(
        RedisAuthorizations(connection, utc_now),
        validating.validators(given),
        _limiting(given, connection),
        utc_now,
        retries=retries,
        account_url=validating.account_url(given),
        consent=consent,
    )
    issuance = Issuance(orders, signing, tenants, roles, utc_now, consent=consent)
    queue = RedisQueue(connection, tuple(tenants), utc_now)
    revoking = Revoking(ledger, surplus, signer, tenants, utc_now)
    dispatch = Dispatch(validation, issuance, revoking, reading, tenants, metrics)
    return Runner(queue, dispatch, tenants=tenants)
