"""The signer: Vault's PKI, behind the port that the use cases know."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.client import Answer
from acmeproxy.adapters.vault.connection import VaultConnection
from acmeproxy.adapters.vault.courier import Courier
from acmeproxy.adapters.vault.gate import Address, Gate, Heard, unheard
from acmeproxy.adapters.vault.issuers import Issuers
from acmeproxy.adapters.vault.login import Login
from acmeproxy.adapters.vault.metadata import Metadata
from acmeproxy.adapters.vault.place import check, sign_path
from acmeproxy.adapters.vault.store import Store
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.adapters.vault.verdict import verdict
from acmeproxy.core import role
from acmeproxy.core.identifier import IdentifierType
from acmeproxy.core.ids import TenantName
from acmeproxy.core.order import Intent
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Tenant, VaultPlace
from acmeproxy.services.ports import Signed, SigningDeferredError, SigningUncertainError

_LOG: Final = structlog.get_logger()
MAX_IN_FLIGHT: Final = 8
_HEALTH: Final = timedelta(seconds=15)
INTENT_HEADER: Final = "X-Acmeproxy-Intent"


class VaultSigner:
    """Signs, finds and revokes for every tenant, each with its own connection, namespace and token (INV-4).

    Made in a running event loop; ends its threads and connections with its context. At most `max_in_flight`
    requests are under way at one address, of which every tenant has its share. `heard` is told what the
    breakers do.
    """

    def __init__(
        self,
        connections: Mapping[TenantName, VaultConnection],
        max_in_flight: int = MAX_IN_FLIGHT,
        heard: Heard = unheard,
    ) -> None:
        self._connections = dict(connections)
        urls = {connection.address for connection in connections.values()}
        self._addresses = {url: Address(max_in_flight, url, heard) for url in urls}
        gates = {
            name: Gate(self._addresses[connection.address], name) for name, connection in connections.items()
        }
        self._logins = {name: Login(connection, gates[name]) for name, connection in connections.items()}
        self._couriers = {name: Courier(connection, gates[name]) for name, connection in connections.items()}
        self._metadata = {name: Metadata(login) for name, login in self._logins.items()}
        self._stores: dict[tuple[TenantName, VaultPlace], Store] = {}
        self._issuers: dict[tuple[TenantName, str], Issuers] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for courier in self._couriers.values():
            await courier.close()
        for login in self._logins.values():
            login.close()
        for address in self._addresses.values():
            address.close()

    async def sign(self, tenant: Tenant, intent: Intent) -> Signed:
        """Have an intent signed, as the port says; the request is never repeated by the transport."""
        login = self._login(tenant)
        metadata = self._metadata[tenant.name]
        extra = metadata.of(tenant.vault, intent)
        send = partial(
            self._couriers[tenant.name].post,
            sign_path(tenant.vault),
            body={**sign_request(intent), **extra},
            # Ties this request to the intent where Vault's audit log is told to show the header.
            headers={INTENT_HEADER: intent.id},
        )
        try:
            answer = await login.ask_by(lambda token: send(token=token))
        except UnsentError as error:
            raise SigningDeferredError(f"the request did not leave: {error}", error.retry_after) from None
        except LostError as error:
            raise SigningUncertainError(f"the answer was lost: {error}") from None
        signed = read_signed(answer)
        if signed is None:
            if extra and metadata.refused(tenant.vault, answer):
                raise SigningDeferredError(answer.reason)
            raise verdict(answer, intent)
        if answer.warnings:
            # A capped lifetime or an ignored parameter is told nowhere else.
            _LOG.warning("vault warned", tenant=tenant.name, intent=intent.id, warnings=answer.warnings)
        return await self._with_alternates(tenant, signed)

    async def find(self, tenant: Tenant, intent: Intent) -> Sequence[Signed]:
        """Look for what was signed for an intent, as the port says; revoked ones are not returned."""
        login = self._login(tenant)
        key = (tenant.name, tenant.vault)
        if key not in self._stores:
            self._stores[key] = Store(login, tenant.vault)
        found = await self._stores[key].find(intent)
        return tuple([await self._with_alternates(tenant, one) for one in found])

    async def revoke(self, tenant: Tenant, certificate: bytes) -> None:
        """Revoke by the certificate, which a lagging standby takes too. An expired one is done with."""
        pem = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM).decode()
        try:
            answer = await self._login(tenant).ask(
                "post", f"{tenant.vault.mount}/revoke", body={"certificate": pem}
            )
        except (UnsentError, LostError) as error:
            raise SigningDeferredError(f"no answer to the revocation: {error}", error.retry_after) from None
        revoked = answer.data is not None and answer.data.get("state") == "revoked"
        expired = any("already expired" in warning for warning in answer.warnings)
        if answer.status != HTTPStatus.OK or not (revoked or expired):
            raise SigningDeferredError(f"not revoked: {answer.reason}", answer.retry_after)

    async def read_role(self, tenant: Tenant) -> Role | None:
        """Read the role of a tenant's place, as the port says, and beside it what its endpoint takes."""
        place, login = tenant.vault, self._login(tenant)
        await self._metadata[tenant.name].learn(place)
        try:
            answer = await login.ask("get", f"{place.mount}/roles/{place.role}")
        except (UnsentError, LostError) as error:
            raise SigningDeferredError(f"no answer to the reading of a role: {error}") from None
        if answer.status == HTTPStatus.OK and answer.data is not None:
            return role.read(place.role, answer.data)
        if answer.status == HTTPStatus.FORBIDDEN:
            return None
        raise SigningDeferredError(f"the role was not read: {answer.reason}", answer.retry_after)

    @property
    def logins(self) -> Mapping[TenantName, Login]:
        """Who asks for every tenant: for questions about what its token may do."""
        return self._logins

    async def keep_logged_in(self) -> None:
        """Renew every tenant's token in time, until cancelled. For the task group of whoever owns us."""
        async with asyncio.TaskGroup() as tasks:
            for login in self._logins.values():
                tasks.create_task(login.keep())

    async def health(self, within: timedelta = _HEALTH) -> Mapping[str, str]:
        """Say for every tenant `ok`, or why its Vault, namespace or login does not work now.

        One that does not answer within a time is said to be silent, and is no reason to doubt the others.
        """
        names = tuple(self._logins)
        states = await asyncio.gather(*(self._state(name, within) for name in names))
        return dict(zip(names, states, strict=True))

    async def _with_alternates(self, tenant: Tenant, signed: Signed) -> Signed:
        key = (tenant.name, tenant.vault.mount)
        if key not in self._issuers:
            self._issuers[key] = Issuers(self._login(tenant), tenant.vault.mount)
        return msgspec.structs.replace(signed, alternates=await self._issuers[key].alternates(signed.issuers))

    async def _state(self, name: TenantName, within: timedelta) -> str:
        try:
            async with asyncio.timeout(within.total_seconds()):
                answer = await self._logins[name].ask("get", "auth/token/lookup-self")
        except TimeoutError:
            return "no answer in time"
        except (UnsentError, LostError, SigningDeferredError) as error:
            return str(error)
        return "ok" if answer.status == HTTPStatus.OK else answer.reason

    def _login(self, tenant: Tenant) -> Login:
        """Return who asks for a tenant, if its place is one that its connection was made for."""
        connection = self._connections.get(tenant.name)
        if connection is None or connection.namespace != tenant.vault.namespace:
            raise SigningDeferredError(f"no connection to Vault is configured for tenant {tenant.name}")
        try:
            check(tenant.vault)
        except ValueError as error:
            raise SigningDeferredError(str(error)) from None
        return self._logins[tenant.name]


def sign_request(intent: Intent) -> dict[str, Any]:
    """Ask for the order's names, whatever the request of the client says; it gives its key."""
    csr = x509.load_der_x509_csr(intent.csr).public_bytes(Encoding.PEM).decode()
    return {
        "csr": csr,
        "alt_names": _joined(intent, IdentifierType.DNS),
        "ip_sans": _joined(intent, IdentifierType.IP),
        "exclude_cn_from_sans": True,
        **_end(intent),
        "format": "pem",
        "remove_roots_from_chain": True,
    }


def _end(intent: Intent) -> dict[str, Any]:
    """Ask for a lifetime, or for the very end that the client ordered; Vault takes one of them."""
    if intent.not_after is None:
        return {"ttl": intent.lifetime}
    return {"not_after": intent.not_after.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _joined(intent: Intent, kind: IdentifierType) -> str:
    return ",".join(name.value for name in intent.names if name.type is kind)


def read_signed(answer: Answer) -> Signed | None:
    """Return the certificate of an answer to a sign, `None` if there is none."""
    if answer.status != HTTPStatus.OK or answer.data is None:
        return None
    leaf = chain.parse(answer.data.get("certificate"))
    above = answer.data.get("ca_chain") or []
    if leaf is None or not isinstance(above, list) or not all(isinstance(pem, str) for pem in above):
        return None
    issuers = chain.ders(tuple(above))
    if issuers is None:
        return None
    return Signed(chain.der([leaf])[0], issuers, answer.request_id)
