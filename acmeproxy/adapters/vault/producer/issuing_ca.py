"""A tenant's issuing CA: certified by the signing CA, with no authority below it and only for its names."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.producer import constraints
from acmeproxy.adapters.vault.producer.authority import check_certified
from acmeproxy.adapters.vault.producer.blueprint import IssuingPlan
from acmeproxy.adapters.vault.producer.issuers import Issuer, default
from acmeproxy.adapters.vault.producer.namespace import NONE_BELOW, Namespace, ProducerError
from acmeproxy.adapters.vault.producer.step import WaitsError

_BEFORE_PARENT: Final = timedelta(days=1)
_SHORTEST: Final = timedelta(days=30)
#: How long a signing CA must last for an issuing CA below it.
SHORTEST_ABOVE: Final = _SHORTEST + _BEFORE_PARENT


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
    ) -> None:
        self.common_name = plan.common_name
        self._plan = plan
        self._admin = admin
        self._mount = signing_mount
        self._accepted = accepted
        self._known: Issuer | None = None

    def fits(self, issuer: Issuer) -> bool:
        """It is right directly below today's signing CA, for exactly these names, with none below it.

        Whether its mount knows its parents too is for `Parents` to see to.
        """
        signing = self._signing()
        return (
            signing is not None
            and chain.signed(issuer.certificate, signing.certificate)
            and constraints.holds(issuer.certificate, self._plan.names, self._accepted())
            and constraints.path_length(issuer.certificate) == 0
        )

    def shown(self) -> Mapping[str, object]:
        """What it may issue."""
        permitted = constraints.permitted(self._plan.names)
        return {
            "common_name": self.common_name,
            "key": "P-384, made in Vault",
            "path_length": 0,
            "permitted_dns_domains": list(permitted) if permitted else "all names",
        }

    def waits(self) -> str:
        """Without a signing CA there is nobody to sign."""
        return ""

    def certify(self, csr: x509.CertificateSigningRequest) -> Sequence[x509.Certificate]:
        """Have the signing CA sign, and check what it signed."""
        signing = self._signing()
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
        bound = constraints.holds(certificate, self._plan.names, self._accepted())
        if not bound or constraints.path_length(certificate) != 0:
            raise ProducerError("the signing CA signed other names or another path length than was asked")
        return signed

    def _signing(self) -> Issuer | None:
        self._known = self._known or default(self._admin, self._mount)
        return self._known

    def _lifetime(self, signing: Issuer) -> timedelta:
        """Return the planned one, or less where the signing CA ends before: nobody outlives its parent."""
        left = signing.certificate.not_valid_after_utc - datetime.now(UTC) - _BEFORE_PARENT
        if left < _SHORTEST:
            raise ProducerError(
                f"the signing CA ends on {signing.certificate.not_valid_after_utc:%Y-%m-%d},"
                " too soon for a CA below it: it has to be replaced first"
            )
        return min(self._plan.lifetime, left)

    def _constraints(self) -> Mapping[str, Any]:
        """Bind the names; what only some servers can is asked of those."""
        bounds = constraints.wanted(self._plan.names, self._accepted())
        return {name: ",".join(sorted(bound)) for name, bound in bounds.items() if bound}
