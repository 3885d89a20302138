"""Who may have a certificate revoked, and the wish written down before Vault hears of it (RFC 8555 §7.6)."""

import math
from datetime import timedelta
from typing import Final

import msgspec
from cryptography import x509

from acmeproxy.core import payload, renewal
from acmeproxy.core.certificate import CESSATION_OF_OPERATION, KEY_COMPROMISE, Certificate
from acmeproxy.core.encoding import NotCanonicalError, b64url_decode
from acmeproxy.core.jwk import AccountKey
from acmeproxy.core.patience import patience
from acmeproxy.core.problem import AcmeError, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Tenant
from acmeproxy.core.unreadable import UNREADABLE
from acmeproxy.services.authentication import Applicant, Principal
from acmeproxy.services.ledger import BlockedKeys, CertificateOutcomes, Delivered, Ledger
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Authorizations, Owner, StaleError

#: What a subscriber can mean (RFC 5280 §5.3.1, REV-10): not for CAs, not on hold, not off a CRL again.
REASONS: Final = {
    0: "unspecified",
    KEY_COMPROMISE: "keyCompromise",
    3: "affiliationChanged",
    4: "superseded",
    CESSATION_OF_OPERATION: "cessationOfOperation",
    9: "privilegeWithdrawn",
}
_AGAIN: Final = timedelta(seconds=5)
_SELDOM: Final = timedelta(seconds=30)
#: A claim to replace it, or another revocation, may come between; not many of them.
_TRIES: Final = 5


class _Asked(msgspec.Struct, frozen=True):
    """What is asked for: DER, what it says, and a reason that is one of ours."""

    der: bytes
    certificate: x509.Certificate
    reason: int | None


class Revocation:
    """Takes revocation requests; it needs no right to have anything revoked."""

    def __init__(  # noqa: PLR0913 - what it needs, each named at its one place of use
        self,
        ledger: Ledger,
        authorizations: Authorizations,
        blocked: BlockedKeys,
        outcomes: CertificateOutcomes,
        clock: Clock,
        *,
        patience: timedelta,
    ) -> None:
        self._ledger = ledger
        self._authorizations = authorizations
        self._blocked = blocked
        self._outcomes = outcomes
        self._clock = clock
        self._patience = patience

    async def revoke(self, tenant: Tenant, sender: Principal | Applicant) -> None:
        """Have a certificate revoked, and return once it is (RFC 8555 §7.6, REV-20).

        The account that ordered it may ask, whoever has its key, and an account that holds valid
        authorizations for all of its names now.

        Raises:
            AcmeError: `malformed`, with status 404 for certificates that are not of this tenant;
                `unauthorized`; `alreadyRevoked`; `badRevocationReason`; `serverInternal` with status 503
                where it is noted and not done yet: workers go on until it is.
        """
        asked = _asked(sender.payload)
        found = await self._find(tenant, asked)
        reason = await self._permitted(sender, found, asked)
        certificate = found.certificate.value
        if certificate.revoked_at is not None:
            raise refuse(Reference.ALREADY_REVOKED, "the certificate is revoked already")
        if self._clock() >= certificate.not_after:
            raise refuse(
                Reference.REVOCATION_EXPIRED, "the certificate has expired: nobody trusts it any more"
            )
        if reason == KEY_COMPROMISE:
            await self._blocked.block(tenant.name, _thumbprint(asked.certificate))
        with self._outcomes.certificate(certificate.id) as watch:
            if await self._begun(tenant, asked, reason):
                return
            if await watch.outcome(self._patience) is not None:
                return
        # A notification that was lost is no failure.
        if (await self._find(tenant, asked)).certificate.value.revoked_at is None:
            text = (
                "the revocation is noted and not in effect yet: it is carried out as soon as the CA answers"
            )
            waited = self._clock() - (certificate.revoking_at or self._clock())
            again = patience(waited, _AGAIN, _SELDOM, 4)
            raise refuse(Reference.REVOCATION_PENDING, text, retry_after=math.ceil(again.total_seconds()))

    async def _find(self, tenant: Tenant, asked: _Asked) -> Delivered:
        """Return what was delivered, if it is this very certificate to the byte (REV-06)."""
        name = renewal.name_of(asked.certificate)
        found = await self._ledger.find(tenant.name, name) if name else None
        if found is None or found.certificate.value.chain[0] != asked.der:
            raise refuse(Reference.REVOCATION_UNKNOWN, "no such certificate was issued by this directory")
        return found

    async def _permitted(self, sender: Principal | Applicant, found: Delivered, asked: _Asked) -> int | None:
        """Return the reason that is recorded, for somebody who may revoke it at all (REV-01..04)."""
        if isinstance(sender, Applicant):
            if sender.key.thumbprint != _thumbprint(asked.certificate):
                text = "the jwk that signed is not the key of the certificate"
                raise refuse(Reference.REVOCATION_FORBIDDEN, text)
            return asked.reason
        if sender.owner == found.owner:
            return asked.reason
        if not await self._holds_all(sender.owner, found.certificate.value):
            text = "the account neither ordered the certificate nor holds authorizations for all its names"
            raise refuse(Reference.REVOCATION_FORBIDDEN, text)
        # Who has the names now knows nothing of the other's key, and must not get it blocked (abuse REV-02).
        return CESSATION_OF_OPERATION

    async def _holds_all(self, owner: Owner, certificate: Certificate) -> bool:
        held = await self._authorizations.valid(owner, certificate.names)
        return set(certificate.names) <= set(held)

    async def _begun(self, tenant: Tenant, asked: _Asked, reason: int | None) -> bool:
        """Write the wish down, unless somebody has; return whether the certificate is revoked by now."""
        for _ in range(_TRIES):
            found = await self._find(tenant, asked)
            certificate = found.certificate.value
            if certificate.revoking_at is not None:
                return certificate.revoked_at is not None
            try:
                after = certificate.revoke(reason, self._clock())
                await self._ledger.begin(found.owner, found.certificate, after)
            except StaleError:
                continue
            return False
        raise refuse(
            Reference.REVOCATION_PENDING, "the certificate changes at this moment: try again", retry_after=1
        )


def _asked(octets: bytes) -> _Asked:
    wish = payload.parse(octets, payload.RevokeCert, Reference.REVOCATION_SHAPE)
    try:
        der = b64url_decode(wish.certificate)
        certificate = x509.load_der_x509_certificate(der)
    except (NotCanonicalError, *UNREADABLE) as error:
        text = "certificate is not the unpadded base64url of one certificate in DER: do not send PEM"
        raise refuse(Reference.REVOCATION_SHAPE, text) from error
    return _Asked(der, certificate, _reason(wish.reason))


def _reason(given: object) -> int | None:
    """Take a reason code; a boolean and a number with a fraction are none (REV-11)."""
    if given is None:
        return None
    if type(given) is not int:
        raise refuse(Reference.REVOCATION_SHAPE, "reason is not an integer")
    if given not in REASONS:
        listed = ", ".join(f"{code} ({name})" for code, name in REASONS.items())
        raise refuse(Reference.REVOCATION_REASON, f"this reason is not taken: use one of {listed}")
    return given


def _thumbprint(certificate: x509.Certificate) -> str:
    try:
        return AccountKey.of(certificate.public_key()).thumbprint
    except UNREADABLE as error:
        raise _unknown_key() from error


def _unknown_key() -> AcmeError:
    return refuse(Reference.REVOCATION_FORBIDDEN, "the certificate's key is of no kind that signs requests")
