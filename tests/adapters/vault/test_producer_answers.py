"""What the organisation's root hands back: taken however it is written, and refused where it is not right."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.producer.certified import check_signing
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.core.tenant import Names
from tests.support import programs
from tests.support.openbao import as_root
from tests.support.producing import BARE, Organisation, applied, pem, planned, request_of, settings_file

CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])

Request = tuple[x509.Name, ec.EllipticCurvePublicKey]
Answer = Callable[[Organisation, Request], bytes]


def permitting(*names: x509.GeneralName) -> x509.NameConstraints:
    return x509.NameConstraints(names, None)


def excluding(*names: x509.GeneralName) -> x509.NameConstraints:
    return x509.NameConstraints(None, names)


def signed(**how: object) -> Answer:
    """Return what a root answers that signs a request in some way, with itself."""
    return lambda root, request: pem(root.sign(*request, **how), root.certificate)  # type: ignore[arg-type]


def below_another(*, below: int | None) -> Answer:
    """Return what a CA answers that a root has certified for so many below it."""

    def answer(_: Organisation, request: Request) -> bytes:
        root = Organisation(below=3)
        policy = Organisation("Policy CA")
        certified = root.sign(policy.name, policy.key.public_key(), below=below)
        return pem(policy.sign(*request), certified, root.certificate)

    return answer


def cross_signed(root: Organisation, request: Request) -> bytes:
    """Return what a root answers that another, which is not there, has certified before."""
    other = Organisation("Former Root", below=3)
    former = other.sign(root.name, root.key.public_key(), below=2)
    return pem(former, root.sign(*request), root.certificate)


@pytest.fixture(scope="session")
def waiting(openbao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Carry out what can be without the root; return the settings file and the signing CA's namespace."""
    directory, namespace = tmp_path_factory.mktemp("answers"), f"n{uuid.uuid4().hex}"
    file = settings_file(directory, openbao.address, BARE, f'namespace = "{namespace}"')
    applied(file, openbao.root_token, local_root=False)
    return file, namespace


FLAWS: dict[str, tuple[Answer, str]] = {
    "another key": (
        lambda root, request: pem(
            root.sign(request[0], ec.generate_private_key(ec.SECP384R1()).public_key()), root.certificate
        ),
        "the certificate is for another key than the request",
    ),
    "no authority": (signed(authority=False), "acmeproxy signing CA may not sign certificates: it is no CA"),
    "nothing below": (signed(below=0), "pathlen is 0, and it has to sign issuing CAs: it must be 1"),
    "no CRLs": (signed(crls=False), "it may not sign its CRL: cRLSign is not in its key usage"),
    "too few below another": (
        below_another(below=1),
        "CN=Policy CA may have 1 authorities below it, and has 2 with an issuing CA",
    ),
    "without the root": (
        lambda root, request: pem(root.sign(*request)),
        "CN=acmeproxy signing CA was signed by CN=Corporate Root, which is not there: the chain to a root",
    ),
    "another root": (
        lambda root, request: pem(root.sign(*request), Organisation("Other Root").certificate),
        "the chain to a root is missing",
    ),
    "ended": (signed(days=1), "CN=acmeproxy signing CA has ended on"),
    "too soon": (signed(days=20), "too soon for a CA below it"),
    "for clients": (signed(more=(CLIENTS,)), "is not for TLS servers, nor is what is below it"),
    "other names": (
        signed(more=(permitting(x509.DNSName("corp.example"), x509.DNSName("a.shop.example")),)),
        r"constraints of CN=acmeproxy signing CA leave out \*\.shop\.example, which a tenant may have",
    ),
    "all but ours": (
        signed(more=(excluding(x509.DNSName("example")),)),
        r"the name constraints of CN=acmeproxy signing CA leave out \*\.shop\.example",
    ),
    "one authority below the root": (
        lambda _, request: pem((short := Organisation(below=1)).sign(*request), short.certificate),
        "CN=Corporate Root may have 1 authorities below it, and has 2 with an issuing CA",
    ),
    "a root of Ed25519": (
        lambda _, request: pem(
            (odd := Organisation(key=ed25519.Ed25519PrivateKey.generate())).sign(*request), odd.certificate
        ),
        "acmeproxy could not verify what is below it, and would deliver no certificate",
    ),
    "no certificate": (lambda *_: b"hello", "is not a bundle of certificates in PEM"),
    "nothing": (lambda *_: b"", "is not a bundle of certificates in PEM"),
    "DER": (
        lambda root, request: root.sign(*request).public_bytes(Encoding.DER),
        r"is not in PEM: openssl x509 -inform der -in .*signing\.pem makes PEM of a certificate in DER",
    ),
    "PKCS 7": (
        lambda root, request: pkcs7.serialize_certificates(
            [root.sign(*request), root.certificate], Encoding.PEM
        ),
        r"is PKCS #7: openssl pkcs7 -print_certs -in .*signing\.pem makes a bundle of it",
    ),
}


@pytest.mark.parametrize("flaw", FLAWS)
async def test_what_is_not_what_was_asked_for_is_refused_before_anything_is_imported(
    flaw: str, openbao: OpenBao, waiting: tuple[Path, str]
) -> None:
    file, namespace = waiting
    answer, text = FLAWS[flaw]
    signing = file.parent / "pki" / "signing.pem"
    signing.write_bytes(answer(Organisation(), request_of(file.parent)))
    with pytest.raises(ProducerError, match=text) as caught:
        applied(file, openbao.root_token, local_root=False)
    assert str(caught.value).startswith(f"{signing}")
    assert (await as_root(openbao, "GET", "pki/config/issuers", namespace))["data"]["default"] == ""
    [key] = (await as_root(openbao, "LIST", "pki/keys", namespace))["data"]["key_info"].values()
    assert key["key_name"] == "signing-1"


def test_a_signature_that_can_be_forged_is_named(tmp_path: Path) -> None:
    """Openssl signs with SHA-1 on request; a chain of such signatures cannot even be followed."""
    root = Organisation()
    (tmp_path / "root.pem").write_bytes(pem(root.certificate))
    key = root.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "root-key.pem").write_bytes(key)
    script = (
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout key.pem"
        " -subj /CN=signing -out signing.csr && openssl x509 -req -in signing.csr -CA root.pem"
        " -CAkey root-key.pem -days 99 -sha1 -out signing.pem"
    )
    programs.run(["/bin/sh", "-euc", f"cd {tmp_path}\n{script}"])
    csr = x509.load_pem_x509_csr((tmp_path / "signing.csr").read_bytes())
    weak = x509.load_pem_x509_certificate((tmp_path / "signing.pem").read_bytes())
    with pytest.raises(ProducerError, match="CN=signing is signed with sha1: it must be SHA-256 or better"):
        check_signing(csr, (weak,), (), datetime.now(UTC))


@pytest.mark.parametrize(
    ("permitted", "wanted"),
    [
        (("10.0.0.0/8",), None),
        (("10.20.0.0/16", "192.168.0.0/16"), "10.0.0.0/8"),
        (("fd00::/8",), "10.0.0.0/8"),
    ],
)
def test_name_constraints_that_leave_out_addresses_are_told(
    permitted: tuple[str, ...], wanted: str | None
) -> None:
    root, key = Organisation(), ec.generate_private_key(ec.SECP384R1())
    constraint = permitting(*(x509.IPAddress(ip_network(one)) for one in permitted))
    own = root.sign(x509.Name([]), key.public_key(), more=(constraint,))
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA384())
    names = Names((), (), (ip_network("10.0.0.0/8"),))
    if wanted is None:
        check_signing(csr, (own, root.certificate), (names,), datetime.now(UTC))
        return
    with pytest.raises(ProducerError, match=f"leave out {wanted}, which a tenant may have"):
        check_signing(csr, (own, root.certificate), (names,), datetime.now(UTC))


@pytest.mark.parametrize(
    "answer",
    [
        # The root first; and another CA between, in the wrong order.
        lambda root, request: pem(root.certificate, root.sign(*request)),
        lambda root, request: b"".join(
            reversed(
                [
                    block + b"-----END CERTIFICATE-----\n"
                    for block in below_another(below=2)(root, request).split(b"-----END CERTIFICATE-----\n")[
                        :-1
                    ]
                ]
            )
        ),
        # From Windows, with a mark of its encoding and words before.
        lambda root, request: (
            b"\xef\xbb\xbfsubject=x\r\n" + pem(root.sign(*request), root.certificate).replace(b"\n", b"\r\n")
        ),
        signed(more=(permitting(x509.DNSName("corp.example"), x509.DNSName(".shop.example")),)),
        signed(below=None),
        cross_signed,
    ],
    ids=[
        "root first",
        "wrong order",
        "CRLF",
        "constraints that permit ours",
        "no limit below",
        "cross-signed",
    ],
)
def test_what_is_right_is_taken_however_it_is_written(
    answer: Answer, openbao: OpenBao, tmp_path: Path
) -> None:
    file = settings_file(tmp_path, openbao.address, BARE, f'namespace = "n{uuid.uuid4().hex}"')
    applied(file, openbao.root_token, local_root=False)
    (tmp_path / "pki" / "signing.pem").write_bytes(answer(Organisation(), request_of(tmp_path)))
    applied(file, openbao.root_token, local_root=False)
    assert planned(file, openbao.root_token, local_root=False) == []
