"""tls-alpn-01: does the host behind a name hold the answer in a certificate (RFC 8737 §3, RFC 8738 §6)?"""

import asyncio
from datetime import timedelta

from acmeproxy.adapters.validation import dial, failures
from acmeproxy.adapters.validation.alpn_certificate import complaint
from acmeproxy.adapters.validation.egress import Egress
from acmeproxy.adapters.validation.failures import Place
from acmeproxy.adapters.validation.handshake import (
    PROTOCOL,
    NoConnectionError,
    NoHandshakeError,
    Seen,
    handshake,
)
from acmeproxy.adapters.validation.hop import Hop
from acmeproxy.adapters.validation.resolver import Resolver
from acmeproxy.core import dns_proof
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.problem import AcmeError, Problem
from acmeproxy.services.ports import Target


class TlsAlpn01:
    """Shakes hands with the host; where it may connect, and in which order, is as with http-01 (ALP-07).

    Args:
        resolver: Finds the addresses.
        egress: Says which of them may be dialled.
        timeout: For one whole look: DNS, TCP and TLS.
        port: Where port 443 is dialled; another port is for development only.
    """

    type = ChallengeType.TLSALPN01

    def __init__(self, *, resolver: Resolver, egress: Egress, timeout: timedelta, port: int = 443) -> None:
        self._resolver = resolver
        self._egress = egress
        self._seconds = timeout.total_seconds()
        self._port = port

    async def look(self, target: Target) -> Problem | None:
        """Look once whether the certificate is there; `Validator.look` is the contract."""
        place = Place(Hop("tls", target.identifier, self._port, target.identifier.value, ""))
        overdue = failures.unresolved_in_time(place)
        try:
            async with asyncio.timeout(self._seconds) as deadline:
                dialled = await dial.permitted(place, self._resolver, self._egress)
                overdue = failures.unfinished(place, self._seconds)
                seen = await self._shake(place, dial.in_turn(dialled, deadline))
        except TimeoutError:
            return overdue.problem
        except AcmeError as error:
            return error.problem
        if seen is None:
            return failures.unreachable(place, dialled).problem
        return _verdict(seen, target, place)

    async def _shake(self, place: Place, addresses: dial.Turns) -> Seen | None:
        """Shake hands with the first address to which a connection comes about (TAL-15)."""
        for address, seconds in addresses:
            try:
                return await handshake(place.hop.host, address, place.hop.port, seconds)
            except NoConnectionError:
                continue
            except NoHandshakeError as error:
                raise failures.no_handshake(place) from error
        return None


def _verdict(seen: Seen, target: Target, place: Place) -> Problem | None:
    if seen.protocol != PROTOCOL:
        return failures.other_protocol(place).problem
    wrong = complaint(seen.certificate, target.identifier, dns_proof.digest(target.key_authorization))
    return None if wrong is None else failures.wrong_certificate(place, wrong).problem
