"""Which addresses of a host are dialled, in which order and for how long: the same for every method.

A name is resolved once, its addresses are checked, and a checked address is what is dialled: whoever resolved
the name again would dial what nobody checked (HTT-02, ALP-07).
"""

import asyncio
from collections.abc import Iterator
from typing import Final, TypeAlias

from acmeproxy.adapters.validation import failures
from acmeproxy.adapters.validation.egress import Address, Egress
from acmeproxy.adapters.validation.failures import Place
from acmeproxy.adapters.validation.resolver import ResolutionError, Resolver

Turns: TypeAlias = Iterator[tuple[Address, float]]

# What connecting may take of the time that is left: half while there is another family to try, and never all,
# so that a host that is not there is told from one that is slow.
_SHARE_OF_ONE_OF_TWO: Final = 0.5
_SHARE_OF_THE_LAST: Final = 0.9


async def permitted(place: Place, resolver: Resolver, egress: Egress) -> tuple[Address, ...]:
    """Resolve a host and return the first permitted address of each family, in the order to dial (H01-19).

    Raises:
        AcmeError: It has no address, or none that may be dialled.
    """
    hop = place.hop
    try:
        found = await resolver.addresses(hop.host)
    except ResolutionError as error:
        raise failures.unresolved(place, error) from error
    allowed = [address for address in found if egress.permits(address, hop.port)]
    if not allowed:
        raise failures.denied(place, found)
    return tuple({address.version: address for address in reversed(allowed)}.values())[::-1]


def in_turn(addresses: tuple[Address, ...], deadline: asyncio.Timeout) -> Turns:
    """Yield each address, and the seconds that connecting to it may take of what is left then (H01-18)."""
    for address in addresses:
        share = _SHARE_OF_THE_LAST if address == addresses[-1] else _SHARE_OF_ONE_OF_TWO
        yield address, _left(deadline) * share


def _left(deadline: asyncio.Timeout) -> float:
    when = deadline.when()
    return 0.0 if when is None else max(0.0, when - asyncio.get_running_loop().time())
