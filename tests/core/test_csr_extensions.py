"""What a request asks for beside its names is dropped or refused, by name (FIN-14; abuse CSR-04, CSR-05)."""

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ObjectIdentifier

from acmeproxy.core import csr
from tests.support import der
from tests.support.acme_csr import Builder, certificate_request
from tests.support.csr_vectors import dns
from tests.support.refusals import refused

A = dns("a.example")
SAN = der.alternative_names(der.dns(b"a.example"))
CA_TRUE = der.extension("2.5.29.19", der.sequence(der.tlv(0x01, b"\xff")), critical=True)
URI = x509.UniformResourceIdentifier("http://evil.example/")


def usage(*names: str) -> x509.KeyUsage:
    every = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: name in names for name in every})


def request_with(extension: x509.ExtensionType, *, critical: bool = False) -> bytes:
    def add(builder: Builder) -> Builder:
        return builder.add_extension(extension, critical=critical)

    return certificate_request(["a.example"], alter=add)


@pytest.mark.parametrize("critical", [False, True])
@pytest.mark.parametrize(
    "extension",
    [
        usage("digital_signature"),
        usage("digital_signature", "key_encipherment", "content_commitment"),
        usage("key_agreement", "encipher_only"),
        x509.BasicConstraints(ca=False, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.SubjectKeyIdentifier(b"x" * 20),
    ],
    ids=lambda extension: type(extension).__name__,
)
def test_what_clients_ask_for_by_habit_is_dropped(extension: x509.ExtensionType, *, critical: bool) -> None:
    csr.check(request_with(extension, critical=critical), A)


@pytest.mark.parametrize(
    "extension",
    [
        pytest.param(x509.BasicConstraints(ca=True, path_length=None), id="CA"),
        pytest.param(x509.BasicConstraints(ca=True, path_length=0), id="CA with a path length"),
        pytest.param(usage("digital_signature", "key_cert_sign"), id="keyCertSign"),
        pytest.param(usage("crl_sign"), id="cRLSign"),
        pytest.param(x509.NameConstraints([x509.DNSName("example")], None), id="name constraints"),
        pytest.param(x509.PolicyConstraints(0, None), id="policy constraints"),
        pytest.param(x509.InhibitAnyPolicy(0), id="inhibit any policy"),
        pytest.param(
            x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("2.23.140.1.1"), None)]),
            id="certificate policies",
        ),
        pytest.param(
            x509.AuthorityInformationAccess(
                [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, URI)]
            ),
            id="authority information access",
        ),
        pytest.param(
            x509.CRLDistributionPoints([x509.DistributionPoint([URI], None, None, None)]),
            id="CRL distribution points",
        ),
        pytest.param(x509.IssuerAlternativeName([URI]), id="issuer alternative name"),
        pytest.param(x509.AuthorityKeyIdentifier(b"x" * 20, None, None), id="authority key identifier"),
        pytest.param(x509.TLSFeature([x509.TLSFeatureType.status_request]), id="must-staple"),
        pytest.param(x509.OCSPNoCheck(), id="OCSP no check"),
        pytest.param(x509.PrecertPoison(), id="precertificate poison"),
        pytest.param(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), id="unknown"),
        pytest.param(
            x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.311.20.2"), b"\x1e\x00"),
            id="Microsoft's template",
        ),
    ],
)
def test_what_is_not_given_is_refused_by_its_number(extension: x509.ExtensionType) -> None:
    """FIN-14, abuse CSR-04: never dropped in silence, since the client would count on it."""
    with refused("badCSR", "CSR-EXTENSION") as refusal:
        csr.check(request_with(extension, critical=True), A)

    assert f"extension {extension.oid.dotted_string} " in refusal.detail


@pytest.mark.parametrize(
    "usages",
    [
        [ExtendedKeyUsageOID.CODE_SIGNING],
        [ExtendedKeyUsageOID.EMAIL_PROTECTION],
        [ExtendedKeyUsageOID.TIME_STAMPING],
        [ExtendedKeyUsageOID.OCSP_SIGNING],
        [ExtendedKeyUsageOID.SMARTCARD_LOGON],
        [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE],
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING],
        [ExtendedKeyUsageOID.SERVER_AUTH, ObjectIdentifier("1.2.3.4")],
    ],
)
def test_other_usages_are_refused(usages: list[ObjectIdentifier]) -> None:
    """Abuse CSR-05."""
    with refused("badCSR", "CSR-EXTENSION"):
        csr.check(request_with(x509.ExtendedKeyUsage(usages)), A)


@pytest.mark.parametrize(
    "type_", [der.EXTENSION_REQUEST, "1.3.6.1.4.1.311.2.1.14"], ids=["PKCS 9", "Microsoft"]
)
@pytest.mark.parametrize(
    "wanted", [(CA_TRUE,), (CA_TRUE, der.extension("1.2.3.4", bytes(40)))], ids=["CA first", "names first"]
)
def test_there_is_one_list_of_extensions(wanted: tuple[bytes, ...], type_: str) -> None:
    """Readers differ in which of two they take: one would see the names, the other a CA (CSR-04).

    The longer of two attributes stands after the other in DER.
    """
    hidden = der.attribute(type_, der.sequence(*wanted))

    with refused("badCSR", "CSR-EXTENSION") as refusal:
        csr.check(der.request(der.name(), der.extension_request(SAN), hidden), A)

    assert refusal.detail == "the CSR asks for extensions in more than one place [ref CSR-EXTENSION]"


def test_extensions_in_microsofts_attribute_are_read() -> None:
    names = der.attribute("1.3.6.1.4.1.311.2.1.14", der.sequence(SAN))

    csr.check(der.request(der.name(), names), A)


@pytest.mark.parametrize(
    "attribute",
    [
        pytest.param(
            der.attribute(der.EXTENSION_REQUEST, der.sequence(SAN), der.sequence(CA_TRUE)), id="two lists"
        ),
        pytest.param(der.extension_request(SAN, SAN), id="one extension twice"),
        pytest.param(
            der.extension_request(SAN, der.extension("2.5.29.15", b"\x03\x02\x07\x80\x00")),
            id="trailing octet",
        ),
        pytest.param(der.extension_request(SAN, der.extension("2.5.29.19", b"\x01")), id="broken extension"),
        pytest.param(der.attribute(der.EXTENSION_REQUEST, der.tlv(0x0C, b"x")), id="no list"),
    ],
)
def test_lists_that_are_broken_are_refused(attribute: bytes) -> None:
    with refused("badCSR", "CSR-REFUSED"):
        csr.check(der.request(der.name(), attribute), A)


@pytest.mark.parametrize(
    "attribute",
    [
        der.attribute("1.2.840.113549.1.9.7", der.tlv(der.PRINTABLE_STRING, b"challenge password")),
        der.attribute("1.2.840.113549.1.9.2", der.tlv(0x0C, b"unstructured name")),
        der.attribute("1.3.6.1.4.1.311.13.2.3", der.tlv(der.IA5_STRING, b"10.0.20348.2")),
    ],
    ids=["challenge password", "unstructured name", "Windows version"],
)
def test_other_attributes_mean_nothing(attribute: bytes) -> None:
    csr.check(der.request(der.name(), der.extension_request(SAN), attribute), A)


def test_a_request_without_any_attributes_can_name_in_its_subject() -> None:
    csr.check(der.request(der.name([(der.COMMON_NAME, der.UTF8_STRING, b"a.example")])), A)
