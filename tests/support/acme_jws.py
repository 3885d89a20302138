"""Signed requests, honest ones and forged ones (RFC 8555 §6.2, RFC 7515)."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.acme_keys import AccountKey, b64url, unb64url

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Forgery:
    """What to falsify in a request. Each member is applied where its name says; an empty one changes nothing.

    Attributes:
        override: Members put into the protected header, over the honest ones, before signing.
        remove: Members taken out of the protected header before signing.
        protected: Rewrites the JSON text of the protected header before signing: duplicates, junk.
        payload: The octets to sign in place of the JSON of the payload.
        signature: Rewrites the octets of the signature.
        envelope: Rewrites the finished flattened object: unprotected headers, padding, lists.
        content_type: Another media type; `None` sends none.
    """

    override: Mapping[str, Any] = field(default_factory=dict)
    remove: frozenset[str] = frozenset()
    protected: Callable[[bytes], bytes] | None = None
    payload: bytes | None = None
    signature: Callable[[bytes], bytes] | None = None
    envelope: Callable[[JsonObject], object] | None = None
    content_type: str | None = "application/jose+json"


HONEST = Forgery()


@dataclass(frozen=True)
class ExternalAccount:
    """What an operator hands out: `hmac_key` in base64url (RFC 8555 §7.3.4)."""

    kid: str
    hmac_key: str


def sign(key: AccountKey, header: Mapping[str, Any], payload: object, forgery: Forgery = HONEST) -> bytes:
    """Build the body of a request: one flattened JWS.

    Args:
        key: Signs, and decides `alg`.
        header: The protected header without `alg`.
        payload: Encoded as JSON, or nothing at all for `None` (POST-as-GET).
        forgery: What to falsify.
    """
    members = {"alg": key.algorithm, **header, **forgery.override}
    kept = {name: value for name, value in members.items() if name not in forgery.remove}
    return json.dumps(_flattened(key.sign, kept, payload, forgery)).encode()


def bind(external: ExternalAccount, key: AccountKey, url: str, forgery: Forgery = HONEST) -> object:
    """Build an `externalAccountBinding`: a MAC over the account's public key (RFC 8555 §7.3.4)."""
    secret = unb64url(external.hmac_key)
    members = {"alg": "HS256", "kid": external.kid, "url": url, **forgery.override}
    kept = {name: value for name, value in members.items() if name not in forgery.remove}
    return _flattened(
        lambda message: hmac.new(secret, message, hashlib.sha256).digest(), kept, key.jwk, forgery
    )


def flip_last_bit(octets: bytes) -> bytes:
    """Spoil a signature as little as can be."""
    return octets[:-1] + bytes([octets[-1] ^ 1])


def _flattened(
    signer: Callable[[bytes], bytes], header: Mapping[str, Any], payload: object, forgery: Forgery
) -> object:
    text = json.dumps(header).encode()
    protected = b64url(forgery.protected(text) if forgery.protected else text)
    octets = b"" if payload is None else json.dumps(payload).encode()
    body = b64url(octets if forgery.payload is None else forgery.payload)
    signature = signer(f"{protected}.{body}".encode("ascii"))
    envelope: JsonObject = {
        "protected": protected,
        "payload": body,
        "signature": b64url(forgery.signature(signature) if forgery.signature else signature),
    }
    return forgery.envelope(envelope) if forgery.envelope else envelope
