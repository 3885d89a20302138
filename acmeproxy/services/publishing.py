"""The CAs whose certificates, lists and statuses anybody may read, by name."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from acmeproxy.core.certificate import Certificate
from acmeproxy.services.authority import Authority
from acmeproxy.services.flights import Flights
from acmeproxy.services.ports import Clock
from acmeproxy.services.publication import Publication
from acmeproxy.services.statuses import Statuses

#: Stands for the CA that signs the tenants' issuing CAs; no tenant can have this name.
SIGNING: Final = "_signing"


class Published(msgspec.Struct, frozen=True):
    """What one CA tells the world."""

    publication: Publication
    statuses: Statuses


class Publishing:
    """Implements `Revocations`: everything that was said before a revocation is forgotten with it.

    Tenants that share a mount share what is kept of it. `told` is called with the name of a CA and the reason
    of every failure to ask Vault.
    """

    def __init__(
        self,
        authorities: Mapping[str, Authority],
        flights: Flights,
        clock: Clock,
        told: Callable[[str, str], None],
    ) -> None:
        self._by_name: dict[str, Published] = {}
        known: dict[Authority, Published] = {}
        for name, authority in authorities.items():
            if authority not in known:
                known[authority] = _published(name, authority, flights, clock, told)
            self._by_name[name] = known[authority]
        self._all = tuple(known.values())

    def find(self, name: str) -> Published | None:
        """Return a CA."""
        return self._by_name.get(name)

    def begun(self, certificate: Certificate) -> None:
        """Say nothing of a certificate any more without asking Vault."""
        for one in self._all:
            one.statuses.doubt(_number(certificate))

    def concluded(self, certificate: Certificate) -> None:
        """Forget what was said of a certificate, and look for the lists that will have it."""
        for one in self._all:
            one.statuses.revoked(_number(certificate))
            if len(certificate.chain) > 1:
                one.publication.expect_lists(certificate.chain[1])

    def listening(self, *, heard: bool) -> None:
        """Forget every status, and keep none while some revocations may not be heard of."""
        for one in self._all:
            one.statuses.listening(heard=heard)


def _number(certificate: Certificate) -> int:
    return int(certificate.serial.replace(":", ""), 16)


def _published(
    name: str, authority: Authority, flights: Flights, clock: Clock, told: Callable[[str, str], None]
) -> Published:
    publication = Publication(authority, flights, clock, lambda reason: told(name, reason))
    return Published(publication, Statuses(publication, flights, clock))
