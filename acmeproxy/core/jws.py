"""The JWS gate: the one shape of signed request that ACME allows, and nothing else (RFC 8555 §6.2).

Parsing is split from checking, since a nonce counts as used once it was seen, whatever fails afterwards
(RFC 8555 §6.5): `parse` gives what was sent, `Envelope.signer` says who must have signed, and `verify` holds
the signature against that key.
"""

from typing import Any, Final

import msgspec

from acmeproxy.core.encoding import NotCanonicalError, b64url_decode, json_object
from acmeproxy.core.jwk import ALGORITHMS, AccountKey
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference

MEDIA_TYPE: Final = "application/jose+json"


class Envelope(msgspec.Struct, frozen=True):
    """One flattened JWS, taken apart and not yet believed.

    `header` is the protected header; `signed` the octets under the signature (RFC 7515 §5.1).
    """

    header: dict[str, Any]
    payload: bytes
    signature: bytes
    signed: bytes

    @property
    def nonce(self) -> str:
        """The nonce, or nothing when it is absent (which is no usable nonce, NON-09).

        Raises:
            AcmeError: `malformed`, if it is there and not base64url (RFC 8555 §6.5.2).
        """
        nonce = self.header.get("nonce", "")
        if not isinstance(nonce, str):
            raise refuse(Reference.JWS_HEADER, "nonce is not a string")
        try:
            b64url_decode(nonce)
        except NotCanonicalError as error:
            raise refuse(Reference.JWS_HEADER, "nonce is not unpadded base64url") from error
        return nonce

    def signer(self, *, weak: bool = False) -> "Signer":
        """Say which key the request claims, after the header's own rules; `weak` is as in `AccountKey.parse`.

        Raises:
            AcmeError: `malformed` for `crit`, `b64`, or anything but exactly one of jwk and kid;
                `badSignatureAlgorithm` with our list; `badPublicKey` for a jwk that we refuse.
        """
        refuse_extensions(self.header)
        algorithm = self.header.get("alg")
        if not isinstance(algorithm, str):
            raise refuse(Reference.JWS_HEADER, "the protected header lacks alg")
        if algorithm not in ALGORITHMS:
            raise refuse(
                Reference.JWS_ALGORITHM,
                f"algorithm {algorithm[:20]} is not taken: sign with one of {', '.join(ALGORITHMS)}",
                algorithms=ALGORITHMS,
            )
        kid, jwk = self.header.get("kid"), self.header.get("jwk")
        if (kid is None) == (jwk is None):
            raise refuse(Reference.JWS_HEADER, "the protected header needs exactly one of jwk and kid")
        if kid is not None:
            if not isinstance(kid, str):
                raise refuse(Reference.JWS_HEADER, "kid is not a string")
            return Signer(algorithm, kid=kid)
        key = AccountKey.parse(jwk, weak=weak)
        if key.algorithm != algorithm:
            raise refuse(Reference.KEY_REFUSED, f"a key for {key.algorithm} cannot sign with {algorithm}")
        return Signer(algorithm, key=key)

    def verify(self, key: AccountKey) -> None:
        """Hold the signature against a key.

        Raises:
            AcmeError: `malformed`, where alg is not the key's own or the signature is not the key's.
        """
        if self.header.get("alg") != key.algorithm:
            raise refuse(Reference.JWS_SIGNATURE, f"the account's key signs with {key.algorithm}")
        if not key.verifies(self.signature, self.signed):
            raise refuse(
                Reference.JWS_SIGNATURE, "the JWS signature does not verify with the key that it names"
            )

    def check_url(self, url: str) -> None:
        """Compare the signed url with the one that was handed out, byte for byte (RFC 8555 §6.4).

        Raises:
            AcmeError: `malformed` where it is no string, `unauthorized` where it differs.
        """
        signed = self.header.get("url")
        if not isinstance(signed, str):
            raise refuse(Reference.JWS_HEADER, "the protected header lacks url")
        if signed != url:
            raise refuse(Reference.JWS_URL, f"the signed url is not the url posted to, which is {url[:200]}")


class Signer(msgspec.Struct, frozen=True):
    """Who a request claims to be from: an account URL (`kid`) or a key of its own (`jwk`)."""

    algorithm: str
    kid: str | None = None
    key: AccountKey | None = None


def parse(body: bytes) -> Envelope:
    """Take one flattened JWS apart (RFC 7515 §7.2.2), for a request body or an inner JWS alike.

    Raises:
        AcmeError: `malformed`, for any other serialization, an unprotected header, a detached payload, lax
            base64url, duplicate members or a protected header that is no object.
    """
    try:
        return from_members(json_object(body))
    except NotCanonicalError as error:
        raise refuse(Reference.JWS_SHAPE, f"the request body is refused: {error}") from error


def from_members(members: dict[str, Any]) -> Envelope:
    """Take the members of one flattened JWS apart.

    Raises:
        AcmeError: As `parse`.
    """
    if "signatures" in members:
        raise refuse(Reference.JWS_SHAPE, "the general serialization is not taken: send one flattened JWS")
    if members.get("header") is not None:
        raise refuse(Reference.JWS_SHAPE, "an unprotected header is not taken")
    protected, payload, signature = (_member(members, name) for name in ("protected", "payload", "signature"))
    try:
        return Envelope(
            header=json_object(b64url_decode(protected)),
            payload=b64url_decode(payload),
            signature=b64url_decode(signature),
            signed=f"{protected}.{payload}".encode("ascii"),
        )
    except NotCanonicalError as error:
        raise refuse(Reference.JWS_SHAPE, f"the JWS is refused: {error}") from error


def _member(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise refuse(Reference.JWS_SHAPE, f"the JWS lacks the string member {name}")
    return value


def refuse_extensions(header: dict[str, Any]) -> None:
    """Refuse `crit` and `b64`: we know no extension, and RFC 7797 payloads are forbidden (§6.2).

    Raises:
        AcmeError: `malformed`.
    """
    if "crit" in header:
        raise refuse(Reference.JWS_HEADER, "crit names extensions that this server does not have")
    if header.get("b64", True) is not True:
        raise refuse(Reference.JWS_HEADER, "unencoded payloads (b64 false) are not taken")
