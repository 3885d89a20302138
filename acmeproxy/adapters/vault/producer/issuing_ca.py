"""A tenant's issuing CA: certified by the signing CA, with no authority below it and only for its names."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.producer import constraints
from acmeproxy.adapters.vault.producer.blueprint import IssuingPlan
from acmeproxy.adapters.vault.producer.certified import SHORTEST, check_certified
from acmeproxy.adapters.vault.producer.claim import serial_path
from acmeproxy.adapters.vault.producer.issuers import Issuer, issuers
from acmeproxy.adapters.vault.producer.namespace import NONE_BELOW, Namespace, ProducerError
from acmeproxy.adapters.vault.producer.step import WaitsError

_BEFORE_PARENT: Final = timedelta(days=1)


class IssuingCertifier:
    """Has an issuing CA certified by the signing CA."""

    prefix = "issuing"
    what = "issuing CA"
    settings: Mapping[str, Any] = {
        # A certificate that ends early is better than none, and is what the proxy checks for anyway.
        "leaf_not_after_behavior": "truncate",
        "usage": ["crl-signing", "issuing-certificates", "ocsp-signing", "read-only"],
    }

    def __init__(
        self,
        plan: IssuingPlan,
        admin: Namespace,
        signing_mount: str,
        accepted: Callable[[], frozenset[str]],
        trusted: Callable[[Issuer], bool],
    ) -> None:
        self.common_name = plan.common_name
        self._plan = plan
        self._admin = admin
        self._mount = signing_mount
        self._accepted = accepted
        self._trusted = trusted
        self._known: Sequence[Issuer] = ()

    def fits(self, issuer: Issuer) -> bool:
        """It is right below a signing CA of ours, for exactly these names, with none below it.

        Below a former one too, until it is rotated. Whether its mount knows its parents is for `Parents` to
        see to.
        """
        return any(
            chain.signed(issuer.certificate, one.certificate) for one in self._signing() if self._trusted(one)
        ) and self._bound(issuer.certificate)

    def current(self, issuer: Issuer) -> bool:
        """Today's signing CA signed it."""
        signing = self._default()
        return signing is not None and chain.signed(issuer.certificate, signing.certificate)

    def shown(self) -> Mapping[str, object]:
        """What it may issue."""
        permitted = constraints.permitted(self._plan.names)
        return {
            "common_name": self.common_name,
            "key": "P-384, made in Vault",
            "path_length": 0,
            "lifetime": self._shown_lifetime(),
            "permitted_dns_domains": list(permitted) if permitted else "all names",
        }

    def waits(self, name: str) -> str:  # noqa: ARG002 - names nothing outside
        """Without a signing CA there is nobody to sign, and that is told there."""
        return ""

    def certify(
        self,
        csr: x509.CertificateSigningRequest,
        name: str,  # noqa: ARG002 - likewise
    ) -> Sequence[x509.Certificate]:
        """Have the signing CA sign, and check what it signed."""
        signing = self._default()
        if signing is None:
            raise WaitsError("The signing CA comes first.")
        pem = csr.public_bytes(Encoding.PEM).decode()
        body = {
            "csr": pem,
            "common_name": self.common_name,
            "exclude_cn_from_sans": True,
            "ttl": f"{int(self._lifetime(signing).total_seconds())}s",
            "max_path_length": 0,
            **self._constraints(),
        }
        written = self._admin.write(f"{self._mount}/root/sign-intermediate", body)
        unexpected = [text for text in written.warnings if NONE_BELOW not in text.lower()]
        if unexpected:
            # A shorter life and an ignored constraint are told nowhere else.
            raise ProducerError(f"the signing CA did not sign what was asked: {unexpected[0][:300]!a}")
        certificate = chain.parse(written.data.get("certificate"))
        if certificate is None:
            raise ProducerError("the signing CA answered without a certificate")
        signed = (certificate, *signing.chain)
        check_certified(csr, signed)
        if not self._bound(certificate):
            raise ProducerError("the signing CA signed other names or another path length than was asked")
        return signed

    def recall(
        self,
        csr: x509.CertificateSigningRequest,
        name: str,  # noqa: ARG002 - likewise
        serial: str,
    ) -> Sequence[x509.Certificate]:
        """Read it where it was signed; it is of no use for other names than those of now."""
        read = self._admin.read(f"{self._mount}/cert/{serial_path(serial)}") or {}
        certificate = chain.parse(read.get("certificate"))
        signing = self._default()
        if certificate is None or signing is None or not chain.signed(certificate, signing.certificate):
            return ()
        signed = (certificate, *signing.chain)
        check_certified(csr, signed)
        return signed if self._bound(certificate) else ()

    def _bound(self, certificate: x509.Certificate) -> bool:
        names, accepted = self._plan.names, self._accepted()
        return constraints.holds(certificate, names, accepted) and constraints.path_length(certificate) == 0

    def _signing(self) -> Sequence[Issuer]:
        """Return all signing CAs, the default first; asked until there is one."""
        self._known = self._known or issuers(self._admin, self._mount)
        return self._known

    def _default(self) -> Issuer | None:
        return next((issuer for issuer in self._signing() if issuer.default), None)

    def _lifetime(self, signing: Issuer) -> timedelta:
        """Return the planned one, or less where the signing CA ends before: nobody outlives its parent."""
        left = signing.certificate.not_valid_after_utc - datetime.now(UTC)
        if left < SHORTEST:
            raise ProducerError(
                f"the signing CA ends on {signing.certificate.not_valid_after_utc:%Y-%m-%d},"
                " too soon for a CA below it: replace it first, with acmeproxy vault rotate --signing"
            )
        return min(self._plan.lifetime, left - _BEFORE_PARENT)

    def _shown_lifetime(self) -> str:
        signing = self._default()
        left = None if signing is None else signing.certificate.not_valid_after_utc - datetime.now(UTC)
        if left is None or left - _BEFORE_PARENT >= self._plan.lifetime:
            return f"{self._plan.lifetime.days} days"
        return f"{(left - _BEFORE_PARENT).days} days, since the signing CA ends then"

    def _constraints(self) -> Mapping[str, Any]:
        """Bind the names; what only some servers can is asked of those."""
        bounds = constraints.wanted(self._plan.names, self._accepted())
        return {name: ",".join(sorted(bound)) for name, bound in bounds.items() if bound}
