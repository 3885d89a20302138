"""The root stays outside: its signature is waited for, and looked at before anybody trusts it."""

import uuid
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from tests.support.openbao import as_root
from tests.support.producing import Organisation, applied, pem, planned, settings_file, signed, verify

TENANT = """
[tenants.shop]
names.allow = ["*.shop.example"]
[tenants.shop.vault]
namespace = "shop"
role = "web"
"""


@pytest.fixture
def namespace() -> str:
    """Return one that no other test has."""
    return f"n{uuid.uuid4().hex}"


def own_settings(openbao: OpenBao, directory: Path, namespace: str, more: str = "") -> Path:
    return settings_file(directory, openbao.address, TENANT, f'namespace = "{namespace}"\n{more}')


def request_of(directory: Path) -> tuple[x509.Name, ec.EllipticCurvePublicKey]:
    csr = x509.load_pem_x509_csr((directory / "pki" / "signing.csr").read_bytes())
    key = csr.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert csr.is_signature_valid
    return csr.subject, key


@pytest.fixture
def waiting(openbao: OpenBao, tmp_path: Path, namespace: str) -> Path:
    """Carry out what can be without the root, and return the settings file."""
    file = own_settings(openbao, tmp_path, namespace)
    applied(file, openbao.root_token, local_root=False)
    return file


async def test_what_needs_no_root_is_built_and_the_rest_once_it_has_signed(
    openbao: OpenBao, tmp_path: Path, namespace: str
) -> None:
    file = own_settings(openbao, tmp_path, namespace, 'roots = "roots.pem"')
    first = applied(file, openbao.root_token, local_root=False)
    assert "Have your root sign" in first.waits[0]
    assert str(tmp_path / "pki" / "signing.csr") in first.waits[0]
    assert [step.what for step in planned(file, openbao.root_token, local_root=False)] == [
        "signing CA",
        "issuing CA",
    ]
    subject, key = request_of(tmp_path)
    assert isinstance(key.curve, ec.SECP384R1)
    # Run again, it asks for the same key.
    assert applied(file, openbao.root_token, local_root=False).steps == ()
    assert request_of(tmp_path)[1] == key
    assert not (tmp_path / "roots.pem").exists()

    root = Organisation()
    # The order of a bundle says nothing.
    (tmp_path / "pki" / "signing.pem").write_bytes(pem(root.certificate, root.sign(subject, key)))
    done = applied(file, openbao.root_token, local_root=False)
    assert ([step.what for step in done.steps], done.waits) == (["signing CA", "issuing CA"], ())
    assert planned(file, openbao.root_token, local_root=False) == []
    assert (tmp_path / "roots.pem").read_bytes() == pem(root.certificate)
    assert not (tmp_path / "pki" / "root-key.pem").exists()
    leaf, above = await signed(openbao, f"{namespace}/shop", "pki/sign/web", "www.shop.example")
    assert verify(leaf, above, root.certificate, "www.shop.example") == 4


@pytest.mark.parametrize(
    ("flaw", "text"),
    [
        ("another key", "is for another key"),
        ("no authority", "it is no CA"),
        ("nothing below", "pathlen is 0"),
        ("without the root", "the chain to a root is missing"),
        ("another root", "the chain to a root is missing"),
        ("ended", "has ended"),
        ("ends soon", "too soon for an issuing CA below it"),
        ("one authority below the root", "pathlen of CN=Corporate Root is 1, and with the issuing CAs"),
        ("a root with an Ed25519 key", "could not verify what is below it"),
        ("no certificate", "is not a bundle of certificates in PEM"),
    ],
)
async def test_a_certificate_that_is_not_what_was_asked_for_is_refused(
    flaw: str, text: str, openbao: OpenBao, waiting: Path, namespace: str
) -> None:
    subject, key = request_of(waiting.parent)
    root, short = Organisation(), Organisation(below=1)
    odd = Organisation(key=ed25519.Ed25519PrivateKey.generate())
    answers = {
        "another key": pem(
            root.sign(subject, ec.generate_private_key(ec.SECP384R1()).public_key()), root.certificate
        ),
        "no authority": pem(root.sign(subject, key, authority=False), root.certificate),
        "nothing below": pem(root.sign(subject, key, below=0), root.certificate),
        "without the root": pem(root.sign(subject, key)),
        "another root": pem(root.sign(subject, key), Organisation("Other Root").certificate),
        "ended": pem(root.sign(subject, key, days=1), root.certificate),
        "ends soon": pem(root.sign(subject, key, days=32), root.certificate),
        "one authority below the root": pem(short.sign(subject, key), short.certificate),
        "a root with an Ed25519 key": pem(odd.sign(subject, key), odd.certificate),
        "no certificate": b"hello",
    }
    (waiting.parent / "pki" / "signing.pem").write_bytes(answers[flaw])
    with pytest.raises(ProducerError, match=text) as caught:
        applied(waiting, openbao.root_token, local_root=False)
    assert "signing.pem" in str(caught.value)
    listed = await as_root(openbao, "GET", "pki/config/issuers", namespace)
    assert listed["data"]["default"] == ""


async def test_a_root_that_the_settings_do_not_name_is_refused(
    openbao: OpenBao, tmp_path: Path, namespace: str
) -> None:
    """INV-2: what the proxy would refuse later is not imported."""
    (tmp_path / "roots.pem").write_bytes(pem(Organisation("The Real Root").certificate))
    file = own_settings(openbao, tmp_path, namespace, 'roots = "roots.pem"')
    applied(file, openbao.root_token, local_root=False)
    subject, key = request_of(tmp_path)
    root = Organisation()
    (tmp_path / "pki" / "signing.pem").write_bytes(pem(root.sign(subject, key), root.certificate))
    with pytest.raises(ProducerError, match=r"its root is not in the file of vault\.roots"):
        applied(file, openbao.root_token, local_root=False)


async def test_files_that_cannot_be_used_are_told(openbao: OpenBao, tmp_path: Path, namespace: str) -> None:
    file = own_settings(openbao, tmp_path, namespace, 'roots = "roots.pem"')
    (tmp_path / "roots.pem").write_text("hello")
    with pytest.raises(ProducerError, match=r"roots\.pem, the file of vault\.roots, is not a bundle"):
        applied(file, openbao.root_token)
    (tmp_path / "roots.pem").unlink()
    (tmp_path / "pki" / "signing.csr").mkdir()
    with pytest.raises(ProducerError, match=r"signing\.csr cannot be written: Is a directory"):
        applied(file, openbao.root_token, local_root=False)
    (tmp_path / "pki" / "signing.pem").mkdir()
    with pytest.raises(ProducerError, match=r"signing\.pem cannot be read: Is a directory"):
        applied(file, openbao.root_token, local_root=False)


async def test_a_local_root_replaces_no_other(openbao: OpenBao, tmp_path: Path, waiting: Path) -> None:
    """Somebody who types --local-root by mistake keeps the organisation's hierarchy."""
    root = Organisation()
    (tmp_path / "pki" / "signing.pem").write_bytes(pem(root.sign(*request_of(tmp_path)), root.certificate))
    applied(waiting, openbao.root_token, local_root=False)
    assert planned(waiting, openbao.root_token, local_root=True) == []
    assert not (tmp_path / "pki" / "root.pem").exists()
