"""The fixed vocabulary of a look at a host that failed: what to do first, then what was seen.

It holds the step, the status, the number of redirects, and on the first hop the name and addresses that its
owner chose. Beyond a redirect not even those: whoever writes a Location could otherwise have the network and
the DNS of this CA read out to them (INV-10).
"""

import msgspec

from acmeproxy.adapters.validation.egress import Address
from acmeproxy.adapters.validation.hop import Hop
from acmeproxy.adapters.validation.resolver import Outcome, ResolutionError
from acmeproxy.core.problem import AcmeError, refuse
from acmeproxy.core.reference import Reference


class Place(msgspec.Struct, frozen=True):
    """How far a look has come: the hop, and the number of redirects that led there."""

    hop: Hop
    redirects: int = 0

    @property
    def is_first(self) -> bool:
        """Whether the hop is the owner's own choice, so that its name and addresses may be told."""
        return self.redirects == 0

    def __str__(self) -> str:
        if self.is_first:
            return f"{self.hop.host.value} port {self.hop.port}"
        return f"the host that redirect {self.redirects} leads to"


def unresolved(place: Place, error: ResolutionError) -> AcmeError:
    """Say that the host has no address that anybody knows of."""
    if place.is_first:
        return error
    text = f"redirect to a host that this CA can resolve: the one of redirect {place.redirects} it cannot"
    return refuse(Reference.DNS_FAILED, text)


def unresolved_in_time(place: Place) -> AcmeError:
    """Say that the look-up took all the time there was."""
    return unresolved(place, ResolutionError(place.hop.host.value, "A or AAAA", Outcome.TIMEOUT))


def denied(place: Place, addresses: tuple[Address, ...]) -> AcmeError:
    """Say that no address of the host may be dialled."""
    if place.is_first:
        text = (
            f"point {place.hop.host.value} to where this CA may connect: {_list(addresses)} is out of bounds"
        )
    else:
        text = f"redirect to where this CA may connect: redirect {place.redirects} leads out of bounds"
    return refuse(Reference.EGRESS_DENIED, text)


def unreachable(place: Place, addresses: tuple[Address, ...]) -> AcmeError:
    """Say that no connection came about, and not whether it was refused or nobody answered (HTT-16)."""
    if place.is_first:
        where = f"port {place.hop.port} of {place.hop.host.value}"
        seen = f"no connection to {_list(addresses)}"
        text = f"open {where} to this CA and let the ACME client listen there: {seen}"
    else:
        text = (
            f"redirect to a host that this CA can connect to: the one of redirect {place.redirects} it cannot"
        )
    return refuse(Reference.CONNECTION_FAILED, text)


def unfinished(place: Place, seconds: float) -> AcmeError:
    """Say that the deadline came before the end of the answer."""
    return refuse(
        Reference.CONNECTION_FAILED,
        f"let {place} answer faster: after {seconds:g} s the answer was not complete",
    )


def broken(place: Place) -> AcmeError:
    """Say that a connection came about, and no answer."""
    return refuse(
        Reference.CONNECTION_FAILED,
        f"let {place} answer in HTTP: the connection broke, or it was not HTTP, or its header is too long",
    )


def no_handshake(place: Place) -> AcmeError:
    """Say that TLS failed."""
    return refuse(Reference.TLS_FAILED, f"let {place} offer TLS 1.2 or later: the handshake failed")


def other_protocol(place: Place) -> AcmeError:
    """Say that a TLS server answered, which does not know the challenge."""
    text = (
        f"let the ACME client answer TLS with ALPN acme-tls/1 at {place}: the server there did not choose it"
    )
    return refuse(Reference.TLS_ALPN01_PROTOCOL, text)


def wrong_certificate(place: Place, why: str) -> AcmeError:
    """Say what is wrong with the certificate, in words of ours."""
    text = f"let {place} serve the ACME client's certificate for this challenge: the one that came {why}"
    return refuse(Reference.TLS_ALPN01_CERTIFICATE, text)


def not_followed(place: Place, rule: str) -> AcmeError:
    """Say which rule the next redirect breaks."""
    number = place.redirects + 1
    text = f"redirect to http port 80 or https port 443 only: redirect {number} was not followed, as {rule}"
    return refuse(Reference.REDIRECT_REFUSED, text)


def wrong_status(place: Place, status: int) -> AcmeError:
    """Say what the status was."""
    text = (
        f"route /.well-known/acme-challenge/ to the ACME client: {place} gave status {status} instead of 200"
    )
    return refuse(Reference.HTTP01_STATUS, text)


def wrong_content(place: Place, why: str) -> AcmeError:
    """Say what is wrong with the body, in words of ours."""
    text = f"have the ACME client's answer served unchanged: the response of {place} {why}"
    return refuse(Reference.HTTP01_CONTENT, text)


def _list(addresses: tuple[Address, ...], most: int = 3) -> str:
    shown = ", ".join(str(address) for address in addresses[:most])
    return f"{shown} and {len(addresses) - most} more" if len(addresses) > most else shown
