"""Nonces that cost nothing to make: a MAC over time and chance, under the secret of an epoch (RFC 8555 §6.5).

Only used ones are remembered, so a flood of new-nonce requests writes nothing. A server that may have
forgotten used nonces begins a new epoch, and every nonce of the old one is void (INV-7).
"""

import hmac
import secrets
import struct
import time
from datetime import timedelta
from typing import Final

from acmeproxy.core.encoding import NotCanonicalError, b64url_decode, b64url_encode
from acmeproxy.services.stores import NonceFault

LIFETIME: Final = timedelta(hours=2)

_STAMP: Final = struct.Struct(">I")
_CHANCE: Final = 16
_MAC: Final = 16
_LENGTH: Final = _STAMP.size + _CHANCE + _MAC


def fresh_secret() -> str:
    """Return a secret for a new epoch."""
    return secrets.token_hex(32)


class Mint:
    """Makes and recognises nonces under the secret of the epoch that this process last heard of."""

    def __init__(self) -> None:
        # Until the store told the epoch, what is handed out is recognised by nobody, which a client survives.
        self.secret = fresh_secret()

    def make(self) -> str:
        """Return a nonce with 128 random bits, good for two hours."""
        body = _STAMP.pack(int(time.time())) + secrets.token_bytes(_CHANCE)
        return b64url_encode(body + self._mac(body))

    def fault(self, nonce: str) -> NonceFault | None:
        """Tell what can be told without the store."""
        if not nonce:
            return NonceFault.MISSING
        try:
            octets = b64url_decode(nonce)
        except NotCanonicalError:
            return NonceFault.UNKNOWN
        body, mac = octets[:-_MAC], octets[-_MAC:]
        if len(octets) != _LENGTH or not hmac.compare_digest(mac, self._mac(body)):
            return NonceFault.UNKNOWN
        if time.time() - _STAMP.unpack(body[: _STAMP.size])[0] > LIFETIME.total_seconds():
            return NonceFault.EXPIRED
        return None

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self.secret.encode(), body, "sha256")[:_MAC]
