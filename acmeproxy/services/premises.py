"""acmeproxy's own part of an installation: its URL, its certificate, its resolver, its doors (§1.5)."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from acmeproxy.core.tenant import Tenant
from acmeproxy.core.unreadable import UNREADABLE
from acmeproxy.services.findings import Finding, failed, passed, warned

_SOON: Final = timedelta(days=14)
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")


class Premises(msgspec.Struct, frozen=True):
    """What is to be looked at. `certificate` and `key` are PEM and empty where somebody else ends TLS.

    `resolver` tells whether every tenant has one of its own; `egress` are the networks to which validations
    may connect and those to which not; `rooted` whether certificates are held against roots.
    """

    public_url: str
    environment: Mapping[str, str]
    resolver: bool
    egress: tuple[Sequence[str], Sequence[str]]
    rooted: bool
    certificate: bytes = b""
    key: bytes = b""

    def __repr__(self) -> str:
        """Show where it is and nothing secret."""
        return f"Premises({self.public_url})"


def examine(premises: Premises, tenants: Sequence[Tenant], now: datetime) -> Sequence[Finding]:
    """Look at the settings and at the files that they name."""
    return [
        *_url(premises.public_url),
        *_certificate(premises, now),
        *_roots(premises),
        *_resolver(premises),
        *_proxies(premises.environment),
        *_egress(premises),
        *(finding for tenant in tenants for finding in _doors(tenant)),
    ]


def _url(url: str) -> Iterator[Finding]:
    if url.startswith("https:"):
        yield passed("server", f"clients know it as {url}")
    else:
        text = f"clients know it as {url}, and ACME must be HTTPS (RFC 8555 section 6.1)"
        yield warned("server", text, "set server.public_url to https://, and server.tls")


def _certificate(premises: Premises, now: datetime) -> Iterator[Finding]:
    """Look at the server's own certificate; the key must be its own, or no client could connect."""
    subject = "server tls"
    if not premises.certificate:
        return
    try:
        leaf = x509.load_pem_x509_certificates(premises.certificate)[0]
        key = load_pem_private_key(premises.key, None)
    except UNREADABLE:
        yield failed(subject, "its certificate or key cannot be read", "openssl x509 -noout -in CERTIFICATE")
        return
    host = urlsplit(premises.public_url).hostname or ""
    mend = f"write a certificate for {host} to the file that server.tls.certificate names, and restart"
    faults = len(list(_faults(leaf, host, now)))
    for text in _faults(leaf, host, now):
        yield failed(subject, text, mend)
    if _spki(leaf.public_key()) != _spki(key.public_key()):
        faults += 1
        yield failed(subject, "server.tls.key is not the key of server.tls.certificate", mend)
    if not faults:
        end = f"{leaf.not_valid_after_utc:%Y-%m-%d}"
        if leaf.not_valid_after_utc - now < _SOON:
            yield warned(subject, f"its certificate ends on {end}", mend)
        else:
            yield passed(subject, f"its certificate is for {host} and lasts until {end}")


def _faults(leaf: x509.Certificate, host: str, now: datetime) -> Iterator[str]:
    if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc:
        yield f"its certificate is valid from {leaf.not_valid_before_utc} to {leaf.not_valid_after_utc}"
    if not _is_for(leaf, host):
        yield f"its certificate is not for {host}, the host of server.public_url"


def _is_for(leaf: x509.Certificate, host: str) -> bool:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    try:
        return ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        wildcard = f"*.{host.partition('.')[2]}"
        return bool({host, wildcard} & {name.lower() for name in names.get_values_for_type(x509.DNSName)})


def _spki(key: object) -> bytes:
    spki: bytes = key.public_bytes(  # type: ignore[attr-defined]  # cryptography has no common protocol for it
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return spki


def _roots(premises: Premises) -> Iterator[Finding]:
    if not premises.rooted:
        text = "vault.roots is not set: a certificate of any authority would be delivered (INV-2)"
        yield warned("server roots", text, "set vault.roots to the PEM file of your root")


def _resolver(premises: Premises) -> Iterator[Finding]:
    if premises.resolver:
        yield passed("validation resolver", "names are looked up by a resolver of its own")
    else:
        text = "names are looked up by the system's resolver, which others may change"
        yield warned("validation resolver", text, 'set validation.resolver, for example "127.0.0.1:53"')


def _proxies(environment: Mapping[str, str]) -> Iterator[Finding]:
    found = [name for name in environment if name.lower() in _PROXIES and environment[name]]
    if found:
        text = f"{', '.join(sorted(found))} in the environment: acmeproxy heeds none, other programs do"
        yield warned("server environment", text, f"unset {' '.join(sorted(found))}")


def _egress(premises: Premises) -> Iterator[Finding]:
    allow, deny = premises.egress
    but = f" but {', '.join(deny)}" if deny else ""
    text = f"validations may connect to {', '.join(allow) or 'nothing'}{but}, and never to itself"
    yield passed("validation egress", text)


def _doors(tenant: Tenant) -> Iterator[Finding]:
    """A tenant for all names is open to whoever controls any name; only EAB keys close it."""
    subject = f"tenant {tenant.name}: accounts"
    if not tenant.names.allow and not tenant.names.ip_ranges:
        text = "it allows no names: every order is refused"
        yield warned(subject, text, f"set tenants.{tenant.name}.names.allow")
    elif "*" in tenant.names.allow and not tenant.eab_required:
        text = "it allows all names, to everybody"
        yield warned(subject, text, f"set tenants.{tenant.name}.eab_required = true, or names.allow to yours")
    else:
        who = "those with an EAB key" if tenant.eab_required else "whoever can prove one of its names"
        yield passed(subject, f"open to {who}")
