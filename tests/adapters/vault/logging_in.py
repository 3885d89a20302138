"""A login kept in front of a Vault on loopback, and what the operator makes for it there."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import requests

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.client import Gate
from acmeproxy.adapters.vault.connection import LoginMethod, VaultConnection
from acmeproxy.adapters.vault.login import Login
from tests.support.openbao import as_root

LOOK_UP = b"GET /v1/auth/token/lookup-self"
RENEWAL = b"POST /v1/auth/token/renew-self"
NAMESPACE = "admin/alpha"
_DEADLINE = 60


@asynccontextmanager
async def logging_in(
    address: str, login: LoginMethod, *, namespace: str = NAMESPACE, ca: Path | None = None
) -> AsyncIterator[Login]:
    """Be able to ask as a login, until the context ends."""
    gate = Gate(8)
    connection = VaultConnection(address, login, namespace, str(ca) if ca else None)
    keeper = Login(connection, gate)
    try:
        yield keeper
    finally:
        keeper.close()
        gate.close()


@asynccontextmanager
async def kept(keeper: Login) -> AsyncIterator[None]:
    """Stay logged in while the context lasts."""
    keeping = asyncio.ensure_future(keeper.keep())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def mounted(openbao: OpenBao, kind: str, config: Mapping[str, Any] | None = None) -> str:
    """Mount an authentication method in alpha's namespace under a name of its own, and configure it."""
    mount = f"{kind}-{uuid.uuid4().hex[:8]}"
    await as_root(openbao, "POST", f"sys/auth/{mount}", NAMESPACE, {"type": kind})
    if config is not None:
        await as_root(openbao, "POST", f"auth/{mount}/config", NAMESPACE, config)
    return mount


async def write_role(openbao: OpenBao, mount: str, name: str, **role: object) -> None:
    """Write a role that has the proxy's policy."""
    body = {"token_policies": ["acmeproxy"], **role}
    await as_root(openbao, "POST", f"auth/{mount}/role/{name}", NAMESPACE, body)


async def entrance(keeper: Login) -> str:
    """Ask Vault where the token was made that the login has."""
    answer = await keeper.ask("get", "auth/token/lookup-self")
    assert answer.status == 200, answer.reason
    assert answer.data
    return str(answer.data["path"])


def put(path: Path, text: str) -> None:
    """Have somebody write a secret into its file."""
    path.write_text(text)


def got(path: Path) -> str:
    """Return the secret that is in a file."""
    return path.read_text()


def remove(path: Path) -> None:
    """Take a secret's file away."""
    path.unlink()


async def revoke_tokens(openbao: OpenBao, mount: str) -> None:
    """Revoke every token that came from a mount."""
    await as_root(openbao, "PUT", f"sys/leases/revoke-prefix/auth/{mount}", NAMESPACE)


async def wrapped(openbao: OpenBao, path: str, ttl: str = "60s", **body: object) -> str:
    """Do something as the operator, and return the wrapping token that holds the answer."""
    headers = {
        "X-Vault-Token": openbao.root_token,
        "X-Vault-Namespace": NAMESPACE,
        "X-Vault-Wrap-TTL": ttl,
    }
    response = await asyncio.to_thread(
        requests.post, f"{openbao.address}/v1/{path}", headers=headers, json=body, timeout=_DEADLINE
    )
    assert response.ok, response.text
    return str(response.json()["wrap_info"]["token"])
