"""Keys of ACME accounts, from `cryptography` alone: a second opinion on what acmeproxy computes."""

import base64
import hashlib
import json
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "EdDSA")
_CURVES: dict[str, ec.EllipticCurve] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
}
_BY_CURVE: dict[str, tuple[str, str, int, hashes.HashAlgorithm]] = {
    "secp256r1": ("ES256", "P-256", 32, hashes.SHA256()),
    "secp384r1": ("ES384", "P-384", 48, hashes.SHA384()),
    "secp521r1": ("ES512", "P-521", 66, hashes.SHA512()),
}


def b64url(octets: bytes) -> str:
    """Encode as unpadded base64url (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """Decode unpadded base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class AccountKey:
    """A private key that signs as JOSE wants it."""

    private: PrivateKey

    @property
    def algorithm(self) -> str:
        """The one algorithm that fits the key (RFC 7518 §3.1, RFC 8037 §3.1)."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return "RS256"
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return "EdDSA"
        return _BY_CURVE[self.private.curve.name][0]

    @property
    def jwk(self) -> dict[str, str]:
        """The public key, in the required members only (RFC 7638 §3.2)."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            public = self.private.public_key().public_numbers()
            return {"e": _integer(public.e), "kty": "RSA", "n": _integer(public.n)}
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return {"crv": "Ed25519", "kty": "OKP", "x": b64url(self.private.public_key().public_bytes_raw())}
        _, curve, size, _ = _BY_CURVE[self.private.curve.name]
        point = self.private.public_key().public_numbers()
        x, y = (b64url(coordinate.to_bytes(size, "big")) for coordinate in (point.x, point.y))
        return {"crv": curve, "kty": "EC", "x": x, "y": y}

    @property
    def thumbprint(self) -> str:
        """SHA-256 of the canonical JWK, in base64url (RFC 7638)."""
        canonical = json.dumps(self.jwk, separators=(",", ":"), sort_keys=True)
        return b64url(hashlib.sha256(canonical.encode("ascii")).digest())

    def key_authorization(self, token: str) -> str:
        """Join a challenge's token and this key's thumbprint (RFC 8555 §8.1)."""
        return f"{token}.{self.thumbprint}"

    def sign(self, message: bytes) -> bytes:
        """Sign; an ECDSA signature is R and S side by side, each as wide as the field (RFC 7518 §3.4)."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        _, _, size, digest = _BY_CURVE[self.private.curve.name]
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def generate(algorithm: str = "ES256") -> AccountKey:
    """Make a new key for one of `ALGORITHMS`; RSA with 2048 bits."""
    if algorithm == "RS256":
        return AccountKey(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    if algorithm == "EdDSA":
        return AccountKey(ed25519.Ed25519PrivateKey.generate())
    return AccountKey(ec.generate_private_key(_CURVES[algorithm]))


def _integer(number: int) -> str:
    return b64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
