"""A real OpenBao with a PKI of two tenants for the tests, and what they ask of it."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.vault.connection import VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy, provision
from acmeproxy.core.identifier import Identifier, IdentifierType, parse
from acmeproxy.core.ids import TenantName
from acmeproxy.core.order import Intent
from acmeproxy.core.tenant import Names, Tenant
from tests.support.acme_csr import certificate_key, certificate_request

ALPHA = TenantName("alpha")
BETA = TenantName("beta")
SUFFIXES: Mapping[str, tuple[str, ...]] = {ALPHA: ("alpha.example",), BETA: ("beta.example",)}
_DEADLINE = 60


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def openbao(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenBao]:
    """Run one, in memory, for the session: never seal or stop it."""
    async with running_openbao(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture(scope="session")
def pki_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the session's PKI keeps its root."""
    return tmp_path_factory.mktemp("pki")


@pytest.fixture(scope="session")
def hierarchy(openbao: OpenBao, pki_directory: Path) -> Hierarchy:
    """Return the session's PKI: tenants alpha and beta, for names below alpha.example and beta.example."""
    return provision(openbao.address, openbao.root_token, pki_directory, SUFFIXES)


def connections(hierarchy: Hierarchy, port: int) -> dict[TenantName, VaultConnection]:
    """Return every tenant's connection, to a port of loopback: the server's, or a proxy's in front of it."""
    return {
        TenantName(name): VaultConnection(f"http://127.0.0.1:{port}", pki.login, pki.place.namespace)
        for name, pki in hierarchy.tenants.items()
    }


def tenant(hierarchy: Hierarchy, name: TenantName = ALPHA) -> Tenant:
    """Return a tenant with its place in the PKI."""
    return Tenant(name, hierarchy.tenants[name].place, Names(SUFFIXES[name]))


def intent(
    names: Sequence[str],
    *,
    key: ec.EllipticCurvePrivateKey | None = None,
    csr: bytes | None = None,
    lifetime: int = 3600,
) -> Intent:
    """Return an intent whose first attempt begins now; the request has its names unless one is given."""
    key = key or certificate_key()
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    now = datetime.now(UTC)
    return Intent(
        uuid.uuid4().hex,
        csr or certificate_request(names, key),
        hashlib.sha256(public).hexdigest(),
        tuple(_identifier(name) for name in names),
        lifetime,
        now,
        attempts=1,
        attempted_at=now,
        first_attempt_at=now,
    )


async def as_root(
    server: OpenBao, method: str, path: str, namespace: str = "", body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Have the operator do something, and return the whole answer."""
    headers = {"X-Vault-Token": server.root_token, "X-Vault-Namespace": namespace}
    if method == "PATCH":
        headers["Content-Type"] = "application/merge-patch+json"
    response = await asyncio.to_thread(
        requests.request,
        method,
        f"{server.address}/v1/{path}",
        headers=headers,
        json=body,
        timeout=_DEADLINE,
    )
    if method == "LIST" and is_empty_list(response):
        return {"data": {"keys": []}}
    assert response.ok, response.text
    answer: dict[str, Any] = response.json() if response.content else {}
    return answer


def is_empty_list(response: requests.Response) -> bool:
    """Tell whether the answer to a list is that there is nothing: a 404 without a reason."""
    return response.status_code == HTTPStatus.NOT_FOUND and response.json() == {"errors": []}


def _identifier(name: str) -> Identifier:
    kind = IdentifierType.IP if name.replace(".", "").isdigit() else IdentifierType.DNS
    return parse(kind, name)
