"""Rotation: a new issuing CA beside the old one, tried out before anything depends on it."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from acmeproxy.adapters.vault.producer.canary import try_out
from acmeproxy.adapters.vault.producer.inventory import key_identifier
from acmeproxy.adapters.vault.producer.issuers import Issuer, issuers, retire
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.adapters.vault.producer.producer import Producer
from acmeproxy.adapters.vault.producer.roles import uses
from acmeproxy.core.tenant import Tenant

Tell = Callable[[str], None]


class Former(msgspec.Struct, frozen=True):
    """An issuer whose certificates are to be renewed: its id, name and key identifier (in hex)."""

    id: str
    name: str
    key_identifier: str


class Rotation:
    """The rotation of the issuing CA of a tenant's mount. Blocks.

    First `switch`, then whoever has the certificates has those of the former issuers renewed, then `retire`.
    Until the last step, running all of it again finishes what was begun instead of making a further CA.
    """

    def __init__(self, producer: Producer, name: str) -> None:
        self._producer = producer
        self._plan = producer.issuing_plan(name)
        self._namespace = producer.at(self._plan.namespace)
        place = (self._plan.namespace, self._plan.mount)
        everybody = [plan.tenant for plan in producer.blueprint.tenants]
        self._tenant = next(tenant for tenant in everybody if tenant.name == name)
        self.tenants: Sequence[Tenant] = [
            tenant for tenant in everybody if (tenant.vault.namespace, tenant.vault.mount) == place
        ]
        self._pinned = {use.issuer for tenant in self.tenants for use in uses(tenant) if use.issuer}

    def switch(self, tell: Tell) -> Sequence[Former]:
        """See that a new issuing CA is the default, and return those that it is instead of.

        Raises:
            ProducerError: Something does not hold. Nothing depends on the new one unless it is the default.
        """
        self._producer.check()
        before = issuers(self._namespace, self._plan.mount)
        old = next((issuer for issuer in before if issuer.default), None)
        if old is None:
            raise ProducerError("there is no issuing CA yet: run acmeproxy vault apply first")
        unfinished = [
            issuer for issuer in before if 0 < issuer.number < old.number and self._may_be_retired(issuer)
        ]
        if unfinished:
            tell(f"in use       {old.name} already: finishing the rotation that made it")
            # Whoever was interrupted may not have come to the roles, which would sign nothing any more.
            for note in (note for issuer in unfinished for note in self._roles(issuer, old.name)):
                tell(note)
            return _former(unfinished)
        reference = self._made(old, tell)
        for note in (*self._settings_notes(old), *self._roles(old, reference)):
            tell(note)
        return _former([old] if self._may_be_retired(old) else [])

    def retire(self, former: Sequence[Former], tell: Tell) -> None:
        """Take from former issuers the use of issuing; they go on signing their CRL and OCSP answers."""
        for issuer in former:
            retire(self._namespace, self._plan.mount, issuer.id)
            tell(f"retired      {issuer.name or issuer.id}: it signs CRLs and OCSP answers only")

    def _made(self, old: Issuer, tell: Tell) -> str:
        authority = self._producer.issuing_authority(self._plan)
        new = authority.beside(old)
        reference = authority.name(new)
        tell(f"made         {reference} beside {old.name or old.id}")
        roots = self._producer.outside.known() or new.chain[-1:]
        if new.chain[-1] not in roots:
            raise ProducerError("the new issuing CA does not lead to a root of vault.roots")
        try_out(self._namespace, self._tenant, new, reference, roots)
        tell("tried out    a certificate was signed, verified up to the root, and revoked")
        authority.replace(old, new)
        tell(f"in use       {reference} is the default of {self._plan.mount}")
        return reference

    def _may_be_retired(self, issuer: Issuer) -> bool:
        return issuer.issues and not {issuer.id, issuer.name} & self._pinned

    def _settings_notes(self, old: Issuer) -> Iterator[str]:
        for one in sorted(self._pinned & {old.name, old.id}):
            yield (
                f"pinned       the settings name the issuer {one}: what asks for it goes on using it;"
                f" change issuer under tenants.{self._tenant.name}, then run acmeproxy vault apply"
            )

    def _roles(self, old: Issuer, reference: str) -> Iterator[str]:
        """Change the roles that name the old default, unless the settings do; say which name any."""
        mount = self._plan.mount
        for role in self._namespace.list(f"{mount}/roles").get("keys") or ():
            path = f"{mount}/roles/{role}"
            named = str((self._namespace.read(path) or {}).get("issuer_ref") or "default")
            if named in {"default", reference} or named in self._pinned:
                continue
            if named in {old.id, old.name}:
                self._namespace.patch(path, {"issuer_ref": reference})
                yield f"role         {role} named the issuer {named}, and names {reference} now"
            else:
                yield f"role         {role} names the issuer {named}, and is left as it is"


def _former(found: Sequence[Issuer]) -> Sequence[Former]:
    return [Former(one.id, one.name, key_identifier(one.certificate)) for one in found]
