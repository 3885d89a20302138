"""The producer side, from the settings: what `acmeproxy vault` builds, and as whom."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from acmeproxy import settings
from acmeproxy.adapters.vault.connection import Secret
from acmeproxy.adapters.vault.producer.blueprint import Blueprint, Machine, SigningPlan, TenantPlan
from acmeproxy.adapters.vault.producer.inventory import Inventory, ShownMount, inventory
from acmeproxy.adapters.vault.producer.namespace import AwayError, ProducerError
from acmeproxy.adapters.vault.producer.producer import Applied, Producer
from acmeproxy.adapters.vault.producer.root_outside import RootOutside
from acmeproxy.adapters.vault.producer.rotation import Rotation
from acmeproxy.adapters.vault.producer.signing_rotation import SigningRotation
from acmeproxy.adapters.vault.producer.step import Change, Step, WaitsError
from acmeproxy.adapters.vault.transport import session
from acmeproxy.core.ids import TenantName

_SHARED: Final = "vault.login"


@contextmanager
def producer(
    given: settings.Settings, token: str, directory: Path, *, local_root: bool = False
) -> Iterator[Producer]:
    """Return what builds the producer side of some settings, until the context ends.

    Args:
        given: The settings, which may await the files that are made here.
        token: The operator's.
        directory: Where requests and credentials go that the settings have no place for.
        local_root: Make a root in the directory, for trials.
    """
    vault = given.vault
    outside = RootOutside(directory, local=local_root, anchors=vault.roots)
    with session(verify=str(vault.ca) if vault.ca else True, connections=1) as http:
        yield Producer(blueprint(given, directory), vault.address, Secret(token), http, outside)


def blueprint(given: settings.Settings, directory: Path) -> Blueprint:
    """Return what shall be there."""
    vault = given.vault
    namespace, mount = vault.at("", vault.authority.mount)
    tenants = given.tenant_values()
    return Blueprint(
        SigningPlan(namespace, mount, vault.authority.common_name, vault.authority.lifetime),
        tuple(
            TenantPlan(
                tenant,
                given.tenants[name].vault.authority.common_name or f"acmeproxy {name} issuing CA",
                given.tenants[name].vault.authority.lifetime,
                _machine(given, name, directory),
            )
            for name, tenant in tenants.items()
        ),
        vault.authority.aia_url or given.server.public_url,
        paths=vault.layout == "paths",
        templated=vault.authority.policy == "templated",
        reader=_reader(given, directory),
        prefix=vault.authority.prefix,
    )


def policy_of(given: settings.Settings, name: TenantName) -> str:
    """Return the name of a tenant's policy."""
    made = blueprint(given, Path())
    return made.policy_name(next(plan for plan in made.tenants if plan.tenant.name == name))


def unnamed(made: Blueprint) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Return the tables, and the lines in them, that the settings lack to log in with what was made."""
    seen: set[str] = set()
    for machine in (*(plan.machine for plan in made.tenants), *((made.reader,) if made.reader else ())):
        if not machine.unnamed or machine.table in seen:
            continue
        seen.add(machine.table)
        files = {"role_id": machine.role_id_file, "secret_id": machine.secret_id_file}
        lines = [f'{key}_file = "{file.resolve()}"' for key, file in files.items() if file]
        yield (
            machine.table,
            ('method = "approle"', *(line for line in lines if line.split("_file")[0] in machine.unnamed)),
        )


def _machine(given: settings.Settings, name: TenantName, directory: Path) -> Machine:
    """Return how the proxy will log in: as the settings say, or where they say nothing, by an AppRole."""
    own = given.tenants[name].vault
    table = _SHARED if own.login is None else f"tenants.{name}.{_SHARED}"
    login = given.login(name)
    mount = login.mount
    if own.login is None and login.method == "token" and not _in_file(given):
        # What is there is the operator's own token, if anything: nobody else shall use it.
        table = f"tenants.{name}.{_SHARED}"
        mount = given.vault.at(own.namespace, "approle")[1]
        return _approle(Machine(table, "approle", mount), directory, name, None, None)
    return _configured(given, table, login, directory, "acmeproxy" if table == _SHARED else name)


def _reader(given: settings.Settings, directory: Path) -> Machine | None:
    """Return the login above the tenants where all of them have their own: then it is for reading."""
    login = given.reader_login()
    if login.method == "token" or any(tenant.vault.login is None for tenant in given.tenants.values()):
        return None
    return _configured(given, _SHARED, login, directory, "reader")


def _configured(
    given: settings.Settings, table: str, login: settings.LoginSettings, directory: Path, slug: str
) -> Machine:
    """Return a login as its table says; `slug` begins the names of files that it does not name."""
    machine = Machine(
        table,
        login.method,
        login.mount or "",
        namespace=login.namespace,
        role=login.role or "",
        wrapped=login.wrapped,
    )
    if login.method != "approle":
        return machine
    path = tuple(table.split("."))
    role_id, secret_id = given.awaited((*path, "role_id")), given.awaited((*path, "secret_id"))
    known = msgspec.structs.replace(
        machine,
        role_id="" if role_id else (login.role_id or ""),
        secret_id=Secret(login.secret_id.get_secret_value()) if login.secret_id and not secret_id else None,
    )
    return _approle(known, directory, slug, role_id, secret_id)


def _approle(
    machine: Machine, directory: Path, slug: str, role_id_file: Path | None, secret_id_file: Path | None
) -> Machine:
    """Add the files of what is not given: those of the settings, or else ones in our directory."""
    lacking = []
    if not machine.role_id and role_id_file is None:
        role_id_file = directory / f"{slug}.role-id"
        lacking.append("role_id")
    if machine.secret_id is None and secret_id_file is None:
        secret_id_file = directory / f"{slug}.secret-id"
        lacking.append("secret_id")
    return msgspec.structs.replace(
        machine, role_id_file=role_id_file, secret_id_file=secret_id_file, unnamed=tuple(lacking)
    )


def _in_file(given: settings.Settings) -> bool:
    """Tell whether the token of everybody stands in the settings file, and so is meant for the proxy."""
    origin = given.origin(("vault", "login", "token"))
    return origin.rpartition(":")[2].isdigit()


__all__ = [
    "Applied",
    "AwayError",
    "Blueprint",
    "Change",
    "Inventory",
    "Producer",
    "ProducerError",
    "Rotation",
    "ShownMount",
    "SigningRotation",
    "Step",
    "WaitsError",
    "blueprint",
    "inventory",
    "policy_of",
    "producer",
    "unnamed",
]
