"""The proxy's own logins: an AppRole with its role id and secret id, and the entity behind it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec

from acmeproxy.adapters.vault.connection import Confidential
from acmeproxy.adapters.vault.external_root import write_private
from acmeproxy.adapters.vault.producer import policies, step
from acmeproxy.adapters.vault.producer.blueprint import Blueprint, Machine, TenantPlan
from acmeproxy.adapters.vault.producer.namespace import Namespace, ProducerError
from acmeproxy.adapters.vault.producer.root_outside import make_directory
from acmeproxy.adapters.vault.producer.step import Change, Difference, Step

#: A token lives for an hour after its last renewal, however long the proxy runs (vault.md §5).
PERIOD_SECONDS: Final = 3600


class Account(msgspec.Struct, frozen=True):
    """A login at a mount: of one tenant, or of all that share it."""

    name: str
    entity: str
    namespace: str
    machine: Machine
    policies: tuple[str, ...]
    metadata: Mapping[str, str]

    @property
    def role(self) -> str:
        """The path of its AppRole."""
        return f"auth/{self.machine.mount}/role/{self.name}"


def accounts(blueprint: Blueprint) -> Iterator[Account]:
    """Return the logins of all tenants, and the reader's.

    Raises:
        ProducerError: Tenants with one login cannot have templated policies.
    """
    yield from _tenants(blueprint)
    if blueprint.reader is not None:
        machine = blueprint.reader
        namespace = blueprint.admin if machine.namespace is None else machine.namespace
        name = blueprint.reader_name
        yield Account(machine.role or name, name, namespace, machine, (name,), {})


def _tenants(blueprint: Blueprint) -> Iterator[Account]:
    plans = sorted(blueprint.tenants, key=_login)
    groups = [(key, list(sharing)) for key, sharing in groupby(plans, _login)]
    for (namespace, mount, table), sharing in groups:
        machine, tenants = sharing[0].machine, [plan.tenant for plan in sharing]
        if len(sharing) > 1 and blueprint.templated:
            raise ProducerError(
                f'vault.authority.policy = "templated" needs a login for each tenant, and [{table}] is that'
                f" of {', '.join(tenant.name for tenant in tenants)}: give each a [tenants.NAME.vault.login]"
            )
        beside = sum(key[:2] == (namespace, mount) for key, _ in groups)
        first = tenants[0]
        found = (
            policies.metadata(first) if len(tenants) == 1 else {"tenant": ",".join(t.name for t in tenants)}
        )
        yield Account(
            machine.role or (blueprint.prefix if beside == 1 else f"{blueprint.prefix}-{first.name}"),
            # Mounts of several namespaces may be in one, with "paths": there the name tells entities apart.
            blueprint.policy_name(sharing[0]) if len(sharing) == 1 else blueprint.prefix,
            namespace,
            machine,
            tuple(sorted(blueprint.policy_name(plan) for plan in sharing)),
            found,
        )


def approle_fields(account: Account) -> Mapping[str, Any]:
    """Return what its AppRole shall be: periodic service tokens with these policies and no others."""
    return {
        "token_policies": list(account.policies),
        "token_period": PERIOD_SECONDS,
        "token_type": "service",
        "token_num_uses": 0,
        "bind_secret_id": True,
    }


class RoleId:
    """A role id: the one of the settings, or Vault's own written to a file."""

    def __init__(self, namespace: Namespace, account: Account) -> None:
        self._namespace = namespace
        self._account = account

    def look(self) -> Step:
        """Compare with the settings, and look whether the file is there."""
        machine = self._account.machine
        where = step.place(self._namespace.path, f"{self._account.role}/role-id")
        found = self._found()
        wrong: list[Difference] = []
        wanted = machine.known_role_id()
        if wanted and found != wanted:
            wrong.append(Difference("role_id", found, wanted))
        if machine.role_id_file and not machine.role_id_file.exists():
            wrong.append(Difference("file", "", str(machine.role_id_file)))
        return step.changed("role id", where, wrong)

    def carry(self) -> None:
        """Set it, and write it down."""
        machine = self._account.machine
        wanted = machine.known_role_id()
        if wanted and self._found() != wanted:
            self._namespace.write(f"{self._account.role}/role-id", {"role_id": wanted})
        if machine.role_id_file and not machine.role_id_file.exists():
            write_file(machine.role_id_file, self._found())

    def _found(self) -> str:
        return str((self._namespace.read(f"{self._account.role}/role-id") or {}).get("role_id") or "")


class SecretId:
    """A secret id: the one of the settings made known to Vault, or a new one written to a file."""

    def __init__(self, namespace: Namespace, account: Account) -> None:
        self._namespace = namespace
        self._account = account
        self._path = f"{account.role}/secret-id"

    def look(self) -> Step:
        """Ask Vault whether it knows the one that we have."""
        machine = self._account.machine
        where = step.place(self._namespace.path, self._path)
        secret_id = machine.known_secret_id()
        if secret_id is None:
            file = str(machine.secret_id_file) if machine.secret_id_file else ""
            return Step(Change.ADD, "secret id", where, (Difference("file", "", file),))
        there = self._namespace.read(f"{self._account.role}/role-id") is not None
        body = Confidential(secret_id=secret_id())
        if there and self._namespace.write(f"{self._path}/lookup", body).data:
            return Step(Change.NOTHING, "secret id", where)
        return Step(Change.ADD, "secret id", where, (Difference("secret_id", "", "the one of the settings"),))

    def carry(self) -> None:
        """Make one, or make ours known."""
        machine = self._account.machine
        secret_id = machine.known_secret_id()
        if secret_id is not None:
            body = Confidential(secret_id=secret_id())
            self._namespace.write(f"{self._account.role}/custom-secret-id", body)
        elif machine.secret_id_file is not None:
            made = self._namespace.write(self._path, {})
            write_file(machine.secret_id_file, str(made.data["secret_id"]))


class Entity:
    """The entity of a login, whose metadata says for which tenant and roles it is; other metadata stays.

    Whatever policies it had, every token of the login would have: it has none but `default`, and is in no
    group with any.
    """

    def __init__(self, namespace: Namespace, account: Account) -> None:
        self._namespace = namespace
        self._account = account
        self._path = f"identity/entity/name/{account.entity}"

    def look(self) -> Step:
        """Compare the metadata, and look for the alias."""
        where = step.place(self._namespace.path, self._path)
        found = self._namespace.read(self._path)
        if found is None:
            return step.added("entity", where, self._account.metadata)
        wrong = list(step.differences(self._account.metadata, found.get("metadata") or {}))
        if not self._has_alias(found):
            wrong.append(Difference("alias", "", f"the role id at auth/{self._account.machine.mount}"))
        wrong += step.differences({"policies": self._harmless(found)}, found)
        wrong += [Difference("group", str(group.get("name")), "none") for group in self._groups(found)]
        return step.changed("entity", where, wrong)

    def carry(self) -> None:
        """Write the metadata, and tie the role id to it."""
        found = self._namespace.read(self._path) or {}
        metadata = {**(found.get("metadata") or {}), **self._account.metadata}
        self._namespace.write(self._path, {"metadata": metadata, "policies": self._harmless(found)})
        for group in self._groups(found):
            others = [one for one in group.get("member_entity_ids") or () if one != found.get("id")]
            self._namespace.write(f"identity/group/id/{group['id']}", {"member_entity_ids": others})
        found = self._namespace.read(self._path) or {}
        if not self._has_alias(found):
            self._namespace.write(
                "identity/entity-alias",
                {
                    "name": self._role_id(),
                    "canonical_id": found.get("id"),
                    "mount_accessor": self._accessor(),
                },
            )

    def _harmless(self, found: Mapping[str, Any]) -> list[str]:
        """Return those of its policies that every token has anyway."""
        return [policy for policy in found.get("policies") or () if policy == "default"]

    def _groups(self, found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Return the groups that it is in and that have policies."""
        read = [
            self._namespace.read(f"identity/group/id/{id_}") for id_ in found.get("direct_group_ids") or ()
        ]
        return [group for group in read if group and group.get("policies")]

    def _has_alias(self, found: Mapping[str, Any]) -> bool:
        aliases: Sequence[Mapping[str, Any]] = found.get("aliases") or ()
        wanted = (self._role_id(), self._accessor())
        return any((alias.get("name"), alias.get("mount_accessor")) == wanted for alias in aliases)

    def _role_id(self) -> str:
        return str((self._namespace.read(f"{self._account.role}/role-id") or {}).get("role_id") or "")

    def _accessor(self) -> str:
        mounts = self._namespace.read("sys/auth") or {}
        return str((mounts.get(f"{self._account.machine.mount}/") or {}).get("accessor") or "")


def write_file(path: Path, text: str) -> None:
    """Write a credential for our eyes only.

    Raises:
        ProducerError: It cannot be written.
    """
    make_directory(path.parent)
    try:
        write_private(path, text.encode())
    except OSError as error:
        raise ProducerError(f"{path} cannot be written: {os.strerror(error.errno or 0)}") from None


def _login(plan: TenantPlan) -> tuple[str, str, str]:
    return plan.home, plan.machine.mount, plan.machine.table
