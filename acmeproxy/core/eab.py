"""External account binding: proof that an operator knows whose account this is (RFC 8555 §7.3.4)."""

import hmac
import secrets
from datetime import datetime
from typing import Any, Final

import msgspec

from acmeproxy.core import jws
from acmeproxy.core.encoding import NotCanonicalError, json_object
from acmeproxy.core.ids import AccountId
from acmeproxy.core.jwk import AccountKey
from acmeproxy.core.problem import AcmeError, refuse
from acmeproxy.core.reference import Reference

_DIGESTS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
#: The first six bits of what base64url begins with `-`.
_DASH: Final = 62


class EabKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A MAC key that an operator gave out, and what the accounts that it binds may have.

    `secret` has at least 32 random octets (EAB-14). `names` and `profiles` narrow the tenant's, where given;
    `tags` go with every certificate of its accounts.
    `uses` is how many accounts it may bind, `expires_at` until when; `accounts` are those that it bound, by
    the thumbprint of the key that they registered with.
    """

    kid: str
    secret: bytes
    created_at: datetime
    label: str = ""
    revoked_at: datetime | None = None
    names: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    uses: int | None = None
    expires_at: datetime | None = None
    accounts: dict[str, AccountId] = {}
    tags: dict[str, str] = {}

    def bind(self, thumbprint: str, account: AccountId, now: datetime) -> "EabKey":
        """Use the key for an account; the same key of an account again is the same use (K2).

        Raises:
            AcmeError: `unauthorized`, where it is used up, revoked or expired (EAB-13).
        """
        if self.revoked_at is not None or (self.expires_at is not None and now >= self.expires_at):
            raise refuse(Reference.EAB_REFUSED, "this EAB key has ended: ask for a new one")
        if thumbprint not in self.accounts and self.uses is not None and len(self.accounts) >= self.uses:
            raise refuse(Reference.EAB_REFUSED, "this EAB key is used up: ask for a new one")
        return msgspec.structs.replace(self, accounts={**self.accounts, thumbprint: account})

    def revoke(self, now: datetime) -> "EabKey":
        """End the key for good."""
        return self if self.revoked_at else msgspec.structs.replace(self, revoked_at=now)


class Binding(msgspec.Struct, frozen=True):
    """An inner JWS of the right shape, whose MAC was not looked at yet."""

    kid: str
    envelope: jws.Envelope
    digest: str

    def verify(self, key: EabKey | None) -> EabKey:
        """Check the MAC in constant time; an unknown key and a wrong MAC look the same.

        Raises:
            AcmeError: `unauthorized`.
        """
        secret = key.secret if key else bytes(32)
        mac = hmac.digest(secret, self.envelope.signed, self.digest)
        if not hmac.compare_digest(mac, self.envelope.signature) or key is None:
            raise refuse(
                Reference.EAB_REFUSED, "the external account binding is not accepted: check kid and hmac key"
            )
        return key


def new_secret() -> bytes:
    """Return 256 random bits, whose base64url does not begin with `-` (EAB-14).

    A client that is given the key as a word of its command line would take one that does for an option.
    """
    while (drawn := secrets.token_bytes(32))[0] >> 2 == _DASH:
        pass
    return drawn


def parse(binding: object, outer_url: str, account_key: AccountKey) -> Binding:
    """Take an externalAccountBinding apart (RFC 8555 §7.3.4, steps 1, 2 and 5).

    Raises:
        AcmeError: `malformed`, for a wrong shape, another alg than a MAC, a nonce, another url than the outer
            one, or a payload that is not the account's key (compared by thumbprint, EAB-09).
    """
    if not isinstance(binding, dict):
        raise refuse(Reference.EAB_SHAPE, "externalAccountBinding is not an object")
    try:
        envelope = jws.from_members(binding)
    except AcmeError as error:
        raise refuse(Reference.EAB_SHAPE, f"externalAccountBinding: {_reason(error)}") from error
    header = envelope.header
    _check_header(header, outer_url)
    try:
        key = AccountKey.parse(json_object(envelope.payload))
    except (NotCanonicalError, AcmeError) as error:
        raise refuse(Reference.EAB_SHAPE, "the payload of externalAccountBinding is not a jwk") from error
    if key.thumbprint != account_key.thumbprint:
        raise refuse(Reference.EAB_SHAPE, "the payload of externalAccountBinding is not the account's key")
    return Binding(header["kid"], envelope, _DIGESTS[header["alg"]])


def _check_header(header: dict[str, Any], outer_url: str) -> None:
    try:
        jws.refuse_extensions(header)
    except AcmeError as error:
        raise refuse(Reference.EAB_SHAPE, f"externalAccountBinding: {_reason(error)}") from error
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _DIGESTS:
        raise refuse(Reference.EAB_SHAPE, "externalAccountBinding is signed with HS256, HS384 or HS512")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid or not kid.isascii():
        raise refuse(Reference.EAB_SHAPE, "externalAccountBinding lacks an ASCII kid")
    if "jwk" in header or "nonce" in header:
        raise refuse(Reference.EAB_SHAPE, "externalAccountBinding has neither jwk nor nonce in its header")
    if header.get("url") != outer_url:
        raise refuse(Reference.EAB_SHAPE, "the url in externalAccountBinding is not the outer url")


def _reason(error: AcmeError) -> str:
    return error.problem.detail.partition(" [ref ")[0]
