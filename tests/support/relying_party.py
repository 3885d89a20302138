"""Who trusts certificates and looks whether they are revoked, as RFC 5280 and RFC 6960 have it."""

import base64
from collections.abc import Mapping
from urllib.parse import quote

from aiohttp import ClientSession
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from yarl import URL

from tests.support.acme_client import Answer

REQUEST = {"Content-Type": "application/ocsp-request"}


class RelyingParty:
    """Asks one server about the CA of one tenant."""

    def __init__(self, http: ClientSession, origin: str, name: str = "alpha") -> None:
        self._http = http
        self.base = f"{origin}/pki/{name}"

    async def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request; the path below the CA's is sent as it is written here."""
        url = URL(f"{self.base}/{path}", encoded=True)
        async with self._http.request(method, url, data=body, headers=headers) as answer:
            return Answer(answer.status, answer.headers.copy(), await answer.read())

    async def get(self, path: str, **headers: str) -> Answer:
        """Read something; underscores in the names of fields are hyphens."""
        return await self.send("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    async def crl(self, path: str = "crl") -> x509.CertificateRevocationList:
        """Read a revocation list."""
        answer = await self.get(path)
        assert answer.status == 200, answer.body
        return x509.load_der_x509_crl(answer.body)

    async def post(self, request: bytes) -> Answer:
        """Ask the responder by POST."""
        return await self.send("POST", "ocsp", request, REQUEST)

    async def status(self, chain: list[bytes], *, nonce: bytes = b"", post: bool = True) -> str:
        """Return what is said of the first certificate of a chain, once the issuer's signature is checked."""
        request = asked(chain, nonce=nonce)
        answer = await (self.post(request) if post else self.get(f"ocsp/{in_path(request)}"))
        assert answer.status == 200, answer.body
        return said(answer.body, chain)


def asked(chain: list[bytes], *, nonce: bytes = b"", serial: int = 0) -> bytes:
    """Return a request about the first certificate of a chain, or about another number of its issuer."""
    leaf, issuer = (x509.load_der_x509_certificate(der) for der in chain[:2])
    builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1())  # noqa: S303 - as clients
    if serial:
        built = builder.build()
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
            built.issuer_name_hash, built.issuer_key_hash, serial, built.hash_algorithm
        )
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def in_path(request: bytes) -> str:
    """Write a request as RFC 6960 appendix A.1 has it in a URL."""
    return quote(base64.b64encode(request).decode("ascii"), safe="")


def said(der: bytes, chain: list[bytes]) -> str:
    """Return the status in a response, or the fault that it is."""
    response = ocsp.load_der_ocsp_response(der)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return response.response_status.name
    key = x509.load_der_x509_certificate(chain[1]).public_key()
    algorithm = response.signature_hash_algorithm
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert algorithm is not None
    key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
    return response.certificate_status.name
