"""The authorities of a development PKI in OpenBao: namespaces, mounts, and certificates up to the root."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import hvac
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hvac.adapters import RawAdapter

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.external_root import ExternalRoot, sign_authority

ADMIN: Final = "admin"
MOUNT: Final = "pki"
_SIGNING_HOURS: Final = "52560h"
_ISSUING_HOURS: Final = "26280h"


class ProvisioningError(Exception):
    """The server did not do what setting up a PKI needs. The text is for people."""


class Namespace:
    """One namespace, written to with a token that may do everything there."""

    def __init__(self, address: str, token: str, path: str, session: requests.Session) -> None:
        self.path = path
        self._client = hvac.Client(
            url=address,
            token=token,
            namespace=path or None,
            session=session,
            verify=session.verify,
            timeout=(3, 30),
            allow_redirects=False,
            adapter=RawAdapter,
        )

    def read(self, path: str, method: str = "get") -> dict[str, Any] | None:
        """Return the data at a path, `None` if there is nothing."""
        response = self._send(method, path, None)
        if response.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.NO_CONTENT}:
            return None
        return _data(response, path)

    def write(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Write to a path; what the body lacks takes its default, for a POST replaces."""
        return _data(self._send("post", path, body), path)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
        try:
            response: requests.Response = self._client.adapter.request(
                method, f"/v1/{path}", raise_exception=False, json=body
            )
        except requests.RequestException as error:
            kind = type(error).__name__
        else:
            return response
        # Raised out here, for these errors carry the request and with it the token (INV-13).
        raise ProvisioningError(f"no answer from OpenBao: {kind}")


def ensure_namespace(parent: Namespace, name: str) -> None:
    """Make a namespace if it is not there: making it again would wipe its metadata."""
    if parent.read(f"sys/namespaces/{name}") is None:
        parent.write(f"sys/namespaces/{name}", {})


def ensure_mount(namespace: Namespace, kind: str, mounts: str, lifetime: str = "") -> None:
    """Enable a secrets engine (`mounts` is `sys/mounts`) or login method (`sys/auth`) under its own name."""
    if f"{kind}/" not in (namespace.read(mounts) or {}):
        config = {"max_lease_ttl": lifetime, "default_lease_ttl": lifetime} if lifetime else {}
        namespace.write(f"{mounts}/{kind}", {"type": kind, "config": config})


def signing_authority(admin: Namespace, root: ExternalRoot) -> Sequence[x509.Certificate]:
    """Return the chain of the signing authority, from itself to the root; make it if it is not there."""
    ensure_mount(admin, MOUNT, "sys/mounts", _SIGNING_HOURS)
    present = _default_chain(admin)
    if len(present) > 1 and present[-1] == root.certificate:
        return present
    signed = sign_authority(root, _request(admin, "acmeproxy development signing CA"))
    _install(admin, "signing", (signed, root.pem))
    return _default_chain(admin)


def issuing_authority(
    tenant: Namespace, admin: Namespace, above: Sequence[x509.Certificate], suffixes: Sequence[str]
) -> None:
    """See that a tenant's mount issues from an authority for exactly these suffixes, below `above`."""
    ensure_mount(tenant, MOUNT, "sys/mounts", _ISSUING_HOURS)
    present = _default_chain(tenant)
    if present and list(present[1:]) == list(above) and _permitted(present[0]) == set(suffixes):
        return
    name = f"acmeproxy development {tenant.path.rpartition('/')[2]} CA"
    signed = admin.write(
        f"{MOUNT}/root/sign-intermediate",
        {
            "csr": _request(tenant, name),
            "common_name": name,
            "ttl": _ISSUING_HOURS,
            "max_path_length": 0,
            "permitted_dns_domains": ",".join(suffixes),
        },
    )
    roots = [certificate.public_bytes(Encoding.PEM).decode() for certificate in above]
    _install(tenant, "", (signed["certificate"], *roots))


def _request(namespace: Namespace, name: str) -> str:
    """Have a P-384 key made inside, and return the request for it."""
    made = namespace.write(
        f"{MOUNT}/intermediate/generate/internal",
        {"common_name": name, "exclude_cn_from_sans": True, "key_type": "ec", "key_bits": 384},
    )
    return str(made["csr"])


def _install(namespace: Namespace, name: str, pems: Sequence[str]) -> None:
    """Import an authority with its whole chain, and make it the default."""
    imported = namespace.write(
        f"{MOUNT}/intermediate/set-signed", {"certificate": "\n".join(pem.strip() for pem in pems)}
    )
    ours = [issuer for issuer, key in (imported.get("mapping") or {}).items() if key]
    if not ours:
        raise ProvisioningError("OpenBao imported an authority without its key")
    namespace.write(f"{MOUNT}/config/issuers", {"default": ours[0]})
    if name:
        namespace.write(f"{MOUNT}/issuer/{ours[0]}", {"issuer_name": name})


def _default_chain(namespace: Namespace) -> Sequence[x509.Certificate]:
    if namespace.read(f"{MOUNT}/issuers", "list") is None:
        return ()
    default = namespace.read(f"{MOUNT}/issuer/default/json") or {}
    return chain.parse_all(default.get("ca_chain")) or ()


def _permitted(certificate: x509.Certificate) -> set[str]:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return set()
    return {name.value for name in constraints.permitted_subtrees or () if isinstance(name, x509.DNSName)}


def _data(response: requests.Response, path: str) -> dict[str, Any]:
    if response.status_code == HTTPStatus.NO_CONTENT:
        return {}
    if response.status_code != HTTPStatus.OK:
        raise ProvisioningError(f"OpenBao answered {response.status_code} at {path}: {response.text[:300]!a}")
    data = response.json().get("data")
    return data if isinstance(data, dict) else {}
