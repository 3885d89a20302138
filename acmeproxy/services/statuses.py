"""Whether certificates of one CA are revoked, answered by OCSP (RFC 6960, RFC 5019)."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

from acmeproxy.core import ocsp, renewal
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ocsp import CertId, Fault, IssuerHash, Response, Status, UntrustedResponseError
from acmeproxy.core.renewal import CertId as CertificateName
from acmeproxy.services.flights import AwayError, Flights, UnfitError
from acmeproxy.services.keeping import Keeping, Lease
from acmeproxy.services.ports import Clock
from acmeproxy.services.publication import Known, Publication
from acmeproxy.services.recency import Recency

Said: TypeAlias = Response | Fault

#: A revocation directly in Vault is seen after so long at the latest.
GOOD_FOR: Final = timedelta(minutes=1)
#: What is often asked for is fetched again before that, so that nobody waits.
_RENEW_GOOD: Final = timedelta(seconds=45)
#: A responder that is switched off is asked again after so long.
_REFUSED_FOR: Final = timedelta(seconds=10)
_MOST_NOTED: Final = 10_000


class Statuses:
    """The responder of one mount: Vault's own answers, kept while they are fresh.

    What Vault signed for a certificate is said again for a minute if it is `good` and until its nextUpdate if
    it is `revoked`. While Vault is away both are said until their nextUpdate. `recall` returns our own record
    of a certificate of the mount: what is revoked there is never said to be good. Of `most_kept` certificates
    answers are kept: up to four of each, one a hash, in 10 KiB of memory.
    """

    def __init__(
        self,
        publication: Publication,
        flights: Flights,
        clock: Clock,
        recall: Callable[[CertificateName], Awaitable[Certificate | None]],
        *,
        most_kept: int,
    ) -> None:
        self._recall = recall
        self._publication = publication
        self._flights = flights
        self._clock = clock
        self._kept: Recency[int, dict[IssuerHash, Keeping[Said]]] = Recency(most_kept)
        self._doubted: OrderedDict[int, None] = OrderedDict()
        self._revoked: OrderedDict[int, None] = OrderedDict()
        self._heard = False

    async def answer(self, request: ocsp.Request) -> Said:
        """Answer a request; a fault where there is nothing true to say.

        Vault answers no nonce. Who sends one wants an answer that nobody had before, and gets it.
        """
        try:
            known = await self._publication.issuer_named(request.certificate.issuer)
            if known is None:
                # Vault would say `unknown` under another CA's name, which nobody believes (RFC 5019 §2.2.3).
                return Fault.UNAUTHORIZED
            keeping = self._keeping(request.certificate, known)
            said = None if request.nonce else keeping.peek(self._clock())
            sure = self._heard and request.certificate.serial not in self._doubted
            if said is None or not (sure or _is(said, Status.REVOKED)):
                said = await keeping.newest()
        except AwayError:
            return Fault.TRY_LATER
        if request.certificate.serial in self._revoked and _is(said, Status.GOOD):
            # By a node of Vault that has not heard of it yet: what is revoked is never good again.
            self._kept.drop(request.certificate.serial)
            return Fault.TRY_LATER
        return said

    def doubt(self, serial: int) -> None:
        """Ask Vault each time whether a certificate is good: it will be revoked.

        So that a process that hears late that it was revoked does not say what it knew before.
        """
        _note(self._doubted, serial)

    def revoked(self, serial: int) -> None:
        """Say nothing of a certificate any more that was said before it was revoked."""
        self._doubted.pop(serial, None)
        _note(self._revoked, serial)
        self._kept.drop(serial)

    def listening(self, *, heard: bool) -> None:
        """Forget everything: something may have been revoked while nobody listened.

        While nobody listens, nothing but `revoked` is said without asking Vault.
        """
        self._heard = heard
        self._kept.clear()

    def _keeping(self, certificate: CertId, known: Known) -> Keeping[Said]:
        by_issuer = self._kept.get(certificate.serial, dict[IssuerHash, Keeping[Said]])
        keeping = by_issuer.get(certificate.issuer)
        if keeping is None:
            fetch = partial(self._fetch, certificate, known)
            keeping = Keeping(fetch, self._flights, self._publication.lane, self._clock)
            by_issuer[certificate.issuer] = keeping
        return keeping

    async def _fetch(self, certificate: CertId, known: Known) -> Lease[Said]:
        async with self._publication.turnstile.turn():
            der = await self._publication.authority.status(ocsp.encode_request(certificate))
            now = self._clock()
            if (fault := ocsp.fault_of(der)) is not None:
                if fault is Fault.UNAUTHORIZED:
                    return Lease(fault, now, now + _REFUSED_FOR, now + _REFUSED_FOR, now + _REFUSED_FOR)
                raise UnfitError(f"the responder said {fault.name}")
            try:
                said = ocsp.parse_response(der, certificate, known.certificate, now)
            except UntrustedResponseError as error:
                raise UnfitError(f"an OCSP answer that cannot be shown: {error}") from None
            # Who cannot hear of revocations would wait for the store in vain, too.
            if said.status is Status.GOOD and self._heard:
                await self._compare(known, certificate.serial)
            return _lease(said, now)

    async def _compare(self, known: Known, serial: int) -> None:
        """Hold `good` against our own record: it may come from a node that lags, or from a restored backup.

        Raises:
            UnfitError: Vault has revoked it before.
        """
        name = renewal.name_under(known.certificate, serial)
        ours = await self._recall(name) if name else None
        if ours is None or ours.revoking_at is None:
            return
        if ours.revoked_at is None:
            self.doubt(serial)
            return
        self.revoked(serial)
        raise UnfitError(f"good, of {ours.serial}, which it has revoked before")


def fresh_until(said: Response, fetched: datetime) -> datetime:
    """Return until when an answer is said without asking again."""
    end = said.next_update or fetched
    match said.status:
        case Status.REVOKED:
            return end
        case Status.GOOD:
            return min(end, fetched + GOOD_FOR)
        case Status.UNKNOWN:
            return fetched


def _lease(said: Response, now: datetime) -> Lease[Said]:
    end = said.next_update or now
    fresh = fresh_until(said, now)
    renew = now + (end - now) / 2 if said.status is Status.REVOKED else min(fresh, now + _RENEW_GOOD)
    return Lease(said, now, renew, fresh, end if said.status is not Status.UNKNOWN else now)


def _note(serials: OrderedDict[int, None], serial: int) -> None:
    serials[serial] = None
    if len(serials) > _MOST_NOTED:
        serials.popitem(last=False)


def _is(said: Said, status: Status) -> bool:
    return isinstance(said, Response) and said.status is status
