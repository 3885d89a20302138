"""A new signing CA beside the old one, before that ends: below the root outside, as the first one."""

from collections.abc import Callable

from acmeproxy.adapters.vault.producer import step
from acmeproxy.adapters.vault.producer.issuers import Issuer, issuers, retire
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.adapters.vault.producer.producer import Producer
from acmeproxy.adapters.vault.producer.step import Difference, Step

Tell = Callable[[str], None]


class SigningRotation:
    """The rotation of the signing CA. Blocks.

    The issuing CAs below the old one stay in use: the next rotation of each tenant has the new one sign.
    Until the old one is retired, running it again finishes what was begun instead of making a further CA.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._plan = producer.blueprint.signing
        self._namespace = producer.at(self._plan.namespace)
        self._authority = producer.signing_authority()

    def look(self) -> Step:
        """Return what will be done.

        Raises:
            ProducerError: There is no signing CA yet, or the server cannot be read.
        """
        self._producer.check()
        old, unfinished = self._found()
        if not unfinished:
            return self._authority.next_step(old)
        where = step.place(self._namespace.path, self._plan.mount)
        fields = [Difference(one.name, "signs issuing CAs", "signs its CRL only") for one in unfinished]
        return step.changed("signing CA", where, fields)

    def carry(self, tell: Tell) -> None:
        """Make a new one the default, and take from the old one the right to sign certificates.

        Raises:
            WaitsError: The root has to sign.
            ProducerError: Something does not hold. Nothing depends on the new one unless it is the default.
        """
        old, unfinished = self._found()
        if unfinished:
            tell(f"in use       {old.name} already: finishing the rotation that made it")
        else:
            self._replace(old, tell)
            unfinished = (old,) if old.issues else ()
        for one in unfinished:
            retire(self._namespace, self._plan.mount, one.id)
            tell(f"retired      {one.name or one.id}: it signs CRLs and OCSP answers only")
        for plan in self._producer.blueprint.issuing():
            tell(f"to do        acmeproxy vault rotate {plan.tenant}: until then it stays below the old one")

    def _found(self) -> tuple[Issuer, tuple[Issuer, ...]]:
        """Return the default signing CA, and those before it that an interrupted run did not retire."""
        found = issuers(self._namespace, self._plan.mount)
        default = next((issuer for issuer in found if issuer.default), None)
        if default is None:
            raise ProducerError("there is no signing CA yet: run acmeproxy vault apply first")
        return default, tuple(one for one in found if 0 < one.number < default.number and one.issues)

    def _replace(self, old: Issuer, tell: Tell) -> None:
        new = self._authority.beside(old)
        reference = self._authority.name(new)
        tell(f"made         {reference} beside {old.name or old.id}")
        roots = self._producer.outside.known() or new.chain[-1:]
        if new.chain[-1] not in roots:
            raise ProducerError("the new signing CA does not lead to a root of vault.roots")
        self._authority.replace(old, new)
        tell(f"in use       {reference} is the default of {self._plan.mount}")
