"""What shall be there: pure values, made from the settings."""

import ipaddress
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

import msgspec

from acmeproxy.adapters.vault.connection import Reveal, Secret
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.core.tenant import Names, Tenant

#: What the names of policies, logins and entities begin with, where the settings say nothing else.
OWN_NAME: Final = "acmeproxy"


class Machine(msgspec.Struct, frozen=True):
    """How the proxy logs in for a tenant.

    `table` is where the settings say so; tenants with the same table share one login. A `role_id` or
    `secret_id` that is there is made known to Vault; a file is where one that Vault makes is written.
    `unnamed` are the keys of files that the settings do not name yet. `mount` has its layout's prefix;
    `namespace` is where it is, if not in the tenant's. `role` is the method's, if it has a name of its own.
    A `wrapped` secret id is given out by hand each time.
    """

    table: str
    method: str
    mount: str = "approle"
    role_id: str = ""
    secret_id: Reveal | None = None
    role_id_file: Path | None = None
    secret_id_file: Path | None = None
    unnamed: tuple[str, ...] = ()
    namespace: str | None = None
    role: str = ""
    wrapped: bool = False

    def known_role_id(self) -> str:
        """Return the role id that there is: the settings', or what was written since; else an empty text."""
        return self.role_id or (_content(self.role_id_file) or "")

    def known_secret_id(self) -> Reveal | None:
        """Return the secret id that there is; a login that several namespaces share is made in the first."""
        if self.secret_id is not None:
            return self.secret_id
        written = _content(self.secret_id_file)
        return Secret(written) if written else None


class TenantPlan(msgspec.Struct, frozen=True):
    """A tenant, the issuing CA that its mount shall have, and its login."""

    tenant: Tenant
    common_name: str
    lifetime: timedelta
    machine: Machine

    @property
    def home(self) -> str:
        """The namespace of its login, and so of the policy of its tokens."""
        own = self.machine.namespace
        return self.tenant.vault.namespace if own is None else own

    @property
    def below_home(self) -> str:
        """The tenant's namespace as its policy has to name it: below that of the login."""
        whole = self.tenant.vault.namespace
        return whole.removeprefix(self.home).removeprefix("/")


class SigningPlan(msgspec.Struct, frozen=True):
    """The CA that signs issuing CAs, and where it is."""

    namespace: str
    mount: str
    common_name: str
    lifetime: timedelta


class IssuingPlan(msgspec.Struct, frozen=True):
    """The issuing CA of one mount: for one tenant, or for all that share the mount."""

    namespace: str
    mount: str
    common_name: str
    lifetime: timedelta
    names: Names
    tenant: str


class Blueprint(msgspec.Struct, frozen=True):
    """The whole producer side.

    `admin` is the namespace of the signing CA and of the reader's policy; with `paths`, nothing is in a
    namespace and every mount has its prefix already. `public_url` is where AIA and CRL URLs lead. `reader` is
    the login of whoever reads only, where no tenant uses it. `prefix` begins the names of all but mounts.
    """

    signing: SigningPlan
    tenants: tuple[TenantPlan, ...]
    public_url: str
    paths: bool = False
    templated: bool = False
    reader: Machine | None = None
    prefix: str = OWN_NAME

    @property
    def reader_name(self) -> str:
        """The name of the policy of whoever reads only, and of the AppRole and the entity that have it."""
        return f"{self.prefix}-reader"

    @property
    def admin(self) -> str:
        """The namespace of the signing CA."""
        return self.signing.namespace

    def issuing(self) -> Iterator[IssuingPlan]:
        """Return the issuing CAs, one a mount."""
        by_mount = sorted(self.tenants, key=_mount)
        for (namespace, mount), sharing in groupby(by_mount, _mount):
            plans = list(sharing)
            first = plans[0]
            yield IssuingPlan(
                namespace,
                mount,
                first.common_name,
                min(plan.lifetime for plan in plans),
                _joined([plan.tenant.names for plan in plans]),
                first.tenant.name,
            )

    def policy_name(self, plan: TenantPlan) -> str:
        """Return the name of a tenant's policy: its own where others' are beside it."""
        alone = sum(other.home == plan.home for other in self.tenants)
        return self.prefix if alone == 1 and not self.paths else f"{self.prefix}-{plan.tenant.name}"

    def check(self) -> None:
        """See that it can be built.

        Raises:
            ProducerError: It cannot; the text says which key to change.
        """
        seen: dict[tuple[str, str, str], str] = {}
        for plan in self.tenants:
            self._check(plan)
            place = plan.tenant.vault
            roles = {place.role, *(p.role for p in plan.tenant.profiles if p.role)}
            for role in sorted(roles):
                name = plan.tenant.name
                other = seen.setdefault((place.namespace, place.mount, role), name)
                if other != name:
                    raise ProducerError(
                        f"tenants {other} and {name} have the same role {role} at {place.mount}:"
                        f" set another tenants.{name}.vault.role"
                    )

    def _check(self, plan: TenantPlan) -> None:
        name, place = plan.tenant.name, plan.tenant.vault
        if (place.namespace, place.mount) == (self.signing.namespace, self.signing.mount):
            raise ProducerError(
                f"the mount of tenant {name} is the signing CA's:"
                f" set tenants.{name}.vault.mount or vault.authority.mount to another"
            )
        if not f"{place.namespace}/".startswith(f"{plan.home}/" if plan.home else ""):
            raise ProducerError(
                f"[{plan.machine.table}]: a token of the namespace {plan.home} is nobody in"
                f" {place.namespace}, which is not below it"
            )
        taken = {self.reader_name, f"{self.prefix}-operator"}
        if plan.home == self.admin and self.policy_name(plan) in taken:
            raise ProducerError(
                f"the policy of tenant {name} would be {self.policy_name(plan)}, which is that of others:"
                " give the tenant another name, or set vault.authority.prefix"
            )
        if plan.lifetime >= self.signing.lifetime:
            raise ProducerError(
                f"tenants.{name}.vault.authority.lifetime must be shorter than vault.authority.lifetime"
            )
        if not plan.tenant.names.allow and not plan.tenant.names.ip_ranges:
            raise ProducerError(
                f"tenant {name} may have no name: set tenants.{name}.names.allow"
                " (an authority without bounds could issue all names)"
            )


def _content(file: Path | None) -> str | None:
    if file is None or not file.exists():
        return None
    try:
        return file.read_text().strip()
    except OSError as error:
        raise ProducerError(f"{file} cannot be read: {os.strerror(error.errno or 0)}") from None


def _mount(plan: TenantPlan) -> tuple[str, str]:
    return plan.tenant.vault.namespace, plan.tenant.vault.mount


def _joined(names: Sequence[Names]) -> Names:
    ranges: dict[ipaddress.IPv4Network | ipaddress.IPv6Network, None] = {}
    for one in names:
        ranges.update(dict.fromkeys(one.ip_ranges))
    allow = dict.fromkeys(pattern for one in names for pattern in one.allow)
    # What one of them denies, another may have.
    deny = names[0].deny if len(names) == 1 else ()
    return Names(tuple(allow), deny, tuple(ranges))
