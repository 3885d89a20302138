"""Policies: what the proxy may do for a tenant, and what may be read to check it (INV-14)."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from acmeproxy.adapters.vault.producer.roles import uses
from acmeproxy.core.tenant import Tenant

#: What a request to sign may say: nothing that widens what the role allows.
SIGN_PARAMETERS: Final = (
    "csr",
    "common_name",
    "alt_names",
    "ip_sans",
    "exclude_cn_from_sans",
    "ttl",
    "not_after",
    "format",
    "remove_roots_from_chain",
    # Asked of Vault Enterprise from 1.17 on; others have no such parameter.
    "cert_metadata",
)

#: A path of a policy, in whose hand ever.
_ANY_PATH: Final = re.compile(r'^\s*path\s+"([^"\n]+)"', re.MULTILINE)
_BLOCK: Final = re.compile(r'^path "([^"\n]+)" \{\n(.*?)^\}$', re.MULTILINE | re.DOTALL)
_CAPABILITIES: Final = re.compile(r'^  capabilities = (\[(?:"[a-z]+"(?:, )?)*\])$', re.MULTILINE)
_PARAMETER: Final = re.compile(r'^    "(\w+)" = (\[(?:"\w*"(?:, )?)*\])$', re.MULTILINE)

_Paths = Mapping[str, Mapping[str, Any]]


def metadata(tenant: Tenant) -> Mapping[str, str]:
    """Return the metadata of a tenant's entity: its name, and its roles, which templated policies name."""
    roles = _role_keys(tenant)
    return {"tenant": tenant.name, **{key: role for role, key in roles.items()}}


def tenant_policy(tenant: Tenant, *, templated: bool, below: str = "") -> _Paths:
    """Return what the proxy needs for a tenant: sign by its roles, revoke, and look for what was signed.

    Args:
        tenant: The tenant.
        templated: Name the roles by the metadata of the token's entity, so that the policy is the same for
            every tenant.
        below: The tenant's namespace as seen from that of the policy, if that is another.
    """
    mount = "/".join(filter(None, (below, tenant.vault.mount)))
    keys = _role_keys(tenant)
    parameters = {name: list[str]() for name in SIGN_PARAMETERS} | {"format": ["pem"]}
    paths: dict[str, Mapping[str, Any]] = {}
    for use in uses(tenant):
        role = f"{{{{identity.entity.metadata.{keys[use.role]}}}}}" if templated else use.role
        issuer = f"issuer/{use.issuer}/" if use.issuer else ""
        paths[f"{mount}/{issuer}sign/{role}"] = {
            "capabilities": ["update"],
            "allowed_parameters": parameters,
        }
        paths[f"{mount}/roles/{role}"] = {"capabilities": ["read"]}
        paths[f"{mount}/issuer/{use.issuer or 'default'}"] = {"capabilities": ["read"]}
    return {
        **paths,
        f"{mount}/revoke": {"capabilities": ["update"]},
        f"{mount}/issuers": {"capabilities": ["list"]},
        f"{mount}/certs": {"capabilities": ["list"]},
        f"{mount}/certs/detailed": {"capabilities": ["list"]},
        f"{mount}/cert/*": {"capabilities": ["read"]},
    }


def reader_policy(mounts: Sequence[tuple[str, str]]) -> _Paths:
    """Return what checking the producer side needs: reading, and nothing else.

    Args:
        mounts: Each PKI mount with the namespace in which it is, relative to that of the policy.
    """
    paths: dict[str, Mapping[str, Any]] = {}
    for namespace, mount in mounts:
        above = f"{namespace}/" if namespace else ""
        # To list is to ask at `roles/`, which is below itself.
        paths[f"{above}{mount}/roles/*"] = {"capabilities": ["read", "list"]}
        for path in ("issuers", "certs", "certs/detailed"):
            paths[f"{above}{mount}/{path}"] = {"capabilities": ["list"]}
        for path in ("issuer/*", "config/*", "tidy-status", "cert/*"):
            paths[f"{above}{mount}/{path}"] = {"capabilities": ["read"]}
        paths[f"{above}sys/mounts/{mount}/tune"] = {"capabilities": ["read"]}
    return paths


def text(paths: _Paths) -> str:
    """Write a policy in HCL, as people write them and add to them."""
    return "\n".join(_block(path, rule) for path, rule in paths.items())


def parsed(written: object) -> _Paths:
    """Read the paths of a policy that were written by `text`; of what others wrote, nothing is known."""
    if not isinstance(written, str):
        return {}
    return {path: _rule(body) for path, body in _BLOCK.findall(written)}


def elsewhere(written: object, mounts: Sequence[str]) -> str:
    """Return a path of a policy that has paths, and none of them below any of some mounts; else nothing."""
    paths = _ANY_PATH.findall(written) if isinstance(written, str) else []
    if any(path.startswith(f"{mount}/") for path in paths for mount in mounts):
        return ""
    return str(paths[0]) if paths else ""


def _block(path: str, rule: Mapping[str, Any]) -> str:
    parameters = rule.get("allowed_parameters") or {}
    lines = [f"path {json.dumps(path)} {{", f"  capabilities = {json.dumps(rule['capabilities'])}"]
    if parameters:
        listed = [f"    {json.dumps(name)} = {json.dumps(values)}" for name, values in parameters.items()]
        lines += ["  allowed_parameters = {", *listed, "  }"]
    return "\n".join((*lines, "}", ""))


def _rule(body: str) -> Mapping[str, Any]:
    found = _CAPABILITIES.search(body)
    parameters = {name: json.loads(values) for name, values in _PARAMETER.findall(body)}
    rule = {"capabilities": json.loads(found[1]) if found else []}
    return {**rule, "allowed_parameters": parameters} if parameters else rule


def _role_keys(tenant: Tenant) -> Mapping[str, str]:
    """Return the metadata key of each role: `role`, `role_2` and so on."""
    roles = dict.fromkeys((tenant.vault.role, *(use.role for use in uses(tenant))))
    return {role: "role" if number == 1 else f"role_{number}" for number, role in enumerate(roles, 1)}
