"""The CAs whose certificates, lists and statuses anybody may read, by name."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from acmeproxy.core.certificate import Certificate
from acmeproxy.services.authority import Authority
from acmeproxy.services.flights import Flights
from acmeproxy.services.ports import Clock
from acmeproxy.services.publication import Publication
from acmeproxy.services.recalling import Recall
from acmeproxy.services.statuses import Statuses

#: Stands for the CA that signs the tenants' issuing CAs; no tenant can have this name.
SIGNING: Final = "_signing"

#: Of so many certificates answers are kept, whoever asks for how many: shared out among the mounts.
_MOST_KEPT: Final = 20_000
#: But every mount has room for those that are asked for again and again.
_LEAST_KEPT: Final = 500


class Published(msgspec.Struct, frozen=True):
    """What one CA tells the world."""

    publication: Publication
    statuses: Statuses


class Publishing:
    """Implements `Revocations`: everything that was said before a revocation is forgotten with it.

    Tenants that share a mount share what is kept of it. `told` is called with the name of a CA and the reason
    of every failure to ask Vault, and `recall` for certificates of the tenants of a mount.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it needs, each named at its one place of use
        self,
        authorities: Mapping[str, Authority],
        flights: Flights,
        clock: Clock,
        told: Callable[[str, str], None],
        recall: Recall,
        most_kept: int = _MOST_KEPT,
    ) -> None:
        self._by_name: dict[str, Published] = {}
        share = max(most_kept // max(len(set(authorities.values())), 1), _LEAST_KEPT)
        known: dict[Authority, Published] = {}
        for name, authority in authorities.items():
            if authority not in known:
                publication = Publication(authority, flights, clock, partial(told, name))
                names = [other for other, its in authorities.items() if its is authority]
                ours = partial(recall, names)
                statuses = Statuses(publication, flights, clock, ours, most_kept=share)
                known[authority] = Published(publication, statuses)
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
