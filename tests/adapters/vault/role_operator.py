"""An operator who writes one role again and again, and has things signed by it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.core import role
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.role import Role

PLACE: Final = "admin/alpha"
PLAIN: Final = {
    "allowed_domains": ["alpha.example"],
    "allow_localhost": False,
    "require_cn": False,
    "use_csr_sans": False,
    "use_csr_common_name": False,
    "key_type": "any",
    "max_ttl": "48h",
}


class Operator:
    """Writes a role and has things signed by it, as root."""

    def __init__(self, server: OpenBao, http: requests.Session) -> None:
        self._server = server
        self._http = http

    def role(self, **change: Any) -> Role:  # noqa: ANN401 - the fields of a role
        """Write the role, and return it as Vault tells it."""
        self._ask("POST", "pki/roles/preview", {**PLAIN, **change}).raise_for_status()
        return role.read("preview", self._ask("GET", "pki/roles/preview").json()["data"])

    def signs(self, csr: bytes, **parameters: Any) -> x509.Certificate | None:  # noqa: ANN401 - as Vault takes them
        """Return the certificate, if OpenBao has nothing against it."""
        pem = x509.load_der_x509_csr(csr).public_bytes(Encoding.PEM).decode()
        answer = self._ask("POST", "pki/sign/preview", {"csr": pem, **parameters})
        assert answer.status_code in {200, 400}, answer.text
        if answer.status_code == 400:
            return None
        return x509.load_pem_x509_certificate(answer.json()["data"]["certificate"].encode())

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        headers = {"X-Vault-Token": self._server.root_token, "X-Vault-Namespace": PLACE}
        url = f"{self._server.address}/v1/{path}"
        return self._http.request(method, url, headers=headers, json=body, timeout=10)


@contextmanager
def operating(server: OpenBao) -> Iterator[Operator]:
    """Be the operator of a server until the context ends."""
    with requests.Session() as http:
        yield Operator(server, http)


def dns(name: str) -> Identifier:
    """Return the identifier of a name."""
    return Identifier(IdentifierType.DNS, name)


def names_in(certificate: x509.Certificate | None) -> list[str]:
    """Return the DNS names of a certificate, if there is one."""
    if certificate is None:
        return []
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName)
