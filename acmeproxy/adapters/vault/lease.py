"""For how long a token is good, as a login, a renewal or a look at the token tells."""

import math
import random
import time
from typing import Final

import msgspec

from acmeproxy.adapters.vault.client import Answer
from acmeproxy.adapters.vault.connection import Secret

_RENEW_AFTER: Final = 2 / 3
_JITTER: Final = 0.1
#: A thousand years: what is more, or less than nothing, is no answer that anybody can count with.
_LONGEST: Final = 31_536_000_000


class Lease(msgspec.Struct, frozen=True):
    """A token and, in seconds of the monotonic clock, when it was made, shall be renewed and will be dead.

    Where no better one was to be had, `born` is when that was found out.
    `length` is how many seconds were given. Without a token, requests are sent to somebody who adds one.
    """

    token: Secret | None
    born: float
    renew: float
    dead: float
    renewable: bool
    length: float


def granted(answer: Answer, known: Secret | None = None) -> Lease | None:
    """Read the `auth` part of a login, or of a renewal of a known token."""
    match answer.auth:
        case {"client_token": str(text), "lease_duration": int(seconds), "renewable": bool(renewable)} if (
            answer.ok and text and 0 <= seconds <= _LONGEST
        ):
            token = known if known is not None and known() == text else Secret(text)
            return leased(token, seconds, renewable=renewable)
    return None


def looked_up(answer: Answer, token: Secret) -> Lease | None:
    """Read what a token says of itself; a root token has no `renewable`."""
    match answer.data:
        case {"ttl": int(seconds), "renewable": bool(renewable)} if answer.ok and 0 <= seconds <= _LONGEST:
            return leased(token, seconds, renewable=renewable)
        case {"ttl": int(seconds)} if answer.ok and 0 <= seconds <= _LONGEST:
            return leased(token, seconds, renewable=False)
    return None


def leased(token: Secret | None, seconds: int, *, renewable: bool) -> Lease:
    """Count from now; zero seconds mean a token without an end."""
    now = time.monotonic()
    length = float(seconds) or math.inf
    spread = random.uniform(_RENEW_AFTER - _JITTER, _RENEW_AFTER)  # noqa: S311 - spreads load, hides nothing
    return Lease(token, now, now + length * spread, now + length, renewable, length)
