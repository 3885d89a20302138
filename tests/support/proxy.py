"""An acmeproxy in this process, put together as `serve` does it, on a free port of loopback.

It is reached as if a proxy that terminates TLS stood in front: its public URL is `https://acme.example`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import ClientSession, DummyCookieJar, web
from redis.asyncio import Redis

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.vault.provisioning import TenantPki
from acmeproxy.core.ids import TenantName
from acmeproxy.services.administration import Grant
from acmeproxy.settings import Settings, load
from acmeproxy.wiring.serving import Assembly, Role, administration, assemble
from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_jws import ExternalAccount
from tests.support.acme_keys import AccountKey, b64url
from tests.support.http01_responder import Http01Responder
from tests.support.settings_file import write
from tests.support.state import State

T = TypeVar("T")

PUBLIC_URL = "https://acme.example"
_NOBODY = "http://127.0.0.1:1"


@dataclass(frozen=True)
class Vault:
    """Where to sign: an address, and the roots that certificates must lead to."""

    address: str = _NOBODY
    roots: Path | None = None


@dataclass(frozen=True)
class Plan:
    """What a proxy is made of: its tenants as TOML under `[tenants.NAME]`, and what else differs.

    Attributes:
        tenants: TOML by tenant.
        role: What the process does; a worker logs in to Vault.
        vault: Where; nobody listens there by default.
        dns: The port of a name server on loopback.
        more: TOML by table (`server`, `vault`, `validation`).
        database: Processes on one database share their state and their jobs.
    """

    tenants: Mapping[str, str]
    role: Role = Role.WEB
    vault: Vault = field(default_factory=Vault)
    dns: int = 1
    more: Mapping[str, str] = field(default_factory=dict)
    database: int = 0

    def state_at(self, valkey: Valkey) -> str:
        """Return the URL of the state."""
        return f"{valkey.url.removesuffix('0')}{self.database}"


@dataclass(frozen=True)
class Proxy:
    """A running one. `responder` is the web server of every name that there is."""

    origin: str
    http: ClientSession
    state: State
    responder: Http01Responder
    settings: Settings = field(repr=False)

    def client(self, tenant: str = "alpha", key: AccountKey | None = None) -> AcmeClient:
        """Return a client that nobody knows yet."""
        directory = f"{PUBLIC_URL}/acme/{tenant}/directory"
        return AcmeClient(self.http, directory, key, pace=0.02, front=self.origin)

    async def account(
        self,
        tenant: str = "alpha",
        key: AccountKey | None = None,
        **members: Any,  # noqa: ANN401 - members of the request, of any JSON type
    ) -> AcmeClient:
        """Return a client with an account."""
        client = self.client(tenant, key)
        answer = await client.new_account(**members)
        assert answer.status in {200, 201}, answer.body
        return client

    async def eab_key(self, tenant: str) -> ExternalAccount:
        """Have the operator give a key out."""
        async with administration(self.settings) as operator:
            key = await operator.create_eab_key(TenantName(tenant), Grant("a test"))
        return ExternalAccount(key.kid, b64url(key.secret))

    async def order(self, client: AcmeClient, *names: str) -> Answer:
        """Place an order."""
        answer = await client.new_order(names)
        assert answer.status == 201, answer.body
        return answer

    async def challenge(self, client: AcmeClient, order: Answer) -> dict[str, Any]:
        """Return the http-01 challenge of an order's first authorization."""
        return http01(await client.get(order.json()["authorizations"][0]))

    async def ready(self, client: AcmeClient, *names: str) -> Answer:
        """Place an order, prove its names, and return it: ready."""
        order = await self.order(client, *names)
        await self.prove(client, order)
        shown = await client.get(order.location)
        assert shown.json()["status"] == "ready", shown.body
        return shown

    async def prove(self, client: AcmeClient, order: Answer) -> None:
        """Prove every name of an order."""
        for url in order.json()["authorizations"]:
            challenge = http01(await client.get(url))
            self.responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
            answered = await client.answer(challenge["url"])
            settled = await client.settled(challenge["url"], answered)
            assert settled.json()["status"] == "valid", settled.body


def http01(authorization: Answer) -> dict[str, Any]:
    """Return an authorization's http-01 challenge."""
    found: list[dict[str, Any]] = authorization.json()["challenges"]
    return next(challenge for challenge in found if challenge["type"] == "http-01")


@asynccontextmanager
async def proxy(
    directory: Path, valkey: Valkey, responder: Http01Responder, plan: Plan
) -> AsyncIterator[Proxy]:
    """Run a proxy until the context ends, and make sure that it knows by then which nonces are good."""
    settings = load(write(directory, _toml(valkey, responder, plan)))
    async with AsyncExitStack() as stack:
        assembly = await stack.enter_async_context(assemble(settings, plan.role))
        origin = await stack.enter_async_context(_listening(assembly))
        http = await stack.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))
        state = State(await stack.enter_async_context(_redis(plan.state_at(valkey))))
        await stack.enter_async_context(_working(assembly))
        running = Proxy(origin, http, state, responder, settings)
        await _learned(running.client(next(iter(plan.tenants))))
        yield running


@asynccontextmanager
async def hosted(context: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Enter and leave a context in one task: a fixture is set up and torn down in two different ones."""
    entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def host() -> None:
        async with context as value:
            entered.set_result(value)
            await leave.wait()

    task = asyncio.create_task(host())
    # Who fails to enter is done before anybody has.
    task.add_done_callback(lambda _: None if entered.done() else entered.cancel())
    await asyncio.wait([entered])
    if task.done():
        await task
    try:
        yield entered.result()
    finally:
        leave.set()
        await task


def tenant(policy: str, pki: TenantPki | None = None, role: str | None = None, token: str = "") -> str:
    """Return a tenant's TOML: its policy, and where it signs (nowhere without a PKI)."""
    if pki is None:
        return f'{policy}\nvault.role = "web"\nvault.login.token = "nobody-knows-it"\n'
    place, login = pki.place, pki.login
    lines = [
        policy,
        f'vault.namespace = "{place.namespace}"',
        f'vault.mount = "{place.mount}"',
        f'vault.role = "{role or place.role}"',
    ]
    if token:
        lines.append(f'vault.login.token = "{token}"')
    else:
        lines += [
            f'vault.login.mount = "{login.mount}"',
            f'vault.login.role_id = "{login.role_id}"',
            f'vault.login.secret_id = "{login.secret_id()}"',
        ]
    return "\n".join([*lines, ""])


def _toml(valkey: Valkey, responder: Http01Responder, plan: Plan) -> str:
    vault = f'address = "{plan.vault.address}"\nmax_request_duration = 10\n'
    vault += f'roots = "{plan.vault.roots}"\n' if plan.vault.roots else ""
    tables = {
        "server": f'mode = "development"\nlisten = "127.0.0.1:0"\npublic_url = "{PUBLIC_URL}"\n',
        "redis": f'url = "{plan.state_at(valkey)}"\n{_patience(plan)}',
        "vault": vault,
        "validation": f'resolver = "127.0.0.1:{plan.dns}"\nhttp_port = {responder.port}\n'
        'egress.allow = ["127.0.0.0/8"]\n',
        **{f"tenants.{name}": text for name, text in plan.tenants.items()},
    }
    return "\n".join(f"[{name}]\n{text}{plan.more.get(name, '')}" for name, text in tables.items())


def _patience(plan: Plan) -> str:
    """How busy this machine is says nothing of a store that is there; a plan may wait less."""
    return "" if "timeout" in plan.more.get("redis", "") else "timeout = 20\n"


@asynccontextmanager
async def _listening(assembly: Assembly) -> AsyncIterator[str]:
    assert assembly.app is not None
    # As `serve` does it.
    runner = web.AppRunner(
        assembly.app, access_log=None, handle_signals=False, auto_decompress=False, shutdown_timeout=1
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _working(assembly: Assembly) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(chore()) for chore in assembly.chores]
        if assembly.runner:
            running.append(tasks.create_task(assembly.runner.run()))
        try:
            yield
        finally:
            # The state store's client can lose a cancellation while it connects: it is told again.
            while pending := [task for task in running if not task.done()]:
                for task in pending:
                    task.cancel()
                await asyncio.wait(pending, timeout=0.1)


@asynccontextmanager
async def _redis(url: str) -> AsyncIterator[Redis]:
    redis = Redis.from_url(url)
    try:
        yield redis
    finally:
        await redis.aclose()


async def _learned(client: AcmeClient) -> None:
    """Ask until a nonce is taken: a process that never heard from the store makes some that are void."""
    async with asyncio.timeout(60):
        answer = await client.new_account(onlyReturnExisting=True)
        while answer.error == "badNonce":
            answer = await client.new_account(onlyReturnExisting=True)
    assert answer.error == "accountDoesNotExist", answer.body
