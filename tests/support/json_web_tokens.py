"""JWTs of an issuer of our own: ES256, made by hand (RFC 7515 §3)."""

import base64
import json
import time
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Issuer:
    """Somebody whose JWTs a Vault trusts."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_key(self) -> str:
        """The key that verifies, as PEM."""
        public = self._key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def jwt(
        self,
        subject: str,
        *,
        audience: str = "vault",
        seconds: int = 600,
        more: Mapping[str, object] | None = None,
    ) -> str:
        """Sign who somebody is, for so many seconds from now."""
        now = int(time.time())
        payload = {"sub": subject, "aud": [audience], "iat": now - 60, "nbf": now - 60, "exp": now + seconds}
        signed = f"{_part({'alg': 'ES256', 'typ': 'JWT'})}.{_part({**payload, **(more or {})})}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _part(value: object) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
