"""A canary: a certificate that nobody waits for, signed as every other, looked at, and revoked."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.vault.client import Answer
from acmeproxy.adapters.vault.doctor import pointers
from acmeproxy.adapters.vault.doctor.case import Case, UnansweredError, Use
from acmeproxy.adapters.vault.doctor.names import canary_name
from acmeproxy.adapters.vault.doctor.revocation import Pair
from acmeproxy.adapters.vault.doctor.role import takes
from acmeproxy.adapters.vault.place import sign_path
from acmeproxy.adapters.vault.signer import INTENT_HEADER, read_signed, sign_request
from acmeproxy.adapters.vault.store import Store
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.inspection import MismatchError, inspect, serial_text
from acmeproxy.core.jwk import spki_sha256
from acmeproxy.core.order import Intent
from acmeproxy.core.unreadable import UNREADABLE
from acmeproxy.services.findings import Finding, failed, or_passed, warned
from acmeproxy.services.ports import Signed, SigningDeferredError

#: As short as can be revoked in peace: what has ended is not taken into a CRL any more.
_LIFETIME: Final = 300
_SEARCH_SECONDS: Final = 10
_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
#: What a role that nobody may read is taken for: its refusal will tell.
_UNSEEN: Final[Mapping[str, Any]] = {"allow_subdomains": True}
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class Flown(msgspec.Struct, frozen=True):
    """What a canary told: the findings and, if it was signed and revoked, it and its issuer."""

    findings: Sequence[Finding]
    revoked: Pair | None = None


async def examine(case: Case, use: Use, role: Mapping[str, Any] | None) -> Flown:
    """Have a canary signed with the tenant's own token, look at it, and revoke it whatever was seen."""
    subject = case.about(f"canary {sign_path(use.place)}")
    role = _UNSEEN if role is None else role
    name = canary_name(case, role)
    if name is None:
        text = "no certificate was tried: the role signs no name that is nobody's"
        return Flown((warned(subject, text),))
    intent = _intent(case, name, role)
    try:
        body, headers = sign_request(intent), {INTENT_HEADER: intent.id}
        answer = await case.own.ask("post", sign_path(use.place), body=body, headers=headers)
    except SigningDeferredError as error:
        return Flown((failed(subject, f"it was not signed: {error}"),))
    except UnsentError as error:
        raise UnansweredError(f"no answer from Vault: {error}") from None
    except (LostError, asyncio.CancelledError) as error:
        # It may be in the store for all that.
        await _revoke_lost(case, use, intent)
        if isinstance(error, LostError):
            raise UnansweredError(f"the answer to the canary was lost: {error}") from None
        raise
    signed = read_signed(answer)
    if signed is None:
        text = f"{name} was not signed: {answer.reason}"
        return Flown((failed(subject, text, _mend(case, use, answer)),))
    try:
        found = await _look(case, use, intent, signed, answer)
    finally:
        unrevoked = await _revoke(case, subject, signed)
    text = f"{name} was signed, leads to the root, and is revoked"
    findings = or_passed([*found, *unrevoked], subject, text)
    return Flown(findings, None if unrevoked else _pair(signed))


def _intent(case: Case, name: str, role: Mapping[str, Any]) -> Intent:
    key = _key(role)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest)
    now = case.clock()
    return Intent(
        f"doctor-{uuid.uuid4().hex}",
        csr.public_bytes(Encoding.DER),
        spki_sha256(key.public_key()),
        (Identifier(IdentifierType.DNS, name),),
        _LIFETIME,
        now,
        attempts=1,
        attempted_at=now,
        first_attempt_at=now,
    )


def _key(role: Mapping[str, Any]) -> _Key:
    """Return a throw-away key that the role takes, P-256 where it does."""
    for kind, curve in _CURVES.items():
        if takes(role, kind):
            return ec.generate_private_key(curve)
    if takes(role, "Ed25519"):
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=max(2048, role.get("key_bits") or 0))


async def _look(case: Case, use: Use, intent: Intent, signed: Signed, answer: Answer) -> Sequence[Finding]:
    """Look at it as at every certificate, and at what relying parties will ask for."""
    subject = case.about(f"canary {sign_path(use.place)}")
    found = [warned(subject, f"Vault warned: {warning}") for warning in answer.warnings]
    try:
        inspect(signed.leaf, signed.issuers, intent, case.anchors, case.clock())
    except MismatchError as error:
        text = f"acmeproxy would not deliver what was signed: {error}"
        found.append(failed(subject, text, "acmeproxy vault plan"))
    leaf = x509.load_der_x509_certificate(signed.leaf)
    try:
        extensions = [extension.value for extension in leaf.extensions]
    except UNREADABLE:
        return found  # Inspection has told so.
    for extension in extensions:
        match extension:
            case x509.KeyUsage(key_encipherment=True) | x509.KeyUsage(key_agreement=True) if not isinstance(
                leaf.public_key(), rsa.RSAPublicKey
            ):
                text = "its key usage is none for this kind of key"
                mend = case.commands.patch(
                    f"{use.place.mount}/roles/{use.place.role}", key_usage="DigitalSignature"
                )
                found.append(failed(subject, text, mend))
    return [*found, *await pointers.examine(case, subject, extensions)]


async def _revoke(case: Case, subject: str, signed: Signed) -> Sequence[Finding]:
    """Revoke by the certificate, as acmeproxy does."""
    leaf = x509.load_der_x509_certificate(signed.leaf)
    pem = leaf.public_bytes(Encoding.PEM).decode()
    try:
        answer = await case.ask("post", f"{case.mount}/revoke", {"certificate": pem})
    except UnansweredError as error:
        reason = str(error)
    else:
        if answer.status == HTTPStatus.OK and (answer.data or {}).get("state") == "revoked":
            return ()
        reason = answer.reason
    serial = serial_text(leaf.serial_number)
    mend = case.commands.write(f"{case.mount}/revoke", serial_number=serial)
    text = f"it could not be revoked, and ends {leaf.not_valid_after_utc:%H:%M:%S}Z: {reason}"
    return (failed(subject, text, mend),)


async def _revoke_lost(case: Case, use: Use, intent: Intent) -> None:
    """Look for it, briefly: where Vault does not answer that either, it ends by itself in five minutes."""
    with suppress(SigningDeferredError, TimeoutError):
        async with asyncio.timeout(_SEARCH_SECONDS):
            for signed in await Store(case.own, use.place).find(intent):
                await _revoke(case, "", signed)


def _mend(case: Case, use: Use, answer: Answer) -> str:
    """Return what to look at after a refusal."""
    if answer.status == HTTPStatus.FORBIDDEN:
        return f"acmeproxy vault apply  # writes policy {case.policy}"
    return case.commands.run("read", rest=(f"{use.place.mount}/roles/{use.place.role}",))


def _pair(signed: Signed) -> Pair | None:
    if not signed.issuers:
        return None
    leaf, issuer = signed.leaf, signed.issuers[0]
    return x509.load_der_x509_certificate(leaf), x509.load_der_x509_certificate(issuer)
