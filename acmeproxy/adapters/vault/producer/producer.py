"""The producer side as a whole: its parts, in the order in which each can be made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import requests

from acmeproxy.adapters.vault.connection import Reveal
from acmeproxy.adapters.vault.producer import machines, policies
from acmeproxy.adapters.vault.producer.authority import Authority
from acmeproxy.adapters.vault.producer.blueprint import Blueprint, IssuingPlan, TenantPlan
from acmeproxy.adapters.vault.producer.documents import (
    Document,
    LoginMount,
    NamespacePart,
    PolicyPart,
    Role,
    SecretsMount,
)
from acmeproxy.adapters.vault.producer.issuing_ca import IssuingCertifier
from acmeproxy.adapters.vault.producer.namespace import Latest, Namespace, ProducerError
from acmeproxy.adapters.vault.producer.parents import Parents, below_signing
from acmeproxy.adapters.vault.producer.roles import OPTIONAL, roles
from acmeproxy.adapters.vault.producer.root_outside import RootOutside
from acmeproxy.adapters.vault.producer.signing_ca import SigningCertifier
from acmeproxy.adapters.vault.producer.step import Change, Part, Step, WaitsError, carry_out

#: The signing CA's name where URLs have that of a tenant.
SIGNING_NAME = "_signing"


class Applied(msgspec.Struct, frozen=True):
    """What was done, what somebody has to do before the rest can be, and what the server warned of."""

    steps: tuple[Step, ...]
    waits: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Producer:
    """Builds what a blueprint says, with the token of an operator. Blocks."""

    def __init__(
        self,
        blueprint: Blueprint,
        address: str,
        token: Reveal,
        session: requests.Session,
        outside: RootOutside,
    ) -> None:
        self.blueprint = blueprint
        self._address = address
        self._token = token
        self._session = session
        self._latest = Latest()
        self.outside = outside
        self._known: dict[str, Namespace] = {}
        self._accepted: dict[str, frozenset[str]] = {}

    def at(self, path: str) -> Namespace:
        """Return a namespace."""
        if path not in self._known:
            self._known[path] = Namespace(self._address, self._token, path, self._session, self._latest)
        return self._known[path]

    def plan(self) -> tuple[Step, ...]:
        """Return what has to be done, in its order, and with it what is as it shall be.

        Raises:
            ProducerError: The server cannot be read, or cannot have what the blueprint says.
        """
        self.check()
        return tuple(part.look() for part in self.parts())

    def apply(self, tell: Callable[[Step], None]) -> Applied:
        """Do what has to be done, and tell of each step. Can be interrupted and run again.

        Raises:
            ProducerError: The server did not do a step; those before it are done.
        """
        self.check()
        done: list[Step] = []
        waits: list[str] = []
        for part in self.parts():
            found = part.look()
            if found.change is Change.NOTHING:
                continue
            try:
                carry_out(part)
            except WaitsError as error:
                waits.append(str(error))
                tell(msgspec.structs.replace(found, waits=str(error)))
            else:
                done.append(found)
                tell(msgspec.structs.replace(found, waits=""))
        warnings = [text for namespace in self._known.values() for text in namespace.warnings]
        return Applied(tuple(done), tuple(waits), tuple(warnings))

    def check(self) -> None:
        """See that the blueprint can be built here.

        Raises:
            ProducerError: It cannot.
        """
        self.blueprint.check()
        self._check_token()
        list(machines.accounts(self.blueprint))
        if any(self._namespaces()) and not self.at("").has_namespaces():
            raise ProducerError(
                'this server has no namespaces: set layout = "paths" under [vault], which puts each namespace'
                " before its mounts instead"
            )

    def _check_token(self) -> None:
        """Refuse a token that is none: of a namespace that is not there, a server would not say so."""
        path = "auth/token/lookup-self"
        # A token of a namespace may be nobody above it.
        if not self.blueprint.admin or self.at(self.blueprint.admin).read(path) is None:
            self.at("").read(path)

    def parts(self) -> Iterator[Part]:
        """Return all parts, each after those that it needs."""
        for path in self._namespaces():
            yield NamespacePart(self.at(path.rpartition("/")[0]), self.at(path))
        yield from self._signing()
        for plan in self.blueprint.issuing():
            yield from self._issuing(plan)
        for tenant in self.blueprint.tenants:
            yield from self._tenant(tenant)
        for account in machines.accounts(self.blueprint):
            yield from self._account(account)
        admin = self.at(self.blueprint.admin)
        mounts = ["/".join(filter(None, place)) for place in self._mounts()]
        paths = policies.reader_policy(self._mounts())
        yield PolicyPart(admin, self.blueprint.reader_name, mounts, lambda: paths)

    def notes(self) -> Iterator[str]:
        """Return what the operator has to see to, for logins that are not made here."""
        for account in machines.accounts(self.blueprint):
            machine, names = account.machine, ", ".join(account.policies)
            where = f" in namespace {account.namespace}" if account.namespace else ""
            if machine.method == "approle":
                if machine.wrapped:
                    made = f"bao write -wrap-ttl=5m -f {account.role}/secret-id"
                    yield f"[{machine.table}]: a wrapped secret id{where} is had by {made}"
                continue
            told = ", ".join(f"{key} = {value}" for key, value in account.metadata.items())
            entity = f" Its entity needs the metadata {told}." if self.blueprint.templated and told else ""
            if machine.method in {"token", "agent"}:
                whose = f"its token needs the policy {names}{where} and a period of an hour."
            else:
                whose = (
                    f"the role {machine.role or 'by default'} of {machine.method} at auth/{machine.mount}"
                    f"{where} needs token_policies = {names} and token_period = 1h."
                )
            yield f"[{machine.table}]: {whose}{entity}"

    def issuing_plan(self, tenant: str) -> IssuingPlan:
        """Return the plan of the mount of a tenant."""
        place = next(plan.tenant.vault for plan in self.blueprint.tenants if plan.tenant.name == tenant)
        plans = self.blueprint.issuing()
        return next(p for p in plans if (p.namespace, p.mount) == (place.namespace, place.mount))

    def issuing_authority(self, plan: IssuingPlan) -> Authority:
        """Return the authority of a tenants' mount."""
        return Authority(self.at(plan.namespace), plan.mount, self.issuing_certifier(plan))

    def issuing_certifier(self, plan: IssuingPlan) -> IssuingCertifier:
        """Return what certifies it."""
        signing = self.blueprint.signing
        admin = self.at(signing.namespace)
        path = f"{signing.mount}/root/sign-intermediate"
        return IssuingCertifier(
            plan, admin, signing.mount, lambda: self._accepts(admin, path), self._signing_certifier().fits
        )

    def signing_authority(self) -> Authority:
        """Return the authority that signs the tenants'."""
        signing = self.blueprint.signing
        return Authority(self.at(signing.namespace), signing.mount, self._signing_certifier())

    def _signing_certifier(self) -> SigningCertifier:
        names = [plan.tenant.names for plan in self.blueprint.tenants]
        return SigningCertifier(self.blueprint.signing, names, self.outside)

    def _namespaces(self) -> Sequence[str]:
        """Return all namespaces, those above first."""
        wanted = dict.fromkeys(
            (
                self.blueprint.signing.namespace,
                *(plan.tenant.vault.namespace for plan in self.blueprint.tenants),
            )
        )
        found: dict[str, None] = {}
        for path in filter(None, wanted):
            names = path.split("/")
            found.update(dict.fromkeys("/".join(names[: depth + 1]) for depth in range(len(names))))
        return list(found)

    def _signing(self) -> Iterator[Part]:
        plan = self.blueprint.signing
        namespace = self.at(plan.namespace)
        yield SecretsMount(namespace, plan.mount, int(plan.lifetime.total_seconds()))
        yield from self._urls(namespace, plan.mount, SIGNING_NAME)
        outside = self.outside
        yield Parents(namespace, plan.mount, lambda issuer: outside.above(issuer.certificate))
        yield self.signing_authority()
        yield from self._upkeep(namespace, plan.mount)

    def _issuing(self, plan: IssuingPlan) -> Iterator[Part]:
        namespace = self.at(plan.namespace)
        yield SecretsMount(namespace, plan.mount, int(plan.lifetime.total_seconds()))
        yield from self._urls(namespace, plan.mount, plan.tenant)
        signing = self.blueprint.signing
        yield Parents(namespace, plan.mount, below_signing(self.at(signing.namespace), signing.mount))
        yield self.issuing_authority(plan)
        yield from self._upkeep(namespace, plan.mount)

    def _urls(self, namespace: Namespace, mount: str, name: str) -> Iterator[Part]:
        """Before any certificate is made there, for it carries them."""
        own = "/".join(filter(None, (self._address.rstrip("/"), "v1", namespace.path, mount)))
        cluster = {"path": own, "aia_path": f"{self.blueprint.public_url.rstrip('/')}/pki/{name}"}
        issuer = "{{cluster_aia_path}}/issuer/{{issuer_id}}"
        urls = {
            "enable_templating": True,
            "issuing_certificates": [f"{issuer}/ca"],
            "crl_distribution_points": [f"{issuer}/crl"],
            "ocsp_servers": ["{{cluster_aia_path}}/ocsp"],
        }
        yield Document(namespace, "URLs of the cluster", f"{mount}/config/cluster", lambda: cluster)
        yield Document(namespace, "URLs in certificates", f"{mount}/config/urls", lambda: urls)

    def _upkeep(self, namespace: Namespace, mount: str) -> Iterator[Part]:
        crl = {"auto_rebuild": True, "enable_delta": True, "disable": False, "ocsp_disable": False}
        tidy = {"enabled": True, "tidy_cert_store": True, "tidy_revoked_certs": True}
        yield Document(namespace, "CRL", f"{mount}/config/crl", lambda: crl)
        yield Document(namespace, "tidying", f"{mount}/config/auto-tidy", lambda: tidy)

    def _tenant(self, plan: TenantPlan) -> Iterator[Part]:
        tenant = plan.tenant
        namespace, mount = self.at(tenant.vault.namespace), tenant.vault.mount
        for name, fields in roles(tenant).items():
            path = f"{mount}/roles/{name}"
            yield Role(namespace, "role", path, _known_fields(self, namespace, path, fields))
        templated = self.blueprint.templated
        paths = policies.tenant_policy(tenant, templated=templated, below=plan.below_home)
        mounts = ("/".join(filter(None, (plan.below_home, mount))),)
        yield PolicyPart(self.at(plan.home), self.blueprint.policy_name(plan), mounts, lambda: paths)

    def _account(self, account: machines.Account) -> Iterator[Part]:
        if account.machine.method != "approle":
            return
        namespace = self.at(account.namespace)
        yield LoginMount(namespace, "approle", account.machine.mount)
        yield Document(namespace, "AppRole", account.role, lambda: machines.approle_fields(account))
        yield machines.RoleId(namespace, account)
        if not account.machine.wrapped:
            yield machines.SecretId(namespace, account)
        yield machines.Entity(namespace, account)

    def _mounts(self) -> Sequence[tuple[str, str]]:
        admin = self.blueprint.admin
        places = [(admin, self.blueprint.signing.mount)]
        places += [(plan.namespace, plan.mount) for plan in self.blueprint.issuing()]
        below = f"{admin}/" if admin else ""
        return [
            (namespace.removeprefix(below) if namespace != admin else "", mount)
            for namespace, mount in places
        ]

    def accepts(self, namespace: Namespace, path: str) -> frozenset[str]:
        """Return which parameters a path takes; asked once of each kind of path, once one is there."""
        return self._accepts(namespace, path)

    def _accepts(self, namespace: Namespace, path: str) -> frozenset[str]:
        # The same in every mount: the last but one part is roles or root.
        kind = path.split("/")[-2]
        if not self._accepted.get(kind):
            self._accepted[kind] = namespace.accepts(path)
        return self._accepted[kind]


def _known_fields(
    producer: Producer, namespace: Namespace, path: str, fields: Mapping[str, Any]
) -> Callable[[], Mapping[str, Any]]:
    def known() -> Mapping[str, Any]:
        accepted = producer.accepts(namespace, path) or OPTIONAL
        return {name: value for name, value in fields.items() if name not in OPTIONAL or name in accepted}

    return known
