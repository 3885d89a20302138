"""The certificates and revocation lists of one CA, kept so that relying parties need not reach Vault."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import msgspec
from cryptography import x509

from acmeproxy.core import crl, ocsp
from acmeproxy.core.crl import RevocationList, UntrustedListError
from acmeproxy.core.ocsp import IssuerHash
from acmeproxy.core.unreadable import UNREADABLE
from acmeproxy.services.authority import Authority, Issuer, Issuers
from acmeproxy.services.flights import Flights, Turnstile, UnfitError
from acmeproxy.services.keeping import Keeping, Lease
from acmeproxy.services.ports import Clock

#: What Vault makes anew at times of its own is looked at so often.
_EACH: Final = timedelta(minutes=1)
#: A list that is asked for all the time is fetched again before somebody would have to wait for it.
_AHEAD: Final = timedelta(seconds=45)
#: After a revocation the next list is looked for, but not once for each of a thousand. An issuer that nobody
#: knows may be a new one, whose certificates are in use at once; or an invention, of which there are many.
_BREATH: Final = timedelta(seconds=2)
#: That there is no list is remembered for so long.
_ABSENT: Final = timedelta(seconds=10)
_PARSED_HERE: Final = 1 << 16


class Known(msgspec.Struct, frozen=True):
    """An issuer, and its certificate to verify with."""

    issuer: Issuer
    certificate: x509.Certificate


class Absent(msgspec.Struct, frozen=True):
    """The mount has none."""


class _Directory(msgspec.Struct, frozen=True):
    default: str
    by_id: dict[str, Known]
    by_hash: dict[IssuerHash, Known]


class Publication:
    """What one mount publishes. A list is shown until its nextUpdate, and an issuer while we know it."""

    def __init__(
        self, authority: Authority, flights: Flights, clock: Clock, told: Callable[[str], None]
    ) -> None:
        self.authority = authority
        self.turnstile = Turnstile(clock, told)
        self.lane = flights.lane()
        self._flights = flights
        self._clock = clock
        self._issuers = Keeping(self._fetch_issuers, flights, self.lane, clock)
        self._lists: dict[tuple[str, bool], Keeping[RevocationList | Absent]] = {}

    async def issuer(self, issuer_id: str | None = None) -> Known | None:
        """Return an issuer, the mount's default without an id, or `None` where there is no such one.

        Raises:
            AwayError: Vault does not answer, and never did.
        """
        known = await self._issuers.get()
        found = known.by_id.get(known.default if issuer_id is None else issuer_id)
        if found is None and self._issuers.older_than(_BREATH):
            known = await self._issuers.newest()
            found = known.by_id.get(known.default if issuer_id is None else issuer_id)
        return found

    async def issuer_named(self, name: IssuerHash) -> Known | None:
        """Return the issuer that an OCSP request names, or `None` where it is none of this mount.

        Raises:
            AwayError: Vault does not answer, and never did.
        """
        known = await self._issuers.get()
        found = known.by_hash.get(name)
        if found is None and self._issuers.older_than(_BREATH):
            found = (await self._issuers.newest()).by_hash.get(name)
        return found

    async def revocation_list(self, known: Known, *, delta: bool) -> RevocationList | None:
        """Return an issuer's list, or `None` where it has none.

        Raises:
            AwayError: There is none that is still true.
        """
        if not known.issuer.signs:
            return None
        key = (known.issuer.id, delta)
        if key not in self._lists:
            fetch = partial(self._fetch_list, known, delta)
            self._lists[key] = Keeping(fetch, self._flights, self.lane, self._clock)
        found = await self._lists[key].get()
        return None if isinstance(found, Absent) else found

    def expect_lists(self, issuer: bytes) -> None:
        """Look for newer lists soon, if an issuer (DER) is one of this mount."""
        known = self._issuers.kept
        if known and any(one.issuer.certificate == issuer for one in known.by_id.values()):
            for keeping in self._lists.values():
                keeping.hasten(_BREATH)

    async def _fetch_issuers(self) -> Lease[_Directory]:
        async with self.turnstile.turn():
            known = _directory(await self.authority.issuers())
            gone = [key for key in self._lists if key[0] not in known.by_id]
            for key in gone:
                del self._lists[key]
            now = self._clock()
            # Its certificate stays what it is: there is no time after which it would be wrong to show it.
            forever = datetime.max.replace(tzinfo=now.tzinfo)
            return Lease(known, now, now + _EACH, forever, forever)

    async def _fetch_list(self, known: Known, delta: bool) -> Lease[RevocationList | Absent]:  # noqa: FBT001 - of a partial
        async with self.turnstile.turn():
            der = await self.authority.revocation_list(known.issuer.id, delta=delta)
            now = self._clock()
            if der is None:
                return Lease(Absent(), now, now + _ABSENT, now + _ABSENT, now + _ABSENT)
            try:
                found = (
                    crl.parse(der, known.certificate, now, delta=delta)
                    if len(der) < _PARSED_HERE
                    else await asyncio.to_thread(crl.parse, der, known.certificate, now, delta=delta)
                )
            except UntrustedListError as error:
                raise UnfitError(f"a list that cannot be shown: {error}") from None
            found = self._later(found, (known.issuer.id, delta))
            renew = now + min(_AHEAD, (found.next_update - now) / 2)
            # Where it is asked for once a day, the one of yesterday must not be what is shown first.
            fresh = min(now + _EACH, found.next_update)
            return Lease(found, now, renew, fresh, found.next_update)

    def _later(self, found: RevocationList, key: tuple[str, bool]) -> RevocationList:
        """Return the later one of what was found and what is kept: a node that lags has yesterday's."""
        keeping = self._lists.get(key)
        kept = keeping.kept if keeping else None
        if isinstance(kept, RevocationList) and kept.this_update > found.this_update:
            return kept
        return found


def _directory(issuers: Issuers) -> _Directory:
    by_id: dict[str, Known] = {}
    by_hash: dict[IssuerHash, Known] = {}
    for issuer in issuers.by_id.values():
        try:
            known = Known(issuer, x509.load_der_x509_certificate(issuer.certificate))
            names = ocsp.issuer_hashes(known.certificate) if issuer.signs else ()
        except UNREADABLE as error:
            raise UnfitError(f"an issuer that cannot be read: {type(error).__name__}") from None
        by_id[issuer.id] = known
        by_hash |= dict.fromkeys(names, known)
    return _Directory(issuers.default, by_id, by_hash)
