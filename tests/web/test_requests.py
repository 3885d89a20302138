"""A15: certificate signing requests: a key and exactly the ordered names (RFC 8555 §7.4)."""

import ipaddress
import json
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID, ExtendedKeyUsageOID, NameOID

from tests.support import der
from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_csr import Builder, certificate_key, certificate_request
from tests.support.acme_jws import Forgery
from tests.support.acme_keys import b64url
from tests.support.problems import assert_refused
from tests.support.proxy import Proxy

A, B = "www.alpha.example", "alpha.example"
GOOD = certificate_request([A, B])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ready(validating: Proxy) -> tuple[AcmeClient, Answer]:
    """Return a client with a ready order for two names, which nothing here may end."""
    client = await validating.account()
    return client, await validating.ready(client, A, B)


async def finalize(ready: tuple[AcmeClient, Answer], csr: bytes) -> Answer:
    client, order = ready
    return await client.finalize(order.json()["finalize"], csr)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"csr": None},
        {"csr": 5},
        {"csr": [b64url(GOOD)]},
        {"csr": ""},
        {"csr": b64url(GOOD) + "="},
        {"csr": b64url(GOOD + bytes(-len(GOOD) % 3)) + "=="},
        {"csr": b64url(GOOD).replace("-", "+").replace("_", "/") + "+/"},
        {"csr": b64url(GOOD)[:40] + "\n" + b64url(GOOD)[40:]},
        {"csr": x509.load_der_x509_csr(GOOD).public_bytes(Encoding.PEM).decode()},
        {"CSR": b64url(GOOD)},
    ],
)
async def test_csr_is_base64url_of_der(
    payload: dict[str, Any], ready: tuple[AcmeClient, Answer], validating: Proxy
) -> None:
    """FIN-03, JWS-07: everything else is malformed."""
    client, order = ready
    async with validating.state.unchanged():
        answer = await client.post(order.json()["finalize"], payload)
        assert_refused(answer, 400, "malformed")
        cut = Forgery(payload=json.dumps({"csr": b64url(GOOD)}).encode()[:-1])
        assert_refused(await client.post(order.json()["finalize"], None, cut), 400, "malformed")


def spoilt(der: bytes, place: int) -> bytes:
    return der[:place] + bytes([der[place] ^ 1]) + der[place + 1 :]


def resigned(csr: bytes, oid: str, digest: hashes.HashAlgorithm, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a CSR signed anew with ECDSA and another digest."""
    body = x509.load_der_x509_csr(csr).tbs_certrequest_bytes
    signature = key.sign(body, ec.ECDSA(digest))
    return der.sequence(body, der.sequence(der.oid(oid)), der.tlv(0x03, b"\0", signature))


KEY = certificate_key()
SHA1 = resigned(certificate_request([A, B], KEY), "1.2.840.10045.4.1", hashes.SHA1(), KEY)  # noqa: S303 - that it is refused is the point
BROKEN = {
    "FIN-04 no DER": b"random octets",
    "FIN-04 empty sequence": b"\x30\x00",
    "FIN-04 an octet more": GOOD + b"\0",
    "FIN-04 an octet less": GOOD[:-1],
    "FIN-04 two": GOOD + GOOD,
    "FIN-04 PEM in base64url": x509.load_der_x509_csr(GOOD).public_bytes(Encoding.PEM),
    "FIN-05 tampered signature": spoilt(GOOD, len(GOOD) - 1),
    "FIN-05 tampered name": GOOD.replace(b"www.alpha", b"wxw.alpha"),
    "FIN-06 SHA-1": SHA1,
}


def request(
    names: list[str],
    common_name: str | None = None,
    alter: Callable[[Builder], Builder] | None = None,
    key: Any = None,  # noqa: ANN401 - keys of types that no client should have
) -> bytes:
    return certificate_request(names, key, common_name=common_name, alter=alter)


def with_extension(extension: x509.ExtensionType, *, critical: bool = False) -> bytes:
    return request([A, B], alter=lambda builder: builder.add_extension(extension, critical=critical))


def with_names(*names: x509.GeneralName) -> bytes:
    san = x509.SubjectAlternativeName([x509.DNSName(A), x509.DNSName(B), *names])
    return request([], alter=lambda builder: builder.add_extension(san, critical=False))


def with_subject(*attributes: tuple[x509.ObjectIdentifier, str]) -> bytes:
    """Return a request whose subject no library would write."""
    subject = der.name(*([(oid.dotted_string, der.UTF8_STRING, value.encode())] for oid, value in attributes))
    names = der.alternative_names(der.dns(A.encode()), der.dns(B.encode()))
    return der.request(subject, der.extension_request(names))


NAMES = {
    "FIN-09 one more": request([A, B, "other.alpha.example"]),
    "FIN-09 one less": request([A]),
    "FIN-09 another": request([A, "other.alpha.example"]),
    "FIN-09 none": request([]),
    "FIN-09 common name beside them": request([A, B], "other.alpha.example"),
    "FIN-09 wildcard": request([A, B, "*.alpha.example"]),
    "FIN-09 address": request([A, B, "10.0.0.1"]),
    "FIN-09 name as an address": with_names(x509.IPAddress(ipaddress.IPv4Address("10.0.0.1"))),
    "FIN-10 common name alone": request([], A),
    "FIN-11 address as common name": request([A, B], "192.0.2.1"),
    "FIN-12 long common name": with_subject((NameOID.COMMON_NAME, "x" * 65 + ".alpha.example")),
    "FIN-12 NUL": with_subject((NameOID.COMMON_NAME, f"{A}\0.evil.example")),
    "FIN-12 line": with_subject((NameOID.COMMON_NAME, f"{A}\n")),
    "FIN-12 not ASCII": with_subject((NameOID.COMMON_NAME, "wwẃ.alpha.example")),
    "FIN-12 two common names": with_subject(
        (NameOID.COMMON_NAME, A), (NameOID.COMMON_NAME, "other.alpha.example")
    ),
    "FIN-13 e-mail": with_names(x509.RFC822Name("a@alpha.example")),
    "FIN-13 URI": with_names(x509.UniformResourceIdentifier("https://www.alpha.example/")),
    "FIN-13 directory name": with_names(
        x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, A)]))
    ),
    "FIN-13 registered id": with_names(x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))),
    "FIN-13 other name": with_names(
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a")
    ),
    "FIN-15 e-mail in the subject": with_subject((NameOID.EMAIL_ADDRESS, "a@alpha.example")),
}


def usage(*, certificates: bool) -> x509.KeyUsage:
    """Return what servers ask for, perhaps with the right to sign certificates."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


EXTENSIONS = {
    "FIN-14 CA": with_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True),
    "FIN-14 keyCertSign": with_extension(usage(certificates=True)),
    "FIN-14 name constraints": with_extension(
        x509.NameConstraints([x509.DNSName("example")], None), critical=True
    ),
    "FIN-14 must-staple": with_extension(x509.TLSFeature([x509.TLSFeatureType.status_request])),
    "FIN-14 unknown and critical": with_extension(
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), critical=True
    ),
    "FIN-14 unknown": with_extension(
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    ),
    "FIN-14 code signing": with_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])),
    "FIN-14 any usage": with_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
    "FIN-14 policies": with_extension(
        x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.2"), None)])
    ),
}

KEYS = {
    "FIN-07 RSA-1024": request([A, B], key=rsa.generate_private_key(65537, 1024)),  # noqa: S505 - likewise
    "FIN-07 RSA with exponent 3": request([A, B], key=rsa.generate_private_key(3, 2048)),
    "FIN-07 another curve": request([A, B], key=ec.generate_private_key(ec.SECP256K1())),
    "FIN-07 P-224": request([A, B], key=ec.generate_private_key(ec.SECP224R1())),
}
ALL = {**BROKEN, **NAMES, **EXTENSIONS, **KEYS}


# cryptography warns of a common name that is too long, before we refuse it.
@pytest.mark.filterwarnings("ignore:Attribute's length must be:UserWarning")
@pytest.mark.parametrize("case", ALL)
async def test_requests_that_are_refused(
    case: str, ready: tuple[AcmeClient, Answer], validating: Proxy
) -> None:
    """FIN-04 to FIN-07, FIN-09, FIN-11 to FIN-14, D7: and the order stays as it is."""
    async with validating.state.unchanged():
        assert_refused(await finalize(ready, ALL[case]), 400, "badCSR")


TAKEN = {
    "FIN-10 names in the SAN only": (request([A, B]), [A, B]),
    "FIN-10 common name in both": (request([A, B], A), [A, B]),
    "FIN-10 common name and the rest": (request([B], A), [A, B]),
    "FIN-10 common name alone": (request([], A), [A]),
    "FIN-09 other order": (request([B, A]), [A, B]),
    "FIN-09 twice": (request([A, B, A]), [A, B]),
    "FIN-09 upper case": (request([A.upper(), B]), [A, B]),
    "FIN-15 organization": (
        with_subject((NameOID.ORGANIZATION_NAME, "Evil"), (NameOID.COUNTRY_NAME, "DE")),
        [A, B],
    ),
    "CLI-34 challengePassword": (
        request([A, B], alter=lambda b: b.add_attribute(AttributeOID.CHALLENGE_PASSWORD, b"x")),
        [A, B],
    ),
    "CLI-34 usages": (
        request(
            [A, B],
            alter=lambda b: b.add_extension(usage(certificates=False), critical=True).add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            ),
        ),
        [A, B],
    ),
    "FIN-07 RSA-2048": (request([A, B], key=rsa.generate_private_key(65537, 2048)), [A, B]),
    "FIN-07 P-384": (request([A, B], key=ec.generate_private_key(ec.SECP384R1())), [A, B]),
    "FIN-07 Ed25519": (request([A, B], key=ed25519.Ed25519PrivateKey.generate()), [A, B]),
}


@pytest.mark.parametrize("case", TAKEN)
async def test_requests_that_are_taken(case: str, issuing: Proxy) -> None:
    """FIN-07, FIN-09, FIN-10, FIN-15, CLI-34: and none of their trimmings is in the certificate."""
    csr, names = TAKEN[case]
    client = await issuing.account()
    order = await issuing.ready(client, *names)
    finalized = await client.finalize(order.json()["finalize"], csr)
    done = (await client.settled(order.location, finalized)).json()
    assert done["status"] == "valid", done
    leaf = x509.load_pem_x509_certificate((await client.get(done["certificate"])).body)
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(str(name.value) for name in san) == sorted(names)
    assert not leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert not leaf.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)
    assert leaf.public_key() == x509.load_der_x509_csr(csr).public_key()
