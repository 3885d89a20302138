"""A CA's mount in this process: signs lists and statuses, and is away, slow or lying when told to."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from acmeproxy.services.authority import Issuer, Issuers
from acmeproxy.services.flights import AwayError

ISSUER = "9300d101-7c8e-5439-e570-436e53d68c28"
LIST_LASTS = timedelta(hours=72)
STATUS_LASTS = timedelta(hours=12)


class ScriptedAuthority:
    """Implements `Authority`. Without a certificate in `revoked`, everything is good, as Vault has it.

    Attributes:
        asked: How often each thing was asked for: `issuers`, `list`, `delta`, and serial numbers.
        away: Whether nobody is there.
        turn: What every answer waits for, if anything.
        lie: What to answer instead of a status.
        statuses: How many statuses were asked for at the same time, at most.
    """

    def __init__(self, clock: Callable[[], datetime], name: str = "issuing CA") -> None:
        self.clock = clock
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = ca_certificate(self.key, name, clock())
        self.issuer_id = ISSUER
        self.revoked: set[int] = set()
        self.asked: Counter[object] = Counter()
        self.away = False
        self.turn: asyncio.Event | None = None
        self.lie: bytes | None = None
        self.list: bytes | None = None
        self.has_lists = True
        self.inside = 0
        self.most_inside = 0

    async def issuers(self) -> Issuers:
        """Return the only issuer."""
        await self._ask("issuers")
        der = self.certificate.public_bytes(Encoding.DER)
        return Issuers(self.issuer_id, {self.issuer_id: Issuer(self.issuer_id, der, (der,))})

    async def revocation_list(self, issuer_id: str, *, delta: bool) -> bytes | None:
        """Sign a list."""
        assert issuer_id == self.issuer_id
        await self._ask("delta" if delta else "list")
        if not self.has_lists:
            return None
        return self.list or signed_list(self.certificate, self.key, self.clock(), self.revoked, delta=delta)

    async def status(self, request: bytes) -> bytes:
        """Sign a status, of the moment that it was asked for."""
        asked = ocsp.load_der_ocsp_request(request)
        revoked = asked.serial_number in self.revoked
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self._ask(asked.serial_number)
        finally:
            self.inside -= 1
        return self.lie or signed_status(self.certificate, self.key, asked, self.clock(), revoked=revoked)

    async def _ask(self, what: object) -> None:
        self.asked[what] += 1
        away = self.away
        if self.turn is not None:
            await self.turn.wait()
        if away:
            raise AwayError("nobody is there")


def ca_certificate(key: ec.EllipticCurvePrivateKey, name: str, now: datetime) -> x509.Certificate:
    """Sign a CA's certificate with its own key."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=365))
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    return builder.sign(key, hashes.SHA256())


def signed_list(  # noqa: PLR0913 - the parts of a list
    issuer: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    revoked: set[int],
    *,
    delta: bool = False,
    lasts: timedelta = LIST_LASTS,
) -> bytes:
    """Sign a revocation list."""
    builder = x509.CertificateRevocationListBuilder(issuer.subject, now, now + lasts)
    for serial in sorted(revoked):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        builder = builder.add_revoked_certificate(entry.build())
    if delta:
        builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def signed_status(  # noqa: PLR0913 - the parts of a status
    issuer: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    asked: ocsp.OCSPRequest,
    now: datetime,
    *,
    revoked: bool = False,
    unknown: bool = False,
    lasts: timedelta | None = STATUS_LASTS,
    serial: int | None = None,
) -> bytes:
    """Sign the answer to a request, or one about another serial number."""
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        asked.issuer_name_hash,
        asked.issuer_key_hash,
        serial or asked.serial_number,
        asked.hash_algorithm,
        ocsp.OCSPCertStatus.UNKNOWN if unknown else status,
        now,
        now + lasts if lasts else None,
        now if revoked else None,
        None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, issuer)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
