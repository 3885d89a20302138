"""The settings file of a development installation, written as an operator would."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from acmeproxy.adapters.vault.connection import AppRoleLogin
from acmeproxy.adapters.vault.provisioning import (
    ADMIN,
    MOUNT,
    SIGNING_NAME,
    Hierarchy,
    TenantPki,
    issuing_name,
)

#: For as long as a lost request may still be at work; the embedded OpenBao has the same (vault.md).
_MAX_REQUEST: Final = 10


_PROFILES: Final = {
    "server": ("TLS servers, 30 days", "30d"),
    "short": ("TLS servers, one hour, for trying renewals out", "1h"),
}
_LIMITS: Final = (
    "new_accounts_per_tenant",
    "new_orders_per_account",
    "challenge_answers_per_account",
    "failed_validations_per_name",
)


class Part(msgspec.Struct, frozen=True):
    """The choices that the file is written from."""

    host: str
    port: int
    tls: bool
    http01_port: int
    tls_alpn01_port: int
    resolver: str
    allow_names: tuple[str, ...]
    tenants: Mapping[str, str]
    with_eab: str

    @property
    def listen(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The public URL."""
        return f"{'https' if self.tls else 'http'}://{self.listen}"


def configuration(
    directory: Path, part: Part, redis_url: str, vault_address: str, hierarchy: Hierarchy
) -> Path:
    """Write the file, and every secret into a file of its own that only we can read; return its path."""
    lines = [
        "# Written by acmeproxy dev at every start.",
        *_table("server", mode="development", listen=part.listen, public_url=part.url),
    ]
    if part.tls:
        certificate, key = str(hierarchy.server_certificate), str(hierarchy.server_key)
        lines += _table("server.tls", certificate=certificate, key=key)
    lines += _table("redis", url=redis_url)
    lines += _table(
        "vault",
        address=vault_address,
        namespace=ADMIN,
        roots=str(hierarchy.root),
        max_request_duration=_MAX_REQUEST,
    )
    lines += _table("vault.authority", mount=MOUNT, common_name=SIGNING_NAME)
    lines += _table(
        "validation",
        resolver=part.resolver,
        http_port=part.http01_port,
        tls_alpn_port=part.tls_alpn01_port,
    )
    lines += _table("validation.egress", allow=["0.0.0.0/0", "::/0", "127.0.0.0/8", "::1/128"])
    for name, suffix in part.tenants.items():
        extra = part.allow_names if name != part.with_eab else ()
        lines += _tenant(directory, name, (suffix, *extra), hierarchy.tenants[name])
        own = "eab_required" if name == part.with_eab else "wildcards"
        lines.insert(lines.index(f"[tenants.{name}]") + 1, f"{own} = true")
    path = directory / "acmeproxy.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def serve_command(settings: Path) -> tuple[str, ...]:
    """Return the command that serves by a settings file."""
    return (sys.executable, "-m", "acmeproxy", "serve", "--config", str(settings))


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, from its first moment."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def _tenant(directory: Path, name: str, suffixes: tuple[str, ...], pki: TenantPki) -> list[str]:
    allowed = [pattern for suffix in suffixes for pattern in (suffix, f"*.{suffix}")]
    place, login = pki.place, pki.login
    lines = _table(f"tenants.{name}")
    lines += _table(f"tenants.{name}.names", allow=allowed)
    for profile, (description, lifetime) in _PROFILES.items():
        lines += _table(f"tenants.{name}.profiles.{profile}", description=description, lifetime=lifetime)
    # Whoever tries things out, or measures, is not to be held up.
    lines += _table(f"tenants.{name}.limits", **dict.fromkeys(_LIMITS, "off"))
    below = place.namespace.removeprefix(f"{ADMIN}/")
    lines += _table(f"tenants.{name}.vault", namespace=below, mount=place.mount, role=place.role)
    lines += _table(f"tenants.{name}.vault.authority", common_name=issuing_name(name))
    if isinstance(login, AppRoleLogin):
        # Where it was written when it was made.
        secret_file = directory / f"{name}.secret-id"
        lines += _table(
            f"tenants.{name}.vault.login",
            method="approle",
            mount=login.mount,
            role_id=login.role_id,
            secret_id_file=str(secret_file),
        )
    return lines


def _table(name: str, **members: object) -> list[str]:
    """Write a table; TOML's strings, numbers and lists of strings are those of JSON."""
    return [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in members.items()), ""]
