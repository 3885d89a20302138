"""Names to addresses and records, from the resolver that the operator chose (VAL-05, DNS-08)."""

import asyncio
import enum
import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver

from acmeproxy.adapters.validation.egress import Address
from acmeproxy.adapters.validation.faults import is_ours
from acmeproxy.core.identifier import Identifier, IdentifierType, dns_name
from acmeproxy.core.problem import AcmeError, problem
from acmeproxy.core.reference import Reference

_LONGEST_WAIT_FOR_A_DATAGRAM: Final = 2.0
_RESOLV_CONF: Final = Path("/etc/resolv.conf")
_LONGEST_NAME: Final = 253
_UDP_PAYLOAD: Final = 1232  # crosses any IPv6 path in one piece; longer answers come over TCP
_QUERY_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


class Outcome(enum.Enum):
    """Why a look-up gave nothing; the value is the class as people know it."""

    NXDOMAIN = "NXDOMAIN"
    NODATA = "NODATA"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    TIMEOUT = "timeout"
    MALFORMED = "malformed answer"
    NAME = "not a host name"


class ResolutionError(AcmeError):
    """A look-up gave nothing. `problem` names the queried name, so it is for whoever chose that name.

    `outcome` tells an absent name (NXDOMAIN, NODATA) from a failure to find out (all others).
    """

    def __init__(self, name: str, kinds: str, outcome: Outcome) -> None:
        text = _TEXTS[outcome].format(name=name, kinds=kinds)
        super().__init__(problem(Reference.DNS_FAILED, f"{text} ({outcome.value})"))
        self.outcome = outcome


class Resolver:
    """Asks one set of name servers, without a cache, for absolute names only.

    Args:
        nameserver: Address and port to ask, or `None` for the name servers of /etc/resolv.conf, read once.
            Of that file nothing else is taken: a search list would look for strangers' names at home.
        timeout: For one whole look-up: every retry, every record type, UDP and TCP.

    Raises:
        dns.resolver.NoResolverConfiguration: /etc/resolv.conf was asked for and names no server.
    """

    def __init__(self, nameserver: tuple[str, int] | None, timeout: timedelta) -> None:
        self._seconds = timeout.total_seconds()
        self._stub = dns.asyncresolver.Resolver(configure=False)
        if nameserver is None:
            self._stub.nameservers = list(system_nameservers())
        else:
            self._stub.nameservers = [nameserver[0]]
            self._stub.port = nameserver[1]
        self._stub.timeout = min(_LONGEST_WAIT_FOR_A_DATAGRAM, self._seconds / 2)
        self._stub.use_edns(0, 0, _UDP_PAYLOAD)

    async def addresses(self, identifier: Identifier) -> tuple[Address, ...]:
        """Return the addresses of an identifier in the order to dial them: IPv6 first, then as answered.

        An `ip` identifier is its own address and asks nobody (RFC 8738 §4). If only one of AAAA and A gives
        addresses they are used, whatever became of the other: an answer is not made false by a server that
        drops AAAA questions, which is a common fault.

        Raises:
            ResolutionError: No address; of two reasons the one that has to be repaired first.
        """
        if identifier.type is IdentifierType.IP:
            return (ipaddress.ip_address(identifier.value),)
        name = _host_name(identifier.value)
        async with asyncio.TaskGroup() as both:
            ipv6 = both.create_task(self._addresses(name, "AAAA"))
            ipv4 = both.create_task(self._addresses(name, "A"))
        answers = (ipv6.result(), ipv4.result())
        found = tuple(address for answer in answers if isinstance(answer, tuple) for address in answer)
        if found:
            return found
        outcomes = {answer for answer in answers if isinstance(answer, Outcome)}
        worst = next(outcome for outcome in _REPAIR_FIRST if outcome in outcomes)
        raise ResolutionError(name, "A or AAAA", worst)

    async def records(self, name: str, kind: str) -> tuple[dns.rdata.Rdata, ...]:
        """Return the records of one type (`TXT`, `CAA`, ...) at an absolute name, its CNAMEs followed.

        Labels may have underscores here (`_acme-challenge`). One set of records, never an empty one.

        Raises:
            ResolutionError: There are none, or it could not be found out.
        """
        if len(name) > _LONGEST_NAME or not _QUERY_NAME.fullmatch(name):
            raise ResolutionError(name, kind, Outcome.NAME)
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._stub.resolve(
                    dns.name.from_text(name, dns.name.root),
                    kind,
                    raise_on_no_answer=False,
                    lifetime=self._seconds,
                    search=False,
                )
        except (dns.exception.DNSException, TimeoutError) as error:
            raise ResolutionError(name, kind, _outcome(error)) from error
        # Truncation over UDP led to TCP; over TCP there is nowhere to get the rest from.
        if answer.response.flags & dns.flags.TC:
            raise ResolutionError(name, kind, Outcome.MALFORMED)
        if answer.rrset is None:
            raise ResolutionError(name, kind, Outcome.NODATA)
        return tuple(answer.rrset)

    async def _addresses(self, name: str, kind: str) -> tuple[Address, ...] | Outcome:
        try:
            return tuple(ipaddress.ip_address(record.to_text()) for record in await self.records(name, kind))
        except ResolutionError as error:
            return error.outcome


def system_nameservers(path: Path = _RESOLV_CONF) -> tuple[str, ...]:
    """Return the addresses on the `nameserver` lines of a resolv.conf, and nothing else of it (DNS-08).

    Raises:
        dns.resolver.NoResolverConfiguration: The file cannot be read, or names no server.
    """
    file = dns.resolver.Resolver(configure=False)
    file.read_resolv_conf(path)
    return tuple(str(server) for server in file.nameservers)


def _host_name(value: str) -> str:
    """Refuse what is no host's name: to getaddrinfo `127.1` and `0x7f.1` are addresses."""
    try:
        name = dns_name(value)
    except ValueError as error:
        raise ResolutionError(value, "A or AAAA", Outcome.NAME) from error
    if name.startswith("*."):
        raise ResolutionError(value, "A or AAAA", Outcome.NAME)
    return name


def _outcome(error: Exception) -> Outcome:
    match error:
        case dns.resolver.NXDOMAIN():
            return Outcome.NXDOMAIN
        case dns.resolver.NoNameservers():
            return _rcode_outcome(error)
        case TimeoutError() | dns.exception.Timeout():
            return Outcome.TIMEOUT
        case _:
            return Outcome.MALFORMED


def _rcode_outcome(error: dns.resolver.NoNameservers) -> Outcome:
    """Tell why every name server was given up: by the last rcode heard, if one was."""
    for _, _, _, cause, response in reversed(error.kwargs["errors"]):
        if isinstance(cause, OSError):
            if is_ours(cause):
                raise cause
            return Outcome.TIMEOUT
        if response is not None and response.rcode() in _RCODES:
            return _RCODES[response.rcode()]
    return Outcome.MALFORMED


_RCODES: Final = {
    dns.rcode.SERVFAIL: Outcome.SERVFAIL,
    dns.rcode.REFUSED: Outcome.REFUSED,
}

_REPAIR_FIRST: Final = (
    Outcome.SERVFAIL,
    Outcome.REFUSED,
    Outcome.MALFORMED,
    Outcome.TIMEOUT,
    Outcome.NXDOMAIN,
    Outcome.NODATA,
)

_TEXTS: Final = {
    Outcome.NXDOMAIN: "create {name} in the DNS that this CA asks: it answered that there is no such name",
    Outcome.NODATA: "give {name} a record of type {kinds} in the DNS that this CA asks: it has none",
    Outcome.SERVFAIL: "repair the zone of {name}: its servers do not answer, or DNSSEC validation fails",
    Outcome.REFUSED: "have this CA's resolver answer for {name}: it refuses the question",
    Outcome.TIMEOUT: "check the name servers of {name}: this CA's resolver gave no answer in time",
    Outcome.MALFORMED: "check the name servers of {name}: the answer made no sense",
    Outcome.NAME: "use a host name of letters, digits, hyphens and dots: {name} was not looked up",
}
