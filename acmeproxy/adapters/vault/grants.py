"""What the proxy may do in a tenant's namespace: one role, one policy, one AppRole (INV-14)."""

import json
from collections.abc import Sequence
from typing import Any, Final

from acmeproxy.adapters.vault.authorities import MOUNT, Namespace, ensure_mount
from acmeproxy.adapters.vault.connection import Confidential

ROLE: Final = "acme"
_PROXY: Final = "acmeproxy"
_SIGN_PARAMETERS: Final = (
    "csr",
    "common_name",
    "alt_names",
    "ip_sans",
    "exclude_cn_from_sans",
    "ttl",
    "not_after",
    "format",
    "remove_roots_from_chain",
    "cert_metadata",
)


def write_role(tenant: Namespace, suffixes: Sequence[str]) -> None:
    """Write the tenant's role: server certificates for its suffixes, names from the order, kept in the store.

    Everything that has an unsafe default is said (threat-model §1.5).
    """
    tenant.write(
        f"{MOUNT}/roles/{ROLE}",
        {
            "issuer_ref": "default",
            "allowed_domains": list(suffixes),
            "allow_bare_domains": True,
            "allow_subdomains": True,
            "allow_wildcard_certificates": True,
            "allow_glob_domains": False,
            "allow_any_name": False,
            "allow_localhost": False,
            "allow_ip_sans": False,
            "enforce_hostnames": True,
            "use_csr_sans": False,
            "use_csr_common_name": False,
            "require_cn": False,
            "key_type": "any",
            "key_usage": ["DigitalSignature"],
            "server_flag": True,
            "client_flag": False,
            "code_signing_flag": False,
            "email_protection_flag": False,
            "ttl": "720h",
            "max_ttl": "720h",
            "not_after_bound": "ttl-limited",
            "not_before_duration": "60s",
            "no_store": False,
            "generate_lease": False,
        },
    )


def write_policy(tenant: Namespace) -> None:
    """Write the policy: sign with the one role, revoke, and look for what was signed."""
    paths: dict[str, dict[str, Any]] = {
        f"{MOUNT}/sign/{ROLE}": {
            "capabilities": ["update"],
            "allowed_parameters": {**{name: [] for name in _SIGN_PARAMETERS}, "format": ["pem"]},
        },
        f"{MOUNT}/revoke": {"capabilities": ["update"]},
        f"{MOUNT}/roles/{ROLE}": {"capabilities": ["read"]},
        f"{MOUNT}/issuer/default": {"capabilities": ["read"]},
        f"{MOUNT}/issuers": {"capabilities": ["list"]},
        f"{MOUNT}/certs": {"capabilities": ["list"]},
        f"{MOUNT}/certs/detailed": {"capabilities": ["list"]},
        f"{MOUNT}/cert/*": {"capabilities": ["read"]},
    }
    tenant.write(f"sys/policies/acl/{_PROXY}", {"policy": json.dumps({"path": paths})})


def approle(tenant: Namespace, known_secret_id: str) -> tuple[str, str]:
    """Return role id and secret id of the proxy's AppRole; a secret id that still works is kept.

    Its tokens are periodic: they live as long as they are renewed once an hour.
    """
    ensure_mount(tenant, "approle", "sys/auth")
    path = f"auth/approle/role/{_PROXY}"
    tenant.write(path, {"token_policies": [_PROXY], "token_period": "1h", "token_type": "service"})
    role_id = str((tenant.read(f"{path}/role-id") or {})["role_id"])
    if known_secret_id and tenant.write(f"{path}/secret-id/lookup", Confidential(secret_id=known_secret_id)):
        return role_id, known_secret_id
    return role_id, str(tenant.write(f"{path}/secret-id", {})["secret_id"])
