"""The policies for those who build and those who look: `operator.hcl` and `reader.hcl`, on a real server.

What the operator may do is shown by building everything with it, from an empty namespace to a certificate.
"""

import itertools
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.external_root import external_root, sign_authority
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.policies import Caller, holder, ruler, text

TOP: Final = "built"
TENANT: Final = f"{TOP}/team-a"
ROLE: Final = {
    "allowed_domains": "team-a.example",
    "allow_subdomains": True,
    "require_cn": False,
    "key_type": "ec",
}
AIA: Final = {"path": "https://vault.example/v1/pki", "aia_path": "https://acme.example/pki/x"}
URLS: Final = {"enable_templating": True, "ocsp_servers": "{{cluster_aia_path}}/ocsp"}
TTLS: Final = {"default_lease_ttl": "26280h", "max_lease_ttl": "52560h"}


@pytest.fixture(scope="module")
def operator(openbao: OpenBao) -> Caller:
    """Return the operator of a namespace in which there is nothing but the policy."""
    ruler(openbao).does("POST", f"sys/namespaces/{TOP}")
    return holder(ruler(openbao, TOP), "acmeproxy-operator", text("operator"))


@pytest.fixture(scope="module")
def built(operator: Caller, tmp_path_factory: pytest.TempPathFactory) -> Caller:
    """Return the operator after he has built a signing CA and one tenant; every step must be allowed."""
    does, root = operator.does, external_root(tmp_path_factory.mktemp("root"))
    mounted(operator, TOP)
    request = does("POST", "pki/intermediate/generate/internal", KEY)
    signed = sign_authority(root, request["csr"])
    imported = does("POST", "pki/intermediate/set-signed", {"certificate": f"{signed}\n{root.pem}"})
    named(operator, TOP, imported, "signing-1")
    does("POST", "sys/policies/acl/acmeproxy-reader", {"policy": text("reader")})

    does("POST", "sys/namespaces/team-a")
    mounted(operator, TENANT)
    request = does("POST", "pki/intermediate/generate/internal", KEY, TENANT)
    wanted = {**ISSUING, "csr": request["csr"], "common_name": "team-a"}
    issuing = does("POST", "pki/root/sign-intermediate", wanted)
    chain = "\n".join(issuing["ca_chain"])
    imported = does("POST", "pki/intermediate/set-signed", {"certificate": chain}, TENANT)
    named(operator, TENANT, imported, "issuing-1")
    tries(operator)
    logs_in(operator)
    return operator


def tries(operator: Caller) -> None:
    """Have the new issuing CA sign by the role, and revoke what it signed, as `rotate` does."""
    operator.does("POST", "pki/roles/acme", ROLE, TENANT)
    operator.does("PATCH", "pki/roles/acme", {"max_ttl": "720h"}, TENANT)
    assert operator.does("LIST", "pki/roles", None, TENANT) == {"keys": ["acme"]}
    signed = operator.does("POST", "pki/issuer/issuing-1/sign/acme", request_for_a_leaf(), TENANT)
    operator.does("POST", "pki/revoke", {"certificate": signed["certificate"]}, TENANT)


def request_for_a_leaf() -> dict[str, Any]:
    csr = x509.load_der_x509_csr(certificate_request(["www.team-a.example"], certificate_key()))
    return {"csr": csr.public_bytes(Encoding.PEM).decode(), "alt_names": "www.team-a.example"}


KEY: Final = {"common_name": "a CA", "key_type": "ec", "key_bits": 384}
ISSUING: Final = {"ttl": "26280h", "max_path_length": 0, "permitted_dns_domains": "team-a.example"}


def mounted(operator: Caller, namespace: str) -> None:
    """Mount and configure; what is there is read before, as a plan does."""

    def does(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return operator.does(method, path, body, namespace)

    assert "pki/" not in does("GET", "sys/mounts")
    does("POST", "sys/mounts/pki", {"type": "pki", "config": TTLS})
    does("POST", "sys/mounts/pki/tune", TTLS)
    does("GET", "sys/mounts/pki/tune")
    does("POST", "pki/config/cluster", AIA)
    does("POST", "pki/config/urls", URLS)
    does("POST", "pki/config/crl", {"auto_rebuild": True, "enable_delta": True})
    does("POST", "pki/config/auto-tidy", {"enabled": True, "tidy_cert_store": True})
    for name in ("cluster", "urls", "crl", "auto-tidy", "issuers"):
        does("GET", f"pki/config/{name}")
    does("GET", "pki/tidy-status")


def named(operator: Caller, namespace: str, imported: dict[str, Any], name: str) -> None:
    """Name the issuer that has our key and make it the default."""
    [ours] = [issuer for issuer, key in imported["mapping"].items() if key]
    operator.does("PATCH", f"pki/issuer/{ours}", {"issuer_name": name}, namespace)
    operator.does("POST", "pki/config/issuers", {"default": ours}, namespace)
    operator.does("LIST", "pki/issuers", None, namespace)
    operator.does("LIST", "pki/keys", None, namespace)
    assert operator.does("GET", "pki/issuer/default", None, namespace)["issuer_name"] == name
    operator.does("GET", "pki/crl/rotate", None, namespace)


def logs_in(operator: Caller) -> None:
    """Make the tenant's policy, its login and the entity of it."""

    def does(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return operator.does(method, path, body, TENANT)

    does("POST", "sys/policies/acl/acmeproxy", {"policy": text("tenant-templated")})
    assert "approle/" not in does("GET", "sys/auth")
    does("POST", "sys/auth/approle", {"type": "approle"})
    does("POST", "auth/approle/role/acmeproxy", {"token_policies": ["acmeproxy"], "token_period": "1h"})
    role_id = does("GET", "auth/approle/role/acmeproxy/role-id")["role_id"]
    secret_id = does("POST", "auth/approle/role/acmeproxy/secret-id")["secret_id"]
    assert does("POST", "auth/approle/role/acmeproxy/secret-id/lookup", {"secret_id": secret_id})
    does("POST", "auth/approle/role/acmeproxy/custom-secret-id", {"secret_id": "a-secret-of-our-own"})
    accessor = does("GET", "sys/auth")["approle/"]["accessor"]
    alias = {"alias_name": role_id, "alias_mount_accessor": accessor}
    assert operator.ask("POST", "identity/lookup/entity", alias, TENANT).status_code == 204
    metadata = {"tenant": "team-a", "role": "acme"}
    does("POST", "identity/entity", {"name": "acmeproxy", "metadata": metadata})
    entity = does("GET", "identity/entity/name/acmeproxy")["id"]
    made = {"name": role_id, "canonical_id": entity, "mount_accessor": accessor}
    does("POST", "identity/entity-alias", made)
    login = operator.ask("POST", "auth/approle/login", {"role_id": role_id, "secret_id": secret_id}, TENANT)
    assert login.json()["auth"]["policies"] == ["acmeproxy", "default"]


@pytest.fixture(scope="module")
def signed(openbao: OpenBao, built: Caller) -> dict[str, Any]:
    """Return what the tenant's role signs, in what the operator has built."""
    assert built.namespace == TOP
    return ruler(openbao, TENANT).does("POST", "pki/sign/acme", request_for_a_leaf())


def test_the_operator_builds_what_the_proxy_signs_with(signed: dict[str, Any]) -> None:
    pems = [signed["certificate"], *signed["ca_chain"]]
    chain = [x509.load_pem_x509_certificate(pem.encode()) for pem in pems]
    assert len(chain) == 4
    for lower, upper in itertools.pairwise(chain):
        lower.verify_directly_issued_by(upper)


@pytest.mark.parametrize(
    ("namespace", "method", "path", "body"),
    [
        (TOP, "DELETE", "sys/namespaces/team-a", None),
        (TOP, "DELETE", "sys/mounts/pki", None),
        (TOP, "POST", "sys/mounts/kv", {"type": "kv"}),
        (TOP, "POST", "pki/root/sign-intermediate", {"csr": "x", "max_path_length": 0}),
        (TOP, "POST", "pki/root/sign-intermediate", {"csr": "x", "permitted_dns_domains": "x"}),
        (TOP, "POST", "pki/root/generate/internal", KEY),
        (TOP, "POST", "pki/root/sign-self-issued", {"certificate": "x"}),
        (TOP, "POST", "pki/intermediate/generate/exported", KEY),
        (TOP, "POST", "pki/config/ca", {"pem_bundle": "x"}),
        (TOP, "POST", "pki/roles/acme", ROLE),
        (TOP, "POST", "pki/sign-verbatim", {"csr": "x"}),
        (TOP, "DELETE", "pki/issuer/signing-1", None),
        (TOP, "POST", "pki/issuer/signing-1/revoke", {}),
        (TOP, "POST", "pki/issuer/signing-1/sign-intermediate", {"csr": "x"}),
        (TOP, "POST", "sys/policies/acl/acmeproxy-operator", {"policy": "x"}),
        (TOP, "POST", "sys/auth/userpass", {"type": "userpass"}),
        (TENANT, "POST", "pki/sign/acme", {"csr": "x"}),
        (TENANT, "POST", "pki/issue/acme", {"common_name": "www.team-a.example"}),
        (TENANT, "POST", "pki/issuer/issuing-1/sign-verbatim/acme", {"csr": "x"}),
        (TENANT, "POST", "pki/issuer/issuing-1/issue/acme", {"common_name": "www.team-a.example"}),
        (TENANT, "DELETE", "pki/roles/acme", None),
        (TENANT, "POST", "sys/policies/acl/other", {"policy": "x"}),
        (TENANT, "DELETE", "sys/auth/approle", None),
        (TENANT, "POST", "auth/approle/role/other", {"token_policies": ["acmeproxy"]}),
        (TENANT, "POST", "auth/token/create", {}),
        ("", "POST", f"sys/namespaces/{TOP}-2", {}),
    ],
)
def test_the_operator_may_not(
    built: Caller, namespace: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert built.ask(method, path, body, namespace).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("LIST", "pki/roles", None, 200),
        ("GET", "pki/roles/acme", None, 200),
        ("LIST", "pki/issuers", None, 200),
        ("GET", "pki/issuer/default", None, 200),
        ("GET", "pki/config/cluster", None, 200),
        ("GET", "pki/config/urls", None, 200),
        ("GET", "pki/config/crl", None, 200),
        ("GET", "pki/config/auto-tidy", None, 200),
        ("GET", "pki/config/issuers", None, 200),
        ("GET", "pki/tidy-status", None, 200),
        ("LIST", "pki/certs", None, 200),
        ("LIST", "pki/certs/detailed", None, 200),
        ("GET", "sys/mounts/pki/tune", None, 200),
        ("POST", "pki/config/crl", {"disable": True}, 403),
        ("POST", "pki/roles/acme", ROLE, 403),
        ("POST", "pki/issuer/default", {"issuer_name": "x"}, 403),
        ("POST", "pki/sign/acme", {"csr": "x"}, 403),
        ("POST", "pki/issue/acme", {"common_name": "x"}, 403),
        ("POST", "pki/revoke", {"serial_number": "11:22"}, 403),
        ("GET", "pki/crl/rotate", None, 403),
        ("POST", "pki/tidy", {}, 403),
        ("POST", "sys/mounts/pki/tune", TTLS, 403),
        ("GET", "sys/policies/acl/acmeproxy", None, 403),
        ("GET", "auth/approle/role/acmeproxy/role-id", None, 403),
    ],
)
@pytest.mark.usefixtures("signed")
def test_the_reader_reads_and_changes_nothing(
    openbao: OpenBao, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    reader = holder(ruler(openbao, TOP), "acmeproxy-reader", text("reader"))
    assert reader.ask(method, path, body, TENANT).status_code == status
