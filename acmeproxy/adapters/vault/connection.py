"""How a tenant's Vault is reached, and how we log in: configuration, never a request's (INV-4)."""

import ipaddress
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

Reveal = Callable[[], str]
"""Returns a secret when called, so that the secret itself is in no value that could be printed (INV-13)."""

_LARGEST_SECRET: Final = 1 << 16


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

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be quoted: everything but who we say that we are."""
        return tuple(text for name, text in self.items() if name not in {"role", "role_id"})

    def __repr__(self) -> str:
        """Show nothing of it."""
        return "Confidential(***)"


class SecretFile:
    """A secret in a file that somebody else replaces: read whenever it is called for."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> str:
        """Return the secret without the line's end.

        Raises:
            UnreadableSecretError: There is no such file, or no line of text in it.
        """
        try:
            # What is no regular file must not hold a thread until somebody writes into it.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                octets = file.read(_LARGEST_SECRET + 1) or b""
        except OSError as error:
            raise UnreadableSecretError(f"the file {self.path} cannot be read: {error.strerror}") from None
        if len(octets) > _LARGEST_SECRET:
            raise UnreadableSecretError(f"the file {self.path} is too large for a secret")
        text = octets.decode("ascii", "replace").strip()
        if not text or not text.isascii() or not text.isprintable():
            raise UnreadableSecretError(f"the file {self.path} is not one line of text")
        return text

    def __repr__(self) -> str:
        """Show where it is."""
        return f"SecretFile({str(self.path)!r})"


class UnreadableSecretError(Exception):
    """A secret is not to be had; the text says where it should be and nothing of it."""


class TokenLogin(msgspec.Struct, frozen=True):
    """A token that somebody else made; it is asked for again when Vault refuses it (an agent's sink file).

    `look_again` is how long a replaced token may go unnoticed; `None` for one that never changes.
    """

    token: Reveal
    look_again: timedelta | None = None


class AppRoleLogin(msgspec.Struct, frozen=True):
    """A role id and its secret id, at a mount.

    `namespace` is where the AppRole lives if not in the tenant's own; its token then works below. If
    `wrapped`, what is revealed is a wrapping token, a secret id of `role` inside (of any, if that is empty).
    """

    role_id: str
    secret_id: Reveal
    mount: str = "approle"
    namespace: str | None = None
    wrapped: bool = False
    role: str = ""


class KubernetesLogin(msgspec.Struct, frozen=True):
    """A role and the token of a pod's service account."""

    role: str
    jwt: Reveal
    mount: str = "kubernetes"
    namespace: str | None = None


class JwtLogin(msgspec.Struct, frozen=True):
    """A role and a JWT of an issuer that Vault trusts; without a role, the mount's default one."""

    role: str
    jwt: Reveal
    mount: str = "jwt"
    namespace: str | None = None


class CertificateLogin(msgspec.Struct, frozen=True):
    """A client certificate and its key, PEM files; without a role, Vault takes any that fits."""

    certificate: Path
    key: Path
    role: str = ""
    mount: str = "cert"
    namespace: str | None = None


class AwsLogin(msgspec.Struct, frozen=True):
    """A role and whatever IAM credentials this machine has; without a role, that of the principal's name.

    `region` chooses the STS endpoint that the request is signed for, empty the global one; `server_id` is the
    value that Vault wants in `X-Vault-AWS-IAM-Server-ID`.
    """

    role: str = ""
    region: str = ""
    server_id: str = ""
    mount: str = "aws"
    namespace: str | None = None


class AgentLogin(msgspec.Struct, frozen=True):
    """None of ours: what listens at the address is a Vault Agent or `bao proxy`, which adds its own token."""


LoginMethod = (
    TokenLogin | AppRoleLogin | KubernetesLogin | JwtLogin | CertificateLogin | AwsLogin | AgentLogin
)


class VaultConnection(msgspec.Struct, frozen=True):
    """One tenant's way to Vault.

    `address` is a base URL without a path: https, or http to loopback; elsewhere http needs `plain_http`.
    `ca` is the path of a PEM bundle that the server's certificate must lead to; without it the bundle that
    requests brings. `deadline` bounds a whole call, waiting for a place included (INV-9).

    Raises:
        ValueError: The address is not such a URL (VLT-06).
    """

    address: str
    login: LoginMethod
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
