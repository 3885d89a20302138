"""The signing CA: certified by a root outside, which Vault never has the key of."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.external_root import create, sign_authority
from acmeproxy.adapters.vault.producer.blueprint import SigningPlan
from acmeproxy.adapters.vault.producer.certified import check_signing
from acmeproxy.adapters.vault.producer.claim import serial_of
from acmeproxy.adapters.vault.producer.issuers import Issuer
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.adapters.vault.producer.root_outside import RootOutside, make_directory, read_bundle, write
from acmeproxy.adapters.vault.producer.step import WaitsError
from acmeproxy.core.tenant import Names


class SigningCertifier:
    """Has the signing CA certified by the root outside."""

    prefix = "signing"
    what = "signing CA"
    settings: Mapping[str, Any] = {
        "leaf_not_after_behavior": "err",
        "usage": ["crl-signing", "issuing-certificates", "ocsp-signing", "read-only"],
    }

    def __init__(self, plan: SigningPlan, tenants: Sequence[Names], outside: RootOutside) -> None:
        self.common_name = plan.common_name
        self._plan = plan
        self._tenants = tenants
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

    def current(self, issuer: Issuer) -> bool:  # noqa: ARG002 - the root's is nobody's to choose
        """Whatever fits is."""
        return True

    def waits(self, name: str) -> str:
        """Without a root of our own, and without an answer, somebody has to sign."""
        if self._outside.local or self._outside.answer(name).exists():
            return ""
        return f"the organisation's root has to sign {self._outside.request(name)}"

    def certify(self, csr: x509.CertificateSigningRequest, name: str) -> Sequence[x509.Certificate]:
        """Sign with the local root, or take what the organisation's root signed."""
        make_directory(self._outside.directory)
        signed = self._signed_here(csr, name) if self._outside.local else self._signed_outside(csr, name)
        try:
            self._check(csr, signed)
        except ProducerError as error:
            answer = self._outside.answer(name)
            raise ProducerError(
                f"{answer}: {error}. Nothing was imported: put it right, and run again"
            ) from None
        self._outside.keep(signed[-1])
        return signed

    def recall(
        self, csr: x509.CertificateSigningRequest, name: str, serial: str
    ) -> Sequence[x509.Certificate]:
        """Take it from the answer, where it is the one."""
        signed = self.certify(csr, name)
        if serial_of(signed[0]) == serial:
            return signed
        raise ProducerError(
            f"another run is importing another certificate for {name} than that of"
            f" {self._outside.answer(name)}: run the command again. If no other is at work, one was cut off"
            f" with the certificate {serial} (its serial number in hex): put that into the file, or give it"
            f" up by writing key_name={name} to {self._plan.mount}/key/{name}.{serial}"
        )

    def _signed_here(self, csr: x509.CertificateSigningRequest, name: str) -> Sequence[x509.Certificate]:
        """Sign with the local root, once for a key: several runs have to import the same certificate."""
        root, answer = self._outside.root(), self._outside.answer(name)
        if answer.exists():
            given = self._answered(csr, answer)
            if given and given[-1] == root.certificate:
                return given
            answer.unlink(missing_ok=True)
        pem = sign_authority(root, csr.public_bytes(Encoding.PEM).decode(), self._plan.lifetime)
        create(answer, (pem + root.pem).encode(), mode=0o644)
        return self._answered(csr, answer)

    def _signed_outside(self, csr: x509.CertificateSigningRequest, name: str) -> Sequence[x509.Certificate]:
        answer, request = self._outside.answer(name), self._outside.request(name)
        if not answer.exists():
            write(request, csr.public_bytes(Encoding.PEM))
            raise WaitsError(
                f"Have your root sign {request} (CA:TRUE, pathlen 1,"
                f" {self._plan.lifetime.days} days), put the certificate and all above it, the root too, into"
                f" {answer}, and run the same command again."
            )
        return self._answered(csr, answer)

    def _answered(self, csr: x509.CertificateSigningRequest, answer: Path) -> Sequence[x509.Certificate]:
        """Return the certificate of a key that an answer holds, and those above it; none if it has none."""
        return chain.ordered(csr.public_key(), read_bundle(answer))

    def _check(self, csr: x509.CertificateSigningRequest, signed: Sequence[x509.Certificate]) -> None:
        """Hold what came back against the request, before anybody trusts it."""
        check_signing(csr, signed, self._tenants, datetime.now(UTC))
        known = self._outside.known()
        if known and signed[-1] not in known:
            raise ProducerError("its root is not in the file of vault.roots: add it there if it is yours")
