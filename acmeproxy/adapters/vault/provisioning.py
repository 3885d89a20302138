"""A whole PKI in an empty OpenBao, for `acmeproxy dev` and the tests; nothing new where it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from acmeproxy.adapters.vault.authorities import (
    ADMIN,
    MOUNT,
    Namespace,
    ProvisioningError,
    ensure_namespace,
    issuing_authority,
    signing_authority,
)
from acmeproxy.adapters.vault.connection import AppRoleLogin, Secret
from acmeproxy.adapters.vault.external_root import external_root, write_private
from acmeproxy.adapters.vault.grants import ROLE, approle, write_policy, write_role
from acmeproxy.adapters.vault.place import check
from acmeproxy.adapters.vault.server_certificate import server_certificate
from acmeproxy.adapters.vault.transport import session
from acmeproxy.core.identifier import dns_name
from acmeproxy.core.tenant import VaultPlace

_LOGINS: Final = "logins.json"


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


def provision(
    address: str, root_token: str, directory: Path, tenants: Mapping[str, tuple[str, ...]]
) -> Hierarchy:
    """Set up a root outside, a signing authority in `admin`, and for every tenant a namespace of its own.

    Blocks: call it in a thread. Doing it again changes nothing, but for a tenant whose suffixes are others
    than before: it gets a new authority and its role follows.

    Args:
        address: The base URL of an OpenBao.
        root_token: May do everything there.
        directory: Keeps what belongs together: the root and its key, the secret ids, the proxy's certificate.
        tenants: The DNS suffixes that each tenant's certificates may have.

    Raises:
        ProvisioningError: The server did not do its part, or a tenant has no suffix or one that is no name.
    """
    for name, suffixes in tenants.items():
        _check(name, suffixes)
    with session(verify=True, connections=1) as http:

        def at(path: str) -> Namespace:
            return Namespace(address.rstrip("/"), root_token, path, http)

        root = external_root(directory)
        ensure_namespace(at(""), ADMIN)
        above = signing_authority(at(ADMIN), root)
        known = _known_logins(directory / _LOGINS)
        logins = {}
        for name, suffixes in tenants.items():
            ensure_namespace(at(ADMIN), name)
            tenant = at(f"{ADMIN}/{name}")
            issuing_authority(tenant, at(ADMIN), above, suffixes)
            write_role(tenant, suffixes)
            write_policy(tenant)
            logins[name] = approle(tenant, known.get(name, ("", ""))[1])
        if logins != known:
            write_private(directory / _LOGINS, msgspec.json.encode({**known, **logins}))
        certificate, key = server_certificate(at(ADMIN), above, directory)
    return Hierarchy(
        root.path, {name: _pki(name, *login) for name, login in logins.items()}, certificate, key
    )


def _pki(name: str, role_id: str, secret_id: str) -> TenantPki:
    return TenantPki(VaultPlace(MOUNT, ROLE, f"{ADMIN}/{name}"), AppRoleLogin(role_id, Secret(secret_id)))


def _check(name: str, suffixes: tuple[str, ...]) -> None:
    try:
        check(_pki(name, "", "").place)
    except ValueError as error:
        raise ProvisioningError(f"tenant {name}: {error}") from None
    if not suffixes:
        raise ProvisioningError(
            f"tenant {name} has no suffix: an authority without one could issue all names"
        )
    for suffix in suffixes:
        try:
            plain = dns_name(suffix) == suffix and not suffix.startswith("*.")
        except ValueError:
            plain = False
        if not plain:
            raise ProvisioningError(f"tenant {name}: {suffix} is no suffix: write a name in lower case")


def _known_logins(path: Path) -> dict[str, tuple[str, str]]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[str, str]]) if path.exists() else {}
