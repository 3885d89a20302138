"""The names of a request are the ordered ones, wherever it has them (FIN-09..13, 15; abuse CSR-02, 03)."""

import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from acmeproxy.core import csr
from acmeproxy.core.identifier import Identifier, IdentifierType
from tests.support import der
from tests.support.acme_csr import Builder, certificate_request
from tests.support.csr_vectors import dns
from tests.support.refusals import refused

A = "a.example"
AB = dns("a.example", "b.example")
SAN = der.extension_request(der.alternative_names(der.dns(b"a.example")))
DNS = x509.DNSName


def ip(*values: str) -> frozenset[Identifier]:
    return frozenset(Identifier(IdentifierType.IP, value) for value in values)


def common_name(octets: bytes, tag: int = der.UTF8_STRING) -> bytes:
    return der.name([(der.COMMON_NAME, tag, octets)])


def alternative(*names: bytes) -> bytes:
    return der.request(der.name(), der.extension_request(der.alternative_names(*names)))


@pytest.mark.parametrize(
    ("names", "common", "ordered"),
    [
        pytest.param(["a.example", "b.example"], None, AB, id="alternative names"),
        pytest.param(["b.example", "a.example"], None, AB, id="FIN-09 another sequence"),
        pytest.param(["a.example", "b.example", "a.example"], None, AB, id="FIN-09 twice"),
        pytest.param(["A.Example", "B.EXAMPLE", "b.example"], None, AB, id="FIN-09 mixed case"),
        pytest.param([], "a.example", dns(A), id="FIN-10 common name only"),
        pytest.param([], "A.EXAMPLE", dns(A), id="FIN-10 common name only, mixed case"),
        pytest.param(["b.example"], "a.example", AB, id="FIN-10 one in each place"),
        pytest.param(["a.example", "b.example"], "a.example", AB, id="FIN-10 one in both"),
        pytest.param(["*.a.example"], None, dns("*.a.example"), id="wildcard"),
        pytest.param(
            ["*.a.example", "a.example"], "*.a.example", dns("*.a.example", A), id="wildcard in both"
        ),
        pytest.param(["192.0.2.1"], None, ip("192.0.2.1"), id="address"),
        pytest.param(["2001:db8::1"], None, ip("2001:db8::1"), id="IPv6 address"),
        pytest.param(["192.0.2.1"], "192.0.2.1", ip("192.0.2.1"), id="FIN-11 address in both"),
        pytest.param(["a.example", "192.0.2.1"], "a.example", dns(A) | ip("192.0.2.1"), id="both types"),
    ],
)
def test_the_ordered_names_are_accepted(
    names: list[str], common: str | None, ordered: frozenset[Identifier]
) -> None:
    csr.check(certificate_request(names, common_name=common), ordered)


@pytest.mark.parametrize(
    ("names", "common", "ordered"),
    [
        pytest.param([], None, dns(A), id="none"),
        pytest.param(["a.example"], None, AB, id="one missing"),
        pytest.param(["a.example", "b.example", "c.example"], None, AB, id="one too many"),
        pytest.param(["a.example", "c.example"], None, AB, id="one other"),
        pytest.param(["a.example", "b.example"], "c.example", AB, id="common name too many"),
        pytest.param(["a.example"], "sub.a.example", dns(A), id="subdomain as common name"),
        pytest.param(["*.a.example"], None, dns(A), id="wildcard for its base"),
        pytest.param(["a.example"], None, dns("*.a.example"), id="base for its wildcard"),
        pytest.param(["a.example", "*.a.example"], None, dns(A), id="wildcard beside its base"),
        pytest.param(["192.0.2.1"], None, dns(A), id="address for a name"),
        pytest.param(["192.0.2.2"], None, ip("192.0.2.1"), id="another address"),
        pytest.param([], "192.0.2.1", ip("192.0.2.1"), id="FIN-11 address as common name only"),
        pytest.param(["a.example"], "192.0.2.1", dns(A), id="FIN-11 address as common name"),
        pytest.param(["a.example."], None, dns(A), id="trailing dot"),
        pytest.param([" a.example"], None, dns(A), id="space"),
        pytest.param(["a.example"], "a.example ", dns(A), id="space in the common name"),
    ],
)
def test_other_names_are_refused(
    names: list[str], common: str | None, ordered: frozenset[Identifier]
) -> None:
    """FIN-09, FIN-11, abuse CSR-03 (D7)."""
    with refused("badCSR", "CSR-NAMES"):
        csr.check(certificate_request(names, common_name=common), ordered)


@pytest.mark.parametrize(
    ("octets", "ordered"),
    [
        pytest.param(alternative(der.dns(b"192.0.2.1")), ip("192.0.2.1"), id="address as a dns name"),
        pytest.param(alternative(der.tlv(0x87, b"a.ex")), dns("a.ex"), id="dns name as an address"),
        pytest.param(alternative(der.dns(b"a.example\0.evil")), dns(A), id="NUL"),
        pytest.param(alternative(der.dns(b"")), dns(A), id="empty"),
        pytest.param(
            alternative(der.dns("\u212aube.example".encode())), dns("kube.example"), id="Kelvin sign"
        ),
        pytest.param(alternative(), dns(A), id="no names in the list of names"),
        pytest.param(alternative(der.dns(b"a.example"), der.tlv(0x87, bytes(8))), dns(A), id="network"),
    ],
)
def test_names_that_only_look_alike_are_refused(octets: bytes, ordered: frozenset[Identifier]) -> None:
    """Abuse CSR-02, CSR-03."""
    with refused("badCSR", "CSR-NAMES"):
        csr.check(octets, ordered)


@pytest.mark.parametrize("octets", [der.tlv(0x87, b"12345"), der.tlv(0x87, b""), der.tlv(0x82, b"\xff")])
def test_names_that_are_broken_are_refused(octets: bytes) -> None:
    with refused("badCSR", "CSR-REFUSED"):
        csr.check(alternative(der.dns(b"a.example"), octets), dns(A))


@pytest.mark.parametrize(
    "name",
    [
        x509.RFC822Name("admin@a.example"),
        x509.UniformResourceIdentifier("spiffe://a.example/x"),
        x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example")])),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a"),
        x509.IPAddress(ipaddress.ip_network("192.0.2.0/24")),
    ],
    ids=lambda name: type(name).__name__,
)
def test_other_types_of_names_are_refused(name: x509.GeneralName) -> None:
    """FIN-13."""

    def add(builder: Builder) -> Builder:
        return builder.add_extension(x509.SubjectAlternativeName([DNS("a.example"), name]), critical=False)

    with refused("badCSR", "CSR-NAMES"):
        csr.check(certificate_request([], alter=add), dns(A))


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(common_name(b"a.example\0.evil.example"), id="FIN-12 NUL"),
        pytest.param(common_name(b"a.example\n"), id="FIN-12 line end"),
        pytest.param(common_name("\u212aube.example".encode()), id="Kelvin sign"),
        pytest.param(common_name("bücher.example".encode()), id="U-label"),
        pytest.param(common_name("evil.example".encode("utf-16-be"), der.BMP_STRING), id="other, in UTF-16"),
        pytest.param(
            der.name([(der.COMMON_NAME, 0x0C, b"a.example")], [(der.COMMON_NAME, 0x0C, b"evil.example")]),
            id="CSR-02 second common name",
        ),
        pytest.param(
            der.name([(der.COMMON_NAME, 0x0C, b"a.example"), (der.COMMON_NAME, 0x0C, b"evil.example")]),
            id="CSR-02 two in one RDN",
        ),
        pytest.param(
            der.name(
                [(der.COMMON_NAME, 0x0C, b"a.example")],
                [("1.2.840.113549.1.9.1", der.IA5_STRING, b"ceo@victim.example")],
            ),
            id="CSR-02 e-mail address",
        ),
        pytest.param(
            der.name([(der.COMMON_NAME, 0x0C, b"a.example"), ("2.5.4.5", der.PRINTABLE_STRING, b"1")]),
            id="CSR-02 serial number in a multi-valued RDN",
        ),
        pytest.param(der.name([("2.5.4.5", der.PRINTABLE_STRING, b"1")]), id="CSR-02 serial number"),
        pytest.param(der.name([("0.9.2342.19200300.100.1.1", 0x0C, b"root")]), id="CSR-02 user id"),
        pytest.param(der.name([("0.9.2342.19200300.100.1.25", 0x16, b"example")]), id="domain component"),
        pytest.param(der.name([("2.5.4.4", 0x0C, b"Doe")]), id="surname"),
        pytest.param(der.name([("2.5.4.97", 0x0C, b"VATDE-1")]), id="organization identifier"),
        pytest.param(der.name([("1.2.3.4", 0x0C, b"x")]), id="unknown attribute"),
    ],
)
def test_a_subject_names_nothing_else(subject: bytes) -> None:
    """Abuse CSR-02."""
    with refused("badCSR", "CSR-NAMES"):
        csr.check(der.request(subject, SAN), dns(A))


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(common_name(b"a.ex", 0x1C), id="UniversalString"),
        pytest.param(common_name(b"abc", der.BMP_STRING), id="half a character of UTF-16"),
        pytest.param(common_name(b"a.example*", der.PRINTABLE_STRING), id="outside its alphabet"),
        pytest.param(common_name(b"\xff\xfe"), id="not UTF-8"),
    ],
)
def test_a_subject_that_is_broken_is_refused(subject: bytes) -> None:
    with refused("badCSR", "CSR-REFUSED"):
        csr.check(der.request(subject, SAN), dns(A))


@pytest.mark.parametrize(
    ("octets", "ordered"), [(b"", dns(A)), (b"a" * 56 + b".example.com", dns("a" * 56 + ".example.com"))]
)
def test_a_common_name_is_1_to_64_characters(octets: bytes, ordered: frozenset[Identifier]) -> None:
    """FIN-12: a longer name goes without."""
    names = der.extension_request(der.alternative_names(*(der.dns(n.value.encode()) for n in ordered)))

    csr.check(der.request(der.name(), names), ordered)
    with pytest.warns(UserWarning, match="length must be"), refused("badCSR", "CSR-NAMES"):
        csr.check(der.request(common_name(octets), names), ordered)


def test_a_common_name_of_64_characters_is_taken() -> None:
    name = "a" * 52 + ".example.com"

    csr.check(certificate_request([name], common_name=name), dns(name))


def test_a_common_name_in_utf16_is_read_whole() -> None:
    """It names what was ordered, and only the key of the request is used."""
    csr.check(der.request(common_name("a.example".encode("utf-16-be"), der.BMP_STRING), SAN), dns(A))


@pytest.mark.parametrize("type_", ["2.5.4.10", "2.5.4.11", "2.5.4.6", "2.5.4.8", "2.5.4.7"])
def test_what_clients_fill_in_by_habit_is_dropped(type_: str) -> None:
    """FIN-15: O, OU, C, ST, L name nobody and are not copied."""
    csr.check(der.request(der.name([(type_, der.PRINTABLE_STRING, b"XX")]), SAN), dns(A))


def test_a_refusal_says_what_to_change() -> None:
    request = certificate_request(["a.example", "evil.example"])

    with refused("badCSR", "CSR-NAMES") as refusal:
        csr.check(request, AB)

    assert refusal.detail == (
        "put exactly the ordered names into the CSR: it lacks b.example and has evil.example beside them "
        "[ref CSR-NAMES]"
    )
