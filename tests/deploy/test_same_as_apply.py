"""Terraform, the policies as files and `acmeproxy vault apply` say the same, field by field."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.producer import policies
from acmeproxy.adapters.vault.producer.documents import Document
from acmeproxy.adapters.vault.producer.producer import Producer
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.settings.authority import AuthoritySettings, IssuingSettings
from tests.support.policies import text
from tests.support.producing import producing, settings_file

MODULE: Final = Path(__file__).parents[2] / "deploy" / "vault" / "terraform"
TENANT: Final = """
[tenants.team-a]
names.allow = ["team-a.example", "*.team-a.example"]
[tenants.team-a.vault]
namespace = "team-a"
role = "acme"
login = { role_id_file = "role-id", secret_id_file = "secret-id" }
"""
#: What a server does anyway, so that Terraform does not say it.
DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "crl_config": {"disable": False, "ocsp_disable": False},
    "approle": {"token_num_uses": 0, "bind_secret_id": True},
}


def resource(file: str, kind: str, name: str) -> dict[str, str]:
    """Return the arguments of a resource, or of another block, as they are written."""
    source = (MODULE / file).read_text("utf-8")
    found = re.search(rf'^(?:resource )?"?{kind}"? "{name}" \{{\n(.*?)^\}}', source, re.MULTILINE | re.DOTALL)
    assert found, (kind, name)
    return dict(re.findall(r"^  (\w+) += (.+)$", found[1], re.MULTILINE))


def values(arguments: Mapping[str, str], *left_out: str) -> dict[str, Any]:
    """Return the arguments that are plain values."""
    return {name: json.loads(value) for name, value in arguments.items() if name not in left_out}


@pytest.fixture(scope="module")
def made(openbao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    """Return the fields of the objects that apply would write, by their places."""
    file = settings_file(tmp_path_factory.mktemp("same"), openbao.address, TENANT, 'namespace = "admin-tf"')
    with producing(file, openbao.root_token) as producer:
        return written(producer)


def written(producer: Producer) -> Mapping[str, Mapping[str, Any]]:
    documents = [part for part in producer.parts() if isinstance(part, Document)]
    return {part.look().where.removeprefix("admin-tf/"): dict(part._fields()) for part in documents}


@pytest.mark.parametrize(("name", "mount"), [("signing", "pki"), ("tenant", "team-a/pki")])
def test_the_configuration_of_mounts(name: str, mount: str, made: Mapping[str, Mapping[str, Any]]) -> None:
    file = "signing.tf" if name == "signing" else "issuing.tf"
    of_every_mount = ("namespace", "backend", "for_each")
    # How long a CRL lasts is the server's default, which the provider has to be told.
    durations = ("expiry", "auto_rebuild_grace_period", "delta_rebuild_interval")
    crl = resource(file, "vault_pki_secret_backend_crl_config", name)
    said = values(crl, *of_every_mount, *durations)
    assert {**DEFAULTS["crl_config"], **said} == made[f"{mount}/config/crl"]
    tidy = resource(file, "vault_pki_secret_backend_config_auto_tidy", name)
    assert values(tidy, *of_every_mount) == made[f"{mount}/config/auto-tidy"]
    urls = resource(file, "vault_pki_secret_backend_config_urls", name)
    lists = dict(re.findall(r"^    (\w+) += (\[.*\])$", (MODULE / "signing.tf").read_text(), re.MULTILINE))
    assert {name: value for name, value in urls.items() if name in lists} == {
        name: f"local.urls.{name}" for name in lists
    }
    enabled = json.loads(urls["enable_templating"])
    assert {**values(lists), "enable_templating": enabled} == made[f"{mount}/config/urls"]
    cluster = resource(file, "vault_pki_secret_backend_config_cluster", name)
    assert set(cluster) - set(of_every_mount) == set(made[f"{mount}/config/cluster"])


@pytest.mark.parametrize(
    ("file", "name", "behaviour"), [("signing.tf", "signing", "err"), ("issuing.tf", "issuing", "truncate")]
)
def test_the_keys_and_issuers(file: str, name: str, behaviour: str) -> None:
    request = resource(file, "vault_pki_secret_backend_intermediate_cert_request", name)
    asked = ("type", "exclude_cn_from_sans", "key_type", "key_bits")
    assert [json.loads(request[one]) for one in asked] == ["internal", True, "ec", 384]
    issuer = resource(file, "vault_pki_secret_backend_issuer", name)
    assert json.loads(issuer["leaf_not_after_behavior"]) == behaviour


def test_an_issuing_ca_is_bound() -> None:
    signed = resource("issuing.tf", "vault_pki_secret_backend_root_sign_intermediate", "issuing")
    assert signed["max_path_length"] == "0"
    assert signed["permitted_dns_domains"] == "var.tenants[each.value.tenant].domains"


def test_the_defaults_are_those_of_the_settings() -> None:
    source = (MODULE / "variables.tf").read_text("utf-8")
    hours = [timedelta(hours=int(found)) for found in re.findall(r"lifetime_hours = .*number, (\d+)", source)]
    assert hours == [AuthoritySettings().lifetime, IssuingSettings().lifetime]
    assert f'"{AuthoritySettings().common_name}"' in source
    assert json.loads(resource("logins.tf", "vault_policy", "reader")["name"]) == "acmeproxy-reader"


def test_the_login_of_a_tenant(made: Mapping[str, Mapping[str, Any]]) -> None:
    role = resource("logins.tf", "vault_approle_auth_backend_role", "tenant")
    ours = made["team-a/auth/approle/role/acmeproxy"]
    assert (role["role_name"], ours["token_policies"]) == ('"acmeproxy"', ["acmeproxy"])
    said = {name: json.loads(role[name]) for name in ("token_period", "token_type")}
    assert {"token_policies": ["acmeproxy"], **said, **DEFAULTS["approle"]} == ours
    entity = resource("logins.tf", "vault_identity_entity", "tenant")
    assert entity["metadata"].startswith("merge({ tenant = each.key }, { for role, key in")


def parsed(name: str) -> dict[str, dict[str, Any]]:
    """Return what a policy of the files says of each path."""
    found = {}
    lines = re.sub(r"^\s*#.*\n", "", text(name), flags=re.MULTILINE)
    for path, body in re.findall(r'^path "([^"]+)" \{\n(.*?)^\}', lines, re.MULTILINE | re.DOTALL):
        [capabilities] = re.findall(r"^  capabilities += (\[.*\])$", body, re.MULTILINE)
        parameters = re.findall(r'^    "(\w+)" += (\[.*\])$', body, re.MULTILINE)
        rule = {"capabilities": json.loads(capabilities)}
        found[path] = rule
        if parameters:
            rule["allowed_parameters"] = {one: json.loads(value) for one, value in parameters}
    return found


@pytest.mark.parametrize(("file", "templated"), [("tenant", False), ("tenant-templated", True)])
def test_the_policies_of_tenants_are_those_of_the_files(file: str, templated: bool) -> None:  # noqa: FBT001 - a row
    place = VaultPlace("pki", "acme", "admin/team-a")
    tenant = Tenant(TenantName("team-a"), place, Names(("*.team-a.example",)))
    assert parsed(file) == policies.tenant_policy(tenant, templated=templated)


def test_the_policy_of_the_reader_is_that_of_the_file() -> None:
    """With a plus for all tenants, where apply names each."""
    assert parsed("reader") == policies.reader_policy([("", "pki"), ("+", "pki")])
