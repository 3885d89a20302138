"""A whole PKI in an empty OpenBao, for `acmeproxy dev` and the tests; nothing new where it is."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from acmeproxy.adapters.vault.connection import AppRoleLogin, Secret
from acmeproxy.adapters.vault.external_root import external_root
from acmeproxy.adapters.vault.place import check
from acmeproxy.adapters.vault.producer.blueprint import Blueprint, Machine, SigningPlan, TenantPlan
from acmeproxy.adapters.vault.producer.issuers import default
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.adapters.vault.producer.producer import Producer
from acmeproxy.adapters.vault.producer.root_outside import RootOutside
from acmeproxy.adapters.vault.server_certificate import server_certificate
from acmeproxy.adapters.vault.transport import session
from acmeproxy.core.identifier import dns_name
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace

ADMIN: Final = "admin"
MOUNT: Final = "pki"
ROLE: Final = "acme"
SIGNING_NAME: Final = "acmeproxy development signing CA"
SIGNING_LIFETIME: Final = timedelta(days=2190)
ISSUING_LIFETIME: Final = timedelta(days=1095)
_LEAF_LIFETIME: Final = timedelta(days=30)
#: Where `acmeproxy dev` listens unless told otherwise.
_PUBLIC_URL: Final = "https://127.0.0.1:8555"


class TenantPki(msgspec.Struct, frozen=True):
    """Where a tenant's certificates are signed, and how the proxy logs in there."""

    place: VaultPlace
    login: AppRoleLogin


class Hierarchy(msgspec.Struct, frozen=True):
    """A provisioned PKI: the root, each tenant's part, the TLS certificate and key of the proxy, all PEM."""

    root: Path
    tenants: Mapping[str, TenantPki]
    server_certificate: Path
    server_key: Path


def provision(  # noqa: PLR0913 - the last two are for whoever shows them to people
    address: str,
    root_token: str,
    directory: Path,
    tenants: Mapping[str, tuple[str, ...]],
    *,
    public_url: str = _PUBLIC_URL,
    without_wildcards: Collection[str] = (),
) -> Hierarchy:
    """Set up a root outside, a signing authority in `admin`, and for every tenant a namespace of its own.

    Blocks: call it in a thread. Doing it again changes nothing, but for a tenant whose suffixes are others
    than before: it gets a new authority and its role follows.

    Args:
        address: The base URL of an OpenBao.
        root_token: May do everything there.
        directory: Keeps what belongs together: the root and its key, the logins, the proxy's certificate.
        tenants: The DNS suffixes that each tenant's certificates may have.
        public_url: Where the URLs in certificates lead.
        without_wildcards: The tenants that may have no wildcard certificates.

    Raises:
        ProducerError: The server did not do its part, or a tenant has no suffix or one that is no name.
    """
    for name, suffixes in tenants.items():
        _check(name, suffixes)
    outside = RootOutside(directory, local=True, insist=True)
    plans = tuple(
        _plan(directory, name, suffixes, wildcards=name not in without_wildcards)
        for name, suffixes in tenants.items()
    )
    signing = SigningPlan(ADMIN, MOUNT, SIGNING_NAME, SIGNING_LIFETIME)
    with session(verify=True, connections=1) as http:
        blueprint = Blueprint(signing, plans, public_url)
        producer = Producer(blueprint, address, Secret(root_token), http, outside)
        producer.apply(lambda _: None)
        admin = producer.at(ADMIN)
        authority = default(admin, MOUNT)
        if authority is None:
            raise ProducerError("the signing authority is not there")
        certificate, key = server_certificate(admin, MOUNT, authority.chain, directory)
    pkis: dict[str, TenantPki] = {plan.tenant.name: _pki(plan) for plan in plans}
    return Hierarchy(external_root(directory).path, pkis, certificate, key)


def issuing_name(tenant: str) -> str:
    """Return the name of a tenant's issuing CA."""
    return f"acmeproxy development {tenant} CA"


def _plan(directory: Path, name: str, suffixes: tuple[str, ...], *, wildcards: bool) -> TenantPlan:
    allow = tuple(pattern for suffix in suffixes for pattern in (suffix, f"*.{suffix}"))
    tenant = Tenant(
        TenantName(name), _place(name), Names(allow), wildcards=wildcards, lifetime=_LEAF_LIFETIME
    )
    role_id, secret_id = directory / f"{name}.role-id", directory / f"{name}.secret-id"
    machine = Machine(
        f"tenants.{name}.vault.login",
        "approle",
        role_id_file=role_id,
        secret_id_file=secret_id,
    )
    return TenantPlan(tenant, issuing_name(name), ISSUING_LIFETIME, machine)


def _place(name: str) -> VaultPlace:
    return VaultPlace(MOUNT, ROLE, f"{ADMIN}/{name}")


def _pki(plan: TenantPlan) -> TenantPki:
    role_id, secret_id = plan.machine.known_role_id(), plan.machine.known_secret_id()
    if not role_id or secret_id is None:
        raise ProducerError(f"tenant {plan.tenant.name} has no login")
    return TenantPki(plan.tenant.vault, AppRoleLogin(role_id, secret_id))


def _check(name: str, suffixes: tuple[str, ...]) -> None:
    try:
        check(_place(name))
    except ValueError as error:
        raise ProducerError(f"tenant {name}: {error}") from None
    if not suffixes:
        raise ProducerError(f"tenant {name} has no suffix: an authority without one could issue all names")
    for suffix in suffixes:
        try:
            plain = dns_name(suffix) == suffix and not suffix.startswith("*.")
        except ValueError:
            plain = False
        if not plain:
            raise ProducerError(f"tenant {name}: {suffix} is no suffix: write a name in lower case")
