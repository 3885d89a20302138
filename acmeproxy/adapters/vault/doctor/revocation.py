"""Revocation: the CRL rebuilds itself and is fresh, OCSP answers, and both know what was just revoked."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from acmeproxy.adapters.vault.doctor.case import Case, UnansweredError
from acmeproxy.adapters.vault.doctor.commands import Commands
from acmeproxy.adapters.vault.doctor.mount import unseen
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.services.findings import Finding, failed, or_passed, warned

Pair = tuple[x509.Certificate, x509.Certificate]
"""A certificate that was just revoked, and its issuer."""


async def examine(case: Case, revoked: Sequence[Pair]) -> Sequence[Finding]:
    """Look at the CRL's configuration or, where nobody may read it, at what the CRL gives away.

    Raises:
        UnansweredError: There is no answer.
    """
    subject = case.about(f"revocation {case.mount}")
    path = f"{case.mount}/config/crl"
    shown = await case.see(path)
    crl = await read_crl(case, case.mount, case.namespace)
    found = [
        *(
            _inferred(case, subject, crl, revoked)
            if shown is None
            else configured(case.commands, case.mount, subject, shown)
        ),
        *fresh(case, case.commands, case.mount, subject, crl),
    ]
    told = shown is not None and shown.get("ocsp_disable") is True
    for leaf, issuer in () if told else revoked[:1]:
        found += await _ocsp(case, subject, leaf, issuer)
    known = ", and OCSP knows what was revoked" if revoked else ""
    return or_passed(found, subject, f"the CRL rebuilds itself and is fresh{known}")


def configured(commands: Commands, mount: str, subject: str, shown: Mapping[str, Any]) -> Sequence[Finding]:
    """Look at how the CRL of a mount is kept; the commands are those of its namespace."""
    path = f"{mount}/config/crl"
    found = []
    if shown.get("disable") is True:
        text = "disable=true: the CRL is empty whatever was revoked"
        found.append(failed(subject, text, commands.write(path, disable=False)))
    if shown.get("auto_rebuild") is not True:
        found.append(_not_rebuilt(commands, mount, subject))
    elif shown.get("enable_delta") is not True:
        text = "enable_delta=false: a revocation is in no CRL before the next whole one"
        found.append(warned(subject, text, commands.write(path, enable_delta=True)))
    if shown.get("ocsp_disable") is True:
        text = "ocsp_disable=true: nobody is told at once that a certificate is revoked"
        found.append(failed(subject, text, commands.write(path, ocsp_disable=False)))
    return found


def _not_rebuilt(commands: Commands, mount: str, subject: str) -> Finding:
    text = "auto_rebuild=false: every revocation waits for the whole CRL, and without one the CRL expires"
    # Vault has no delta lists without it, so that these were switched off as well.
    mend = commands.write(f"{mount}/config/crl", auto_rebuild=True, enable_delta=True)
    return failed(subject, text, mend)


def _inferred(
    case: Case, subject: str, crl: x509.CertificateRevocationList | None, revoked: Sequence[Pair]
) -> Sequence[Finding]:
    """Conclude from a CRL that has the canary at once: it was rebuilt inside the revocation."""
    for leaf, _ in revoked:
        if crl is not None and crl.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None:
            return (_not_rebuilt(case.commands, case.mount, subject),)
    return (unseen(case, subject, "how its CRL is rebuilt", f"{case.mount}/config/crl"),)


def fresh(
    case: Case, commands: Commands, mount: str, subject: str, crl: x509.CertificateRevocationList | None
) -> Sequence[Finding]:
    """See that a mount has a CRL that has not ended."""
    mend = commands.run("read", rest=(f"{mount}/crl/rotate",))
    if crl is None:
        return (failed(subject, "the mount has no CRL", mend),)
    end = crl.next_update_utc
    if end is not None and end <= case.clock():
        text = f"the CRL ended on {end:%Y-%m-%d %H:%M}Z: who checks it trusts no certificate"
        return (failed(subject, text, mend),)
    return ()


async def read_crl(case: Case, mount: str, namespace: str) -> x509.CertificateRevocationList | None:
    """Return the CRL of a mount's default issuer, if it has one.

    Raises:
        UnansweredError: There is no answer.
    """
    heard = await case.openly(f"{mount}/cert/crl", namespace)
    match heard.members:
        case {"data": {"certificate": str(pem)}}:
            try:
                return x509.load_pem_x509_crl(pem.encode())
            except ValueError:
                return None
    return None


async def _ocsp(
    case: Case, subject: str, leaf: x509.Certificate, issuer: x509.Certificate
) -> Sequence[Finding]:
    """Ask as a relying party would."""
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA256()).build()
    body = request.public_bytes(Encoding.DER)
    path = f"{case.mount}/ocsp"
    try:
        heard = await case.bare.ask(path, case.namespace, body=body, kind="application/ocsp-request")
    except (UnsentError, LostError) as error:
        raise UnansweredError(f"no answer from Vault: {error}") from None
    mend = case.commands.run("read", rest=(f"{case.mount}/config/crl",))
    try:
        answer = ocsp.load_der_ocsp_response(heard.body)
        status = answer.certificate_status
    except ValueError:
        if heard.status == HTTPStatus.UNAUTHORIZED:
            text = "OCSP is switched off: nobody is told at once that a certificate is revoked"
            write = case.commands.write(f"{case.mount}/config/crl", ocsp_disable=False)
            return (failed(subject, text, write),)
        return (failed(subject, f"OCSP gives no answer (Vault answered {heard.status})", mend),)
    if status is ocsp.OCSPCertStatus.REVOKED:
        return ()
    return (failed(subject, f"OCSP says {status.name} of a certificate that was just revoked", mend),)
