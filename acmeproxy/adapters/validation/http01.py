"""http-01: does the host behind a name serve the answer (RFC 8555 §8.3)?"""

import asyncio
from datetime import timedelta
from typing import Final

from acmeproxy.adapters.validation import dial, failures
from acmeproxy.adapters.validation.egress import Address, Egress
from acmeproxy.adapters.validation.failures import Place
from acmeproxy.adapters.validation.fetch import (
    LONGEST_BODY,
    Answer,
    BrokenAnswerError,
    DialError,
    HandshakeError,
    fetch,
)
from acmeproxy.adapters.validation.hop import (
    REDIRECTS,
    SEE_OTHER,
    Hop,
    Ports,
    RedirectError,
    first_hop,
    follow,
)
from acmeproxy.adapters.validation.resolver import Resolver
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.problem import AcmeError, Problem
from acmeproxy.services.ports import Target

_MOST_REDIRECTS: Final = 10
_TRAILING: Final = b" \t\r\n"
_OK: Final = 200


class Http01:
    """Fetches the answer to an http-01 challenge; each host on the way is taken for a hostile one.

    Args:
        resolver: Finds the addresses, anew on every hop.
        egress: Says which of them may be dialled.
        http_port: Where port 80 is dialled; another port is for development only (H01-02).
        https_port: Where port 443 is dialled, after a redirect to https.
        timeout: For one whole look: DNS, TCP, TLS, every redirect and the body.
        user_agent: Names this CA to whoever reads the server's log.
    """

    type = ChallengeType.HTTP01

    def __init__(  # noqa: PLR0913 - the parts and bounds of one validator, each by keyword
        self,
        *,
        resolver: Resolver,
        egress: Egress,
        timeout: timedelta,
        user_agent: str,
        http_port: int = 80,
        https_port: int = 443,
    ) -> None:
        self._resolver = resolver
        self._egress = egress
        self._ports = Ports(http_port, https_port)
        self._seconds = timeout.total_seconds()
        self._user_agent = user_agent

    async def look(self, target: Target) -> Problem | None:
        """Look once whether the key authorization is served; `Validator.look` is the contract."""
        walk = _Walk(first_hop(target.identifier, target.token, self._ports))
        try:
            async with asyncio.timeout(self._seconds) as deadline:
                answer = await self._walk(walk, deadline)
        except TimeoutError:
            return walk.overdue.problem
        except AcmeError as error:
            return error.problem
        return _verdict(answer, target, walk.place)

    async def _walk(self, walk: "_Walk", deadline: asyncio.Timeout) -> Answer:
        """Follow redirects until there is an answer that is none."""
        while True:
            answer = await self._get(walk, deadline)
            if answer.status not in REDIRECTS:
                return answer
            walk.go_on(answer.locations, self._ports)

    async def _get(self, walk: "_Walk", deadline: asyncio.Timeout) -> Answer:
        """GET the hop from one IPv6 or, if that cannot be connected to, one IPv4 address (H01-18, H01-19)."""
        dialled = await self._addresses(walk)
        walk.overdue = failures.unfinished(walk.place, self._seconds)
        for address, seconds in dial.in_turn(dialled, deadline):
            try:
                return await fetch(walk.place.hop, address, self._user_agent, seconds)
            except DialError:
                continue
            except HandshakeError as error:
                raise failures.no_handshake(walk.place) from error
            except BrokenAnswerError as error:
                raise failures.broken(walk.place) from error
        raise failures.unreachable(walk.place, dialled)

    async def _addresses(self, walk: "_Walk") -> tuple[Address, ...]:
        """Resolve the hop and return the first permitted address of each family, in the order to dial."""
        walk.overdue = failures.unresolved_in_time(walk.place)
        return await dial.permitted(walk.place, self._resolver, self._egress)


class _Walk:
    """One look under way: where it is, where it was, and the problem to report if time were up now."""

    def __init__(self, hop: Hop) -> None:
        self.place = Place(hop)
        self.overdue = failures.unresolved_in_time(self.place)
        self._seen = {hop}

    def go_on(self, locations: tuple[str, ...], ports: Ports) -> None:
        """Step to where a redirect leads, unless it breaks a rule (H01-12, H01-13)."""
        try:
            hop = follow(self.place.hop, locations, ports)
        except RedirectError as error:
            raise failures.not_followed(self.place, str(error)) from error
        if hop in self._seen:
            raise failures.not_followed(self.place, "it leads back to a URL that was asked before")
        if self.place.redirects == _MOST_REDIRECTS:
            raise failures.not_followed(self.place, f"there are more than {_MOST_REDIRECTS} redirects")
        self._seen.add(hop)
        self.place = Place(hop, self.place.redirects + 1)


def _verdict(answer: Answer, target: Target, place: Place) -> Problem | None:
    if answer.status == SEE_OTHER:
        return failures.not_followed(place, "status 303 does not say where the answer is").problem
    if answer.status != _OK:
        return failures.wrong_status(place, answer.status).problem
    complaint = _complaint(answer, target)
    return None if complaint is None else failures.wrong_content(place, complaint).problem


def _complaint(answer: Answer, target: Target) -> str | None:
    """Say what is wrong with a response, in words that hold no byte of it."""
    body = answer.body.rstrip(_TRAILING)
    if answer.encoded:
        return "is compressed, which was not asked for"
    if len(answer.body) > LONGEST_BODY:
        return f"is longer than {LONGEST_BODY} bytes"
    if body == target.key_authorization.encode("ascii"):
        return None
    if not body:
        return "is empty"
    if body.startswith(target.token.encode("ascii")):
        return "has the token, but not with the key of this account"
    return "is not the key authorization"
