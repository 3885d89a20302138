"""Account keys: strict JWKs, their thumbprints, their one algorithm (RFC 7517, RFC 7638, RFC 8555 §6.2).

josepy's only home: it parses RSA and EC keys once this module has checked their form. Ed25519 is ours, since
josepy knows no OKP keys.
"""

import functools
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from josepy.errors import Error as JosepyError
from josepy.jwk import JWKEC, JWKRSA

from acmeproxy.core import weakness
from acmeproxy.core.encoding import NotCanonicalError, b64url_decode, b64url_encode
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference

ALGORITHMS: Final = ("RS256", "ES256", "ES384", "ES512", "EdDSA")

_MIN_RSA_BITS: Final = 2048
_MAX_RSA_BITS: Final = 8192
_RSA_EXPONENT: Final = 65537
#: What the library still computes with, and what costs no more than a sound key.
_WEAK_RSA_BITS: Final = 1024
_MAX_EXPONENT_BITS: Final = 32
_SECRET_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class _Curve(msgspec.Struct, frozen=True):
    algorithm: str
    octets: int
    digest: hashes.HashAlgorithm


_CURVES: Final = {
    "P-256": _Curve("ES256", 32, hashes.SHA256()),
    "P-384": _Curve("ES384", 48, hashes.SHA384()),
    "P-521": _Curve("ES512", 66, hashes.SHA512()),
}
_CURVE_NAMES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_ED25519_OCTETS: Final = 32


class AccountKey(msgspec.Struct, frozen=True):
    """A public key in canonical form: the required members only, so that one key has one thumbprint.

    `members` are ordered by name; `algorithm` is the only one this key verifies.
    """

    members: tuple[tuple[str, str], ...]
    algorithm: str

    @classmethod
    def parse(cls, jwk: object, *, weak: bool = False) -> "AccountKey":
        """Parse a public JWK of a request (RFC 8555 §6.2).

        Args:
            jwk: As sent.
            weak: Take an RSA key that is not strong enough for an account: it is a certificate's, and only
                asks for that certificate's revocation (REV-15).

        Raises:
            AcmeError: `badPublicKey` with the reason, for anything but a sound public RSA, EC or Ed25519 key.
        """
        if not isinstance(jwk, dict):
            raise refuse(Reference.JWS_HEADER, "jwk is not an object")
        if not _SECRET_MEMBERS.isdisjoint(jwk):
            raise _refused("the jwk holds private members: send the public key only, and make a new one")
        if jwk.get("use", "sig") != "sig":
            raise _refused("the jwk is not for signatures (use)")
        match jwk.get("kty"):
            case "RSA":
                key = cls(_rsa_members(jwk, weak=weak), "RS256")
            case "EC":
                key = _ec_key(jwk)
            case "OKP":
                key = cls(_ed25519_members(jwk), "EdDSA")
            case _:
                raise _refused("kty is none of RSA, EC, OKP")
        if jwk.get("alg", key.algorithm) != key.algorithm:
            raise _refused("the jwk's alg is not the algorithm of its key")
        try:
            public = key.public_key()
        except (ValueError, JosepyError) as error:
            raise _refused("the key is not a point on its curve or not a valid key") from error
        if not weak and (reason := weakness.find(public)):
            raise _refused(reason)
        return key

    @classmethod
    def restore(cls, members: Mapping[str, str]) -> "AccountKey":
        """Return the key of a stored account."""
        algorithm = {"RSA": "RS256", "OKP": "EdDSA"}.get(members["kty"])
        return cls(tuple(sorted(members.items())), algorithm or _CURVES[members["crv"]].algorithm)

    @classmethod
    def of(cls, key: object) -> "AccountKey":
        """Return the account key that a public key of `cryptography` would be.

        Raises:
            TypeError: No account can have such a key.
        """
        match key:
            case rsa.RSAPublicKey():
                numbers = key.public_numbers()
                return cls((("e", _number(numbers.e)), ("kty", "RSA"), ("n", _number(numbers.n))), "RS256")
            case ec.EllipticCurvePublicKey() if key.curve.name in _CURVE_NAMES:
                name = _CURVE_NAMES[key.curve.name]
                point, octets = key.public_numbers(), _CURVES[name].octets
                x, y = (b64url_encode(n.to_bytes(octets)) for n in (point.x, point.y))
                members = (("crv", name), ("kty", "EC"), ("x", x), ("y", y))
                return cls(members, _CURVES[name].algorithm)
            case ed25519.Ed25519PublicKey():
                x = b64url_encode(key.public_bytes_raw())
                return cls((("crv", "Ed25519"), ("kty", "OKP"), ("x", x)), "EdDSA")
            case _:
                raise TypeError("no account has a key of this type")

    @property
    def jwk(self) -> dict[str, str]:
        """The canonical public JWK."""
        return dict(self.members)

    @property
    def thumbprint(self) -> str:
        """SHA-256 of the canonical JWK in base64url, 43 characters (RFC 7638 §3)."""
        return b64url_encode(hashlib.sha256(msgspec.json.encode(self.jwk)).digest())

    def public_key(self) -> PublicKey:
        """Return the key for use; parsed once and kept.

        Raises:
            ValueError: If it is no valid key, which `parse` has excluded.
        """
        return _load(self.members)

    @property
    def spki_sha256(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo in hex: the key's identity among certificates."""
        return spki_sha256(self.public_key())

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Tell whether `signature` is this key's over `signed` (RFC 7518 §3, RFC 8037 §3.1)."""
        try:
            match self.public_key():
                case rsa.RSAPublicKey() as key:
                    key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
                case ec.EllipticCurvePublicKey() as key:
                    self._verify_ecdsa(key, signature, signed)
                case ed25519.Ed25519PublicKey() as key:
                    key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True

    def _verify_ecdsa(self, key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> None:
        curve = _CURVES[self.jwk["crv"]]
        # r then s at full width, not DER (RFC 7518 §3.4).
        if len(signature) != 2 * curve.octets:
            raise InvalidSignature
        r = int.from_bytes(signature[: curve.octets])
        s = int.from_bytes(signature[curve.octets :])
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(curve.digest))


def spki_sha256(key: object) -> str:
    """Return the SHA-256 of a public key's SubjectPublicKeyInfo in hex.

    Args:
        key: Any public key of `cryptography`.
    """
    der = key.public_bytes(  # type: ignore[attr-defined]  # cryptography has no common protocol for it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


@functools.lru_cache(maxsize=4096)
def _load(members: tuple[tuple[str, str], ...]) -> PublicKey:
    jwk = dict(members)
    if jwk["kty"] == "OKP":
        return ed25519.Ed25519PublicKey.from_public_bytes(b64url_decode(jwk["x"]))
    kind = JWKRSA if jwk["kty"] == "RSA" else JWKEC
    parsed: Any = kind.from_json(jwk)
    # josepy wraps keys to make them comparable; the bare key is what cryptography's own checks know.
    public: PublicKey = getattr(parsed.key, "_wrapped", parsed.key)
    return public


def _rsa_members(jwk: Mapping[str, object], *, weak: bool) -> tuple[tuple[str, str], ...]:
    n = int.from_bytes(_octets(jwk, "n"))
    e = int.from_bytes(_octets(jwk, "e"))
    if weak and _WEAK_RSA_BITS <= n.bit_length() <= _MAX_RSA_BITS and e.bit_length() <= _MAX_EXPONENT_BITS:
        return (("e", _number(e)), ("kty", "RSA"), ("n", _number(n)))
    if not _MIN_RSA_BITS <= n.bit_length() <= _MAX_RSA_BITS:
        raise _refused(f"RSA keys have {_MIN_RSA_BITS} to {_MAX_RSA_BITS} bits, this one {n.bit_length()}")
    if e != _RSA_EXPONENT or n % 2 == 0:
        raise _refused("RSA keys have an odd modulus and the exponent 65537")
    return (("e", _number(e)), ("kty", "RSA"), ("n", _number(n)))


def _ec_key(jwk: Mapping[str, object]) -> AccountKey:
    name = jwk.get("crv")
    curve = _CURVES.get(name) if isinstance(name, str) else None
    if curve is None:
        raise _refused("EC keys are on P-256, P-384 or P-521")
    x, y = _octets(jwk, "x"), _octets(jwk, "y")
    # Full field width, leading zeros kept, or one key would have two thumbprints (RFC 7518 §6.2.1.2).
    if {len(x), len(y)} != {curve.octets}:
        raise _refused(f"coordinates on {name} have {curve.octets} octets")
    members = (("crv", str(name)), ("kty", "EC"), ("x", b64url_encode(x)), ("y", b64url_encode(y)))
    return AccountKey(members, curve.algorithm)


def _ed25519_members(jwk: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    if jwk.get("crv") != "Ed25519":
        raise _refused("OKP keys are Ed25519")
    x = _octets(jwk, "x")
    if len(x) != _ED25519_OCTETS:
        raise _refused("Ed25519 keys have 32 octets")
    return (("crv", "Ed25519"), ("kty", "OKP"), ("x", b64url_encode(x)))


def _octets(jwk: Mapping[str, object], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str) or not value:
        raise _refused(f"the jwk lacks {name}")
    try:
        return b64url_decode(value)
    except NotCanonicalError as error:
        raise _refused(f"the jwk's {name} is not unpadded base64url") from error


def _number(value: int) -> str:
    return b64url_encode(value.to_bytes((value.bit_length() + 7) // 8))


def _refused(text: str) -> Exception:
    return refuse(Reference.KEY_REFUSED, text)
