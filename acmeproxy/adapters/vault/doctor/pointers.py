"""Where a certificate sends those who check it: to acmeproxy's front, which answers, and never into Vault."""

import asyncio
import shlex
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from acmeproxy.adapters.vault.doctor.case import Case
from acmeproxy.adapters.vault.doctor.mount import urls_command
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.services.findings import Finding, warned


async def examine(case: Case, subject: str, extensions: Sequence[x509.ExtensionType]) -> Sequence[Finding]:
    """Look at the addresses in a certificate, and see that its CA and its CRL are there."""
    documents, responders = _urls(extensions)
    urls = [*documents, *responders]
    if not urls:
        text = "it names no place for its CA, its CRL or OCSP: nobody can see whether it is revoked"
        return (warned(subject, text, urls_command(case)),)
    vault = urlsplit(case.address)
    into = [url for url in urls if urlsplit(url).netloc == vault.netloc or urlsplit(url).path[:4] == "/v1/"]
    if into:
        text = f"it sends those who check it into Vault: {into[0]}"
        return (warned(subject, text, urls_command(case)),)
    front = f"{case.aia_url}/pki/"
    away = [url for url in urls if not url.startswith(front)]
    if away:
        text = f"it names addresses that are not below acmeproxy's own {front}: {away[0]}"
        return (warned(subject, text, urls_command(case)),)
    reasons = await asyncio.gather(*(_absent(case, url) for url in documents))
    return [
        warned(subject, f"{url}, which it names, {reason}", f"curl -sv {shlex.quote(url)}")
        for url, reason in zip(documents, reasons, strict=True)
        if reason
    ]


async def _absent(case: Case, url: str) -> str:
    """Return why a document is not there, empty where it is, or where only TLS is in the way of seeing it."""
    try:
        status = await case.bare.visit(url)
    except (UnsentError, LostError) as error:
        return "" if "SSL" in str(error) else f"gives no answer: {error}"
    return "" if status == HTTPStatus.OK else f"is answered with {status}"


def _urls(extensions: Sequence[x509.ExtensionType]) -> tuple[list[str], list[str]]:
    """Return the addresses of documents (CA certificate, CRLs), and those of OCSP responders."""
    documents: list[str] = []
    responders: list[str] = []
    for extension in extensions:
        match extension:
            case x509.AuthorityInformationAccess():
                for one in extension:
                    issuers = one.access_method == AuthorityInformationAccessOID.CA_ISSUERS
                    (documents if issuers else responders).extend(_url(one.access_location))
            case x509.CRLDistributionPoints() | x509.FreshestCRL():
                for point in extension:
                    for name in point.full_name or ():
                        documents += _url(name)
    return documents, responders


def _url(name: x509.GeneralName) -> list[str]:
    return [name.value] if isinstance(name, x509.UniformResourceIdentifier) else []
