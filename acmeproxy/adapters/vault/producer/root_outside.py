"""The root outside, as files in a directory: what it shall sign, and what it has signed."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.external_root import ROOT_FILE, ExternalRoot, external_root
from acmeproxy.adapters.vault.producer.namespace import ProducerError

_FIRST: Final = "signing-1"
_ANSWERS: Final = "signing*.pem"
#: What else people are handed by those who rule a root, by how it begins, and how to make PEM of it.
_OTHERS: Final = {
    b"0": "is not in PEM: openssl x509 -inform der -in {file} makes PEM of a certificate in DER, and"
    " openssl pkcs7 -inform der -print_certs -in {file} of PKCS #7",
    b"-----BEGIN PKCS7": "is PKCS #7: openssl pkcs7 -print_certs -in {file} makes a bundle of it",
    b"-----BEGIN CERTIFICATE REQUEST": "is a request, and not what was signed",
}


class RootOutside:
    """Where the root's signature comes from.

    `directory` is where the request is left and the answer is looked for. With `local`, a root is made there,
    for trials; with `insist`, a signing CA below another root is replaced. `anchors` is the file of
    `vault.roots`, which is written where it is not there.
    """

    def __init__(
        self, directory: Path, *, local: bool = False, insist: bool = False, anchors: Path | None = None
    ) -> None:
        self.directory = directory
        self.local = local
        self.insist = insist
        self._anchors = anchors

    def root(self) -> ExternalRoot:
        """Return the local root, made if it is not there."""
        make_directory(self.directory)
        return external_root(self.directory)

    def request(self, authority: str) -> Path:
        """Return the file of the request of a signing CA: of the first it has no number."""
        return self.directory / f"{_named(authority)}.csr"

    def answer(self, authority: str) -> Path:
        """Return the file of the answer to a request; what the local root signed is no answer of another."""
        return self.directory / f"{_named(authority)}{'-local' if self.local else ''}.pem"

    def known(self) -> Sequence[x509.Certificate]:
        """Return the roots of `vault.roots`, none where it names no file that is there."""
        if self._anchors is None or not self._anchors.exists():
            return ()
        return read_bundle(self._anchors, "the file of vault.roots")

    def above(self, certificate: x509.Certificate) -> Sequence[x509.Certificate]:
        """Return all above a signing CA, up to its root, where our files have it; else nothing."""
        files = (*sorted(self.directory.glob(_ANSWERS)), self.directory / ROOT_FILE)
        kept = [one for file in files for one in _kept(file)]
        way = chain.ordered(certificate.public_key(), dict.fromkeys((certificate, *kept, *self.known())))
        return way[1:] if way[-1].issuer == way[-1].subject else ()

    def keep(self, root: x509.Certificate) -> None:
        """Write `vault.roots` if it names a file that is not there."""
        if self._anchors is not None and not self._anchors.exists():
            write(self._anchors, root.public_bytes(Encoding.PEM))


def _kept(file: Path) -> Sequence[x509.Certificate]:
    """Return what a file of ours holds; nothing where there is none, or something else in it."""
    try:
        return read_bundle(file)
    except ProducerError:
        return ()


def make_directory(directory: Path) -> None:
    """Make a directory for our eyes only, if it is not there."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ProducerError(f"{directory} cannot be made: {os.strerror(error.errno or 0)}") from None


def read_bundle(file: Path, what: str = "") -> Sequence[x509.Certificate]:
    """Return the certificates of a file in PEM, in its order.

    Args:
        file: The file.
        what: What the file is to people, if its name does not say so.

    Raises:
        ProducerError: It cannot be read, or is something else.
    """
    name = f"{file}, {what}," if what else f"{file}"
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ProducerError(f"{file} cannot be read: {os.strerror(error.errno or 0)}") from None
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        known = next((text for begin, text in _OTHERS.items() if content.lstrip().startswith(begin)), "")
        text = known.format(file=file) or "is not a bundle of certificates in PEM"
        raise ProducerError(f"{name} {text}") from None


def write(file: Path, content: bytes) -> None:
    """Write a file that everybody may read.

    Raises:
        ProducerError: It cannot be written.
    """
    try:
        file.write_bytes(content)
    except OSError as error:
        raise ProducerError(f"{file} cannot be written: {os.strerror(error.errno or 0)}") from None


def _named(authority: str) -> str:
    return "signing" if authority == _FIRST else authority
