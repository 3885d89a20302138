"""The server itself: there, open, of a version without known holes, and on time (VLT-09)."""

import re
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec

from acmeproxy.adapters.vault.connection import VaultConnection
from acmeproxy.adapters.vault.doctor.bare import BareClient, Heard
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.services.findings import Finding, failed, passed, warned

#: Beyond it, lifetimes, nonces and the search for lost answers go wrong (threat-model §1.5).
MOST_OFFSET: Final = timedelta(seconds=5)
_STANDBY: Final = 429
_PERFORMANCE_STANDBY: Final = 473
_SERVING: Final = frozenset({HTTPStatus.OK, _STANDBY, _PERFORMANCE_STANDBY})

# The first version of each line in which not_after no longer escapes max_ttl (hashicorp/vault#29928).
_NOT_AFTER: Final = {(1, 19): 19, (1, 20): 13, (1, 21): 8, (2, 0): 3}
_IP_SANS: Final = (2, 6, 2)


class Product(msgspec.Struct, frozen=True):
    """What runs there: the command line's name of it, and its version as it tells it."""

    program: str = "bao"
    version: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        if self.program == "bao":
            return "OpenBao"
        enterprise = "+ent" in self.version or "+prem" in self.version
        return f"HashiCorp Vault {'Enterprise' if enterprise else 'Community'}"


async def examine(connection: VaultConnection, bare: BareClient) -> tuple[Product | None, Sequence[Finding]]:
    """Look at the server of an address, without a token and without a namespace; no product: it is away."""
    subject = f"vault {connection.address}"
    try:
        # In a namespace OpenBao answers 400 to both. The first is a 200 from a sealed server too.
        seal = await bare.ask("sys/seal-status")
        health = await bare.ask("sys/health")
    except (UnsentError, LostError) as error:
        return None, (_away(subject, connection, str(error)),)
    product = _product(health, seal)
    found = [_state(subject, health, product), _time(health)]
    found += _holes(subject, product)
    if urlsplit(connection.address).scheme == "http" and connection.plain_http:
        found.append(
            warned(
                subject,
                "tokens may go over the network in the clear, for vault.allow_insecure is set",
                "give Vault's listener a certificate, and set vault.address to https:// and vault.ca",
            )
        )
    return product, found


def _away(subject: str, connection: VaultConnection, reason: str) -> Finding:
    if "SSL" in reason:
        return failed(
            subject,
            f"its TLS certificate is not accepted ({reason})",
            "set vault.ca to the PEM bundle of the CA that issued Vault's certificate",
        )
    return failed(subject, f"it gives no answer: {reason}", f"curl -sv {connection.address}/v1/sys/health")


def _product(health: Heard, seal: Heard) -> Product:
    """Tell which it is: OpenBao's seal status has the date of its commit, Vault's that of its build."""
    members = seal.members
    version = str(health.members.get("version") or members.get("version") or "")
    vault = "build_date" in members or "performance_standby" in health.members
    return Product("vault" if vault and "commit_date" not in members else "bao", version)


def _state(subject: str, health: Heard, product: Product) -> Finding:
    what = f"{product.name} {product.version}".rstrip()
    if health.status in _SERVING:
        standby = " (a standby)" if health.status != HTTPStatus.OK else ""
        return passed(subject, f"{what}, initialised and unsealed{standby}")
    if health.status == HTTPStatus.NOT_IMPLEMENTED:
        return failed(subject, f"{what} is not initialised", f"{product.program} operator init")
    if health.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return failed(subject, f"{what} is sealed", f"{product.program} operator unseal")
    return failed(
        subject,
        f"its health is answered with {health.status}: it is no node that signs",
        f"set vault.address to a node that answers 200: {product.program} status",
    )


def _time(health: Heard) -> Finding:
    ahead = health.ahead
    if ahead is None:
        return warned("clock vault", "Vault tells no time: its offset cannot be seen")
    seconds = ahead.total_seconds()
    if abs(ahead) > MOST_OFFSET + timedelta(seconds=0.5):
        which = "ahead of" if seconds > 0 else "behind"
        text = f"Vault's clock is {abs(seconds):.0f} s {which} ours: at most 5 s are tolerated"
        return failed("clock vault", text, "timedatectl set-ntp true")
    return passed("clock vault", f"offset to Vault {abs(seconds):.0f} s")


def _holes(subject: str, product: Product) -> Sequence[Finding]:
    numbers = _numbers(product.version)
    if numbers is None:
        return (warned(subject, "it tells no version: known holes cannot be told"),)
    if product.program == "bao":
        if numbers < _IP_SANS:
            text = "allowed_ip_sans_cidr can be bypassed in OpenBao before 2.6.2 (GHSA-g892-p242-8g86)"
            return (failed(subject, text, "upgrade OpenBao to 2.6.2 or later"),)
        return ()
    fixed = _NOT_AFTER.get(numbers[:2])
    if numbers[:2] < (1, 19) or (fixed is not None and numbers[2] < fixed):
        text = "not_after escapes max_ttl in this version (hashicorp/vault#29928)"
        mend = "upgrade Vault to 1.19.19, 1.20.13, 1.21.8, 2.0.3 or later"
        return (failed(subject, text, mend),)
    return ()


def _numbers(version: str) -> tuple[int, int, int] | None:
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None
