"""A serving process, built from the settings."""

import asyncio
import enum
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Final

import msgspec
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

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
from acmeproxy.adapters.redis.surplus import RedisSurplus
from acmeproxy.adapters.vault.connection import AppRoleLogin, Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.ids import TenantName
from acmeproxy.services.administration import Administration
from acmeproxy.services.authentication import Authentication
from acmeproxy.services.certificates import Certificates
from acmeproxy.services.finalization import Finalization
from acmeproxy.services.issuance import Issuance
from acmeproxy.services.limiting import Limiting
from acmeproxy.services.ordering import Ordering
from acmeproxy.services.ports import Signer
from acmeproxy.services.publishing import Publishing
from acmeproxy.services.registration import Registration
from acmeproxy.services.renewal import Renewal
from acmeproxy.services.responding import Responding
from acmeproxy.services.revocation import Revocation
from acmeproxy.services.revoking import Revoking
from acmeproxy.services.rollover import Rollover
from acmeproxy.services.signing import Signing
from acmeproxy.services.validation import Retries, Validation
from acmeproxy.web.app import build_app
from acmeproxy.web.keys import Services
from acmeproxy.wiring import validating
from acmeproxy.wiring.publications import publications
from acmeproxy.worker.dispatch import Dispatch
from acmeproxy.worker.measured import MeasuredSigner
from acmeproxy.worker.runner import Runner

_PROBE_PATIENCE: Final = timedelta(milliseconds=500)


class Role(enum.StrEnum):
    """What a process does: answer clients, work for them, or both (design §3)."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"


class Assembly(msgspec.Struct, frozen=True):
    """A process put together: what listens, what works, and what must run meanwhile until cancelled."""

    app: web.Application | None
    runner: Runner | None
    chores: tuple[Callable[[], Coroutine[None, None, None]], ...]
    drain: Callable[[], None]


@asynccontextmanager
async def assemble(given: settings.Settings, role: Role) -> AsyncIterator[Assembly]:
    """Put a process together; nothing is asked of any server before it is needed.

    Raises:
        SettingsError: A worker lacks what it needs to log in to Vault.
    """
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(_state(given))
        signer = None
        if role is not Role.WEB:
            given.require_credentials()
            limit = given.vault.max_in_flight
            signer = await stack.enter_async_context(VaultSigner(_vaults(given), limit))
        metrics = telemetry.metrics(__version__)
        serving = _Serving(connection, signer, given.tenant_values().keys())
        chores: list[Callable[[], Coroutine[None, None, None]]] = []
        app = runner = None
        if role is not Role.WORKER:
            publishing = await stack.enter_async_context(publications(given, metrics))
            gate, outcomes = RedisGate(connection), RedisOutcomes(connection, publishing)
            await gate.learn()
            chores += [gate.keep_learning, outcomes.listen]
            services = _services(given, connection, gate, outcomes, publishing, metrics, serving)
            app = build_app(services, given.server.max_requests)
        if signer is not None:
            chores.append(signer.keep_logged_in)
            runner = _runner(given, connection, MeasuredSigner(signer, metrics), metrics)
            serving.on_drain = runner.drain
        yield Assembly(app, runner, tuple(chores), serving.drain)


@asynccontextmanager
async def administration(given: settings.Settings) -> AsyncIterator[Administration]:
    """Put together what operators' commands need."""
    async with _state(given) as connection:
        accounts = RedisAccounts(connection, utc_now)
        yield Administration(accounts, RedisEabKeys(connection), utc_now)


@asynccontextmanager
async def certificates(given: settings.Settings) -> AsyncIterator[Certificates]:
    """Put together what operators' commands need of issued certificates."""
    async with _state(given) as connection:
        yield Certificates(RedisLedger(connection, utc_now), RedisCampaigns(connection), utc_now)


class _Serving:
    """What `/readyz` tells."""

    def __init__(self, connection: Connection, signer: VaultSigner | None, tenants: Collection[str]) -> None:
        self._connection = connection
        self._signer = signer
        self._tenants = tenants
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
        if self._signer is None:
            return {}
        try:
            async with asyncio.timeout(_PROBE_PATIENCE.total_seconds()):
                return await self._signer.health()
        except TimeoutError:
            return dict.fromkeys(self._tenants, "one of the tenants' Vaults gave no answer in time")


def _state(given: settings.Settings) -> AbstractAsyncContextManager[Connection]:
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
        ordering=Ordering(orders, authorizations, limiting, renewal, utc_now),
        responding=Responding(
            authorizations, outcomes, limiting, utc_now, patience=given.server.challenge_wait
        ),
        finalization=Finalization(orders, outcomes, utc_now, patience=given.server.finalize_wait),
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


def _runner(
    given: settings.Settings, connection: Connection, signer: Signer, metrics: telemetry.Metrics
) -> Runner:
    tenants = given.tenant_values()
    orders = RedisOrders(connection, utc_now)
    ledger = RedisLedger(connection, utc_now)
    signing = Signing(
        orders,
        RedisSurplus(connection, utc_now),
        RedisCertifiedKeys(connection),
        ledger,
        signer,
        utc_now,
        anchors=_anchors(given),
        settling=given.vault.max_request_duration + given.vault.timeout,
    )
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
    issuance = Issuance(orders, signing, tenants, utc_now, consent=consent)
    queue = RedisQueue(connection, tuple(tenants), utc_now)
    revoking = Revoking(ledger, signer, tenants, utc_now)
    return Runner(queue, Dispatch(validation, issuance, signing, revoking, tenants, metrics))


def _vaults(given: settings.Settings) -> Mapping[TenantName, VaultConnection]:
    vault = given.vault
    return {
        name: VaultConnection(
            address=vault.address,
            login=_login(given.login(name)),
            namespace=tenant.vault.namespace,
            ca=str(vault.ca) if vault.ca else None,
            connect_timeout=vault.timeout / 5,
            read_timeout=vault.timeout * 4 / 5,
            deadline=vault.timeout,
            plain_http=vault.allow_insecure,
        )
        for name, tenant in given.tenant_values().items()
    }


def _login(login: settings.LoginSettings) -> TokenLogin | AppRoleLogin:
    if login.method == "token":
        return TokenLogin(Secret(login.token.get_secret_value() if login.token else ""))
    secret_id = login.secret_id.get_secret_value() if login.secret_id else ""
    return AppRoleLogin(login.role_id or "", Secret(secret_id), login.mount)


def _anchors(given: settings.Settings) -> Mapping[TenantName, Sequence[bytes]]:
    if given.vault.roots is None:
        return {}
    roots = x509.load_pem_x509_certificates(given.vault.roots.read_bytes())
    ders = tuple(root.public_bytes(Encoding.DER) for root in roots)
    return dict.fromkeys(given.tenant_values(), ders)
