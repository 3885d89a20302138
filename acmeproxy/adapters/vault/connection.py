"""How a tenant's Vault is reached, and how we log in: configuration, never a request's (INV-4)."""

import ipaddress
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

Reveal = Callable[[], str]
"""Returns a secret when called, so that the secret itself is in no value that could be printed (INV-13)."""


class Secret:
    """A secret that is only seen when called for."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self) -> str:
        """Return the secret."""
        return self._text

    def __repr__(self) -> str:
        """Show nothing of it."""
        return "Secret(***)"


class Confidential(dict[str, Any]):
    """A request's body that holds a secret, and that shows nothing in a log or a traceback."""

    def __repr__(self) -> str:
        """Show nothing of it."""
        return "Confidential(***)"


class TokenLogin(msgspec.Struct, frozen=True):
    """A token that somebody else made; it is asked for again when Vault refuses it (an agent's sink file)."""

    token: Reveal


class AppRoleLogin(msgspec.Struct, frozen=True):
    """A role id and its secret id, at a mount.

    `namespace` is where the AppRole lives if not in the tenant's own; its token then works below.
    """

    role_id: str
    secret_id: Reveal
    mount: str = "approle"
    namespace: str | None = None


class VaultConnection(msgspec.Struct, frozen=True):
    """One tenant's way to Vault.

    `address` is a base URL without a path: https, or http to loopback; elsewhere http needs `plain_http`.
    `ca` is the path of a PEM bundle that the server's certificate must lead to; without it the bundle that
    requests brings. `deadline` bounds a whole call, waiting for a place included (INV-9).

    Raises:
        ValueError: The address is not such a URL (VLT-06).
    """

    address: str
    login: TokenLogin | AppRoleLogin
    namespace: str = ""
    ca: str | None = None
    connect_timeout: timedelta = timedelta(seconds=3)
    read_timeout: timedelta = timedelta(seconds=12)
    deadline: timedelta = timedelta(seconds=15)
    plain_http: bool = False

    def __post_init__(self) -> None:
        """Refuse an address that would show tokens to the network."""
        url = urlsplit(self.address)
        if (
            url.scheme not in {"http", "https"}
            or not url.hostname
            or url.username
            or url.query
            or url.fragment
        ):
            raise ValueError("a Vault address is https:// and a host, perhaps with a port")
        if url.path not in {"", "/"}:
            raise ValueError("a Vault address has no path: the namespace is a setting of its own")
        if url.scheme == "http" and not self.plain_http and not _is_loopback(url.hostname):
            raise ValueError("a Vault address must be https: the token would be sent in the clear")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
