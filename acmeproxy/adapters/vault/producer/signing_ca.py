"""The signing CA: certified by a root outside, which Vault never has the key of."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.external_root import ROOT_FILE, ExternalRoot, external_root, sign_authority
from acmeproxy.adapters.vault.producer.authority import check_certified
from acmeproxy.adapters.vault.producer.blueprint import SigningPlan
from acmeproxy.adapters.vault.producer.constraints import path_length
from acmeproxy.adapters.vault.producer.issuers import Issuer
from acmeproxy.adapters.vault.producer.issuing_ca import SHORTEST_ABOVE
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.adapters.vault.producer.step import WaitsError

REQUEST: Final = "signing.csr"
SIGNED: Final = "signing.pem"


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

    def known(self) -> Sequence[x509.Certificate]:
        """Return the roots of `vault.roots`, none where it names no file that is there."""
        if self._anchors is None or not self._anchors.exists():
            return ()
        try:
            return x509.load_pem_x509_certificates(_read(self._anchors))
        except ValueError:
            text = "the file of vault.roots, is not a bundle of certificates in PEM"
            raise ProducerError(f"{self._anchors}, {text}") from None

    def above(self, certificate: x509.Certificate) -> Sequence[x509.Certificate]:
        """Return all above a signing CA, up to its root, where our files have it; else nothing."""
        given = dict.fromkeys((certificate, *self._kept(SIGNED), *self._kept(ROOT_FILE), *self.known()))
        way = chain.ordered(certificate.public_key(), given)
        return way[1:] if way[-1].issuer == way[-1].subject else ()

    def _kept(self, name: str) -> Sequence[x509.Certificate]:
        file = self.directory / name
        try:
            return x509.load_pem_x509_certificates(_read(file)) if file.exists() else ()
        except ValueError:
            return ()

    def keep(self, root: x509.Certificate) -> None:
        """Write `vault.roots` if it names a file that is not there."""
        if self._anchors is not None and not self._anchors.exists():
            _write(self._anchors, root.public_bytes(Encoding.PEM))


class SigningCertifier:
    """Has the signing CA certified by the root outside."""

    prefix = "signing"
    what = "signing CA"
    settings: Mapping[str, Any] = {
        "leaf_not_after_behavior": "err",
        "usage": ["crl-signing", "issuing-certificates", "ocsp-signing", "read-only"],
    }

    def __init__(self, plan: SigningPlan, outside: RootOutside) -> None:
        self.common_name = plan.common_name
        self._plan = plan
        self._outside = outside

    def fits(self, issuer: Issuer) -> bool:
        """Any that leads to a root will do, unless we insist on ours; what its mount lost is imported."""
        way = issuer.chain if issuer.complete else self._outside.above(issuer.certificate)
        if not way:
            return False
        return not self._outside.insist or way[-1] == self._outside.root().certificate

    def shown(self) -> Mapping[str, object]:
        """Its name, and for how long."""
        return {"common_name": self.common_name, "key": "P-384, made in Vault", "path_length": 1}

    def waits(self) -> str:
        """Without a root of our own, and without an answer, somebody has to sign."""
        if self._outside.local or (self._outside.directory / SIGNED).exists():
            return ""
        return f"the organisation's root has to sign {self._outside.directory / REQUEST}"

    def certify(self, csr: x509.CertificateSigningRequest) -> Sequence[x509.Certificate]:
        """Sign with the local root, or take what the organisation's root signed."""
        directory = self._outside.directory
        make_directory(directory)
        if self._outside.local:
            root = self._outside.root()
            lifetime = self._plan.lifetime
            pem = sign_authority(root, csr.public_bytes(Encoding.PEM).decode(), lifetime)
            signed: Sequence[x509.Certificate] = (
                x509.load_pem_x509_certificate(pem.encode()),
                root.certificate,
            )
        else:
            signed = self._signed_outside(csr, directory)
        self._check(csr, signed)
        self._outside.keep(signed[-1])
        return signed

    def _signed_outside(
        self, csr: x509.CertificateSigningRequest, directory: Path
    ) -> Sequence[x509.Certificate]:
        answer = directory / SIGNED
        if not answer.exists():
            _write(directory / REQUEST, csr.public_bytes(Encoding.PEM))
            raise WaitsError(
                f"Have your root sign {directory / REQUEST} (CA:TRUE, pathlen 1,"
                f" {self._plan.lifetime.days} days), put the certificate and all above it, the root too, into"
                f" {answer}, and run the same command again."
            )
        try:
            given = x509.load_pem_x509_certificates(_read(answer))
            return chain.ordered(csr.public_key(), given)
        except ValueError:
            raise ProducerError(f"{answer} is not a bundle of certificates in PEM") from None

    def _check(self, csr: x509.CertificateSigningRequest, signed: Sequence[x509.Certificate]) -> None:
        """Hold what came back against the request, before anybody trusts it."""
        source = self._outside.directory / SIGNED
        try:
            certificate = check_certified(csr, signed)
        except ProducerError as error:
            raise ProducerError(f"{source}: {error}") from None
        _check_length(source, signed)
        end, now = certificate.not_valid_after_utc, datetime.now(UTC)
        if end <= now:
            raise ProducerError(f"{source}: the certificate has ended")
        if end <= now + SHORTEST_ABOVE:
            raise ProducerError(f"{source}: it ends on {end:%Y-%m-%d}, too soon for an issuing CA below it")
        _check_algorithms(source, signed)
        known = self._outside.known()
        if known and signed[-1] not in known:
            raise ProducerError(f"{source}: its root is not in the file of vault.roots")


def _check_length(source: Path, signed: Sequence[x509.Certificate]) -> None:
    """See that all of them allow for the issuing CA that is going to be below."""
    for below, authority in enumerate(signed, 1):
        length = path_length(authority)
        if length is None or length >= below:
            continue
        if below == 1:
            raise ProducerError(f"{source}: pathlen is 0, and it has to sign issuing CAs: it must be 1")
        name = authority.subject.rfc4514_string()
        raise ProducerError(
            f"{source}: pathlen of {name} is {length}, and with the issuing CAs there are {below} below it"
        )


def _check_algorithms(source: Path, signed: Sequence[x509.Certificate]) -> None:
    """Verify as issued certificates are verified: what fails now, fails then for every single one."""
    authorities = ExtensionPolicy.webpki_defaults_ca()
    builder = (
        PolicyBuilder()
        .store(Store([signed[-1]]))
        .extension_policies(ca_policy=authorities, ee_policy=authorities)
    )
    try:
        builder.build_client_verifier().verify(signed[0], list(signed[1:-1]))
    except VerificationError as error:
        raise ProducerError(
            f"{source}: acmeproxy could not verify what is below it, and would deliver no certificate: keys"
            " and signatures up to the root must be RSA of 2048 bits or more, or ECDSA with P-256, P-384 or"
            f" P-521, and SHA-2 ({str(error)[:160]!a})"
        ) from None


def make_directory(directory: Path) -> None:
    """Make a directory for our eyes only, if it is not there."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ProducerError(f"{directory} cannot be made: {os.strerror(error.errno or 0)}") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ProducerError(f"{file} cannot be read: {os.strerror(error.errno or 0)}") from None


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise ProducerError(f"{file} cannot be written: {os.strerror(error.errno or 0)}") from None
