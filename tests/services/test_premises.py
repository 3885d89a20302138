"""acmeproxy's own part: its URL, its certificate, its resolver, its doors (threat-model §1.5)."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.findings import Finding, Level
from acmeproxy.services.premises import Premises, examine

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TENANT = Tenant(TenantName("payments"), VaultPlace("pki", "web"), Names(("*.payments.example",)))
SOUND = Premises(
    public_url="https://acme.example",
    environment={"PATH": "/usr/bin", "no_proxy": "*", "HTTPS_PROXY": ""},
    resolver=True,
    egress=(("10.0.0.0/8", "::/0"), ("10.9.0.0/16",)),
    rooted=True,
)
MEND = "write a certificate for acme.example to the file that server.tls.certificate names, and restart"


def pair(name: str, begin: datetime, days: int) -> tuple[bytes, bytes]:
    """Return a certificate for a name or an address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        general: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        general = x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([general]), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), private


def with_tls(name: str, begin: datetime = NOW, days: int = 90, url: str = "https://acme.example") -> Premises:
    certificate, key = pair(name, begin, days)
    return msgspec.structs.replace(SOUND, certificate=certificate, key=key, public_url=url)


def faults(premises: Premises, *tenants: Tenant) -> Sequence[Finding]:
    found = examine(premises, tenants or (TENANT,), NOW)
    return [finding for finding in found if finding.level is not Level.PASS]


def test_sound_premises_pass() -> None:
    assert [(one.subject, one.text) for one in examine(SOUND, (TENANT,), NOW)] == [
        ("server", "clients know it as https://acme.example"),
        ("validation resolver", "names are looked up by a resolver of its own"),
        (
            "validation egress",
            "validations may connect to 10.0.0.0/8, ::/0 but 10.9.0.0/16, and never to itself",
        ),
        ("tenant payments: accounts", "open to whoever can prove one of its names"),
    ]
    assert faults(SOUND) == []


def test_http_is_warned_of() -> None:
    text = "clients know it as http://acme.example, and ACME must be HTTPS (RFC 8555 section 6.1)"
    told = Finding(Level.WARN, "server", text, "set server.public_url to https://, and server.tls")
    assert faults(msgspec.structs.replace(SOUND, public_url="http://acme.example")) == [told]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("acme.example", "https://acme.example"),
        ("*.example", "https://acme.example:8443"),
        ("127.0.0.1", "https://127.0.0.1:8443"),
        ("::1", "https://[::1]:8443"),
    ],
)
def test_a_certificate_for_the_host_of_the_public_url_passes(name: str, url: str) -> None:
    assert faults(with_tls(name, url=url)) == []


@pytest.mark.parametrize("name", ["other.example", "*.acme.example", "127.0.0.1"])
def test_a_certificate_for_another_host_fails(name: str) -> None:
    text = "its certificate is not for acme.example, the host of server.public_url"
    assert faults(with_tls(name)) == [Finding(Level.FAIL, "server tls", text, MEND)]


@pytest.mark.parametrize(
    ("begin", "text"),
    [
        (
            NOW - timedelta(days=90),
            "its certificate is valid from 2026-08-26 12:00:00+00:00 to 2026-11-24 12:00:00+00:00",
        ),
        (
            NOW + timedelta(days=1),
            "its certificate is valid from 2026-11-25 12:00:00+00:00 to 2027-02-23 12:00:00+00:00",
        ),
    ],
)
def test_a_certificate_of_another_time_fails(begin: datetime, text: str) -> None:
    assert faults(with_tls("acme.example", begin)) == [Finding(Level.FAIL, "server tls", text, MEND)]


def test_a_certificate_that_ends_soon_is_warned_of() -> None:
    told = Finding(Level.WARN, "server tls", "its certificate ends on 2026-12-07", MEND)
    assert faults(with_tls("acme.example", days=13)) == [told]


def test_a_key_of_another_certificate_fails() -> None:
    _, other = pair("acme.example", NOW, 90)
    told = Finding(Level.FAIL, "server tls", "server.tls.key is not the key of server.tls.certificate", MEND)
    assert faults(msgspec.structs.replace(with_tls("acme.example"), key=other)) == [told]


def test_what_is_no_certificate_fails() -> None:
    text, mend = "its certificate or key cannot be read", "openssl x509 -noout -in CERTIFICATE"
    told = Finding(Level.FAIL, "server tls", text, mend)
    assert faults(msgspec.structs.replace(SOUND, certificate=b"none", key=b"none")) == [told]


def test_no_roots_are_warned_of() -> None:
    """INV-2."""
    text = "vault.roots is not set: a certificate of any authority would be delivered (INV-2)"
    told = Finding(Level.WARN, "server roots", text, "set vault.roots to the PEM file of your root")
    assert faults(msgspec.structs.replace(SOUND, rooted=False)) == [told]


def test_the_systems_resolver_is_warned_of() -> None:
    text = "names are looked up by the system's resolver, which others may change"
    told = Finding(
        Level.WARN, "validation resolver", text, 'set validation.resolver, for example "127.0.0.1:53"'
    )
    assert faults(msgspec.structs.replace(SOUND, resolver=False)) == [told]


def test_proxies_of_the_environment_are_warned_of_without_their_passwords() -> None:
    environment = {"https_proxy": "http://me:secret@proxy:3128", "ALL_PROXY": "socks5://proxy"}
    text = "ALL_PROXY, https_proxy in the environment: acmeproxy heeds none, other programs do"
    told = Finding(Level.WARN, "server environment", text, "unset ALL_PROXY https_proxy")
    assert faults(msgspec.structs.replace(SOUND, environment=environment)) == [told]


def test_a_tenant_for_all_names_and_everybody_is_warned_of() -> None:
    everything = msgspec.structs.replace(TENANT, names=Names(("*",)))
    mend = "set tenants.payments.eab_required = true, or names.allow to yours"
    told = Finding(Level.WARN, "tenant payments: accounts", "it allows all names, to everybody", mend)
    assert faults(SOUND, everything) == [told]
    assert faults(SOUND, msgspec.structs.replace(everything, eab_required=True)) == []


def test_a_tenant_without_names_is_warned_of() -> None:
    text = "it allows no names: every order is refused"
    told = Finding(Level.WARN, "tenant payments: accounts", text, "set tenants.payments.names.allow")
    assert faults(SOUND, msgspec.structs.replace(TENANT, names=Names())) == [told]


def test_premises_show_no_key() -> None:
    assert repr(with_tls("acme.example")) == "Premises(https://acme.example)"
