"""Names of things: 128 random bits, never derived from what they name (RFC 8555 §10.5)."""

import secrets
from typing import NewType

TenantName = NewType("TenantName", str)
AccountId = NewType("AccountId", str)
OrderId = NewType("OrderId", str)
AuthorizationId = NewType("AuthorizationId", str)
CertificateId = NewType("CertificateId", str)


def random_id() -> str:
    """Return 128 random bits as 32 lower-case hex digits."""
    return secrets.token_hex(16)


def token() -> str:
    """Return a challenge token: 256 random bits in base64url, 43 characters (RFC 8555 §8.3)."""
    return secrets.token_urlsafe(32)
