"""The Terraform of `deploy/vault/terraform` says the same as what `acmeproxy` itself writes.

That Terraform takes it, and what it builds, is shown by `tests/deploy/terraform.py`, which is run by hand.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.provisioning import Hierarchy
from tests.support.policies import ruler

MODULE: Final = Path(__file__).parents[2] / "deploy" / "vault" / "terraform"
#: What the module lets a tenant choose, as it is when nothing is chosen.
CHOSEN: Final[dict[str, Any]] = {
    "each.value.issuer_ref": "default",
    "each.value.domains": ["alpha.example"],
    "each.value.wildcards": True,
    "length(each.value.addresses) > 0": False,
    "each.value.addresses": [],
    "each.value.key_type": "any",
    "each.value.key_bits": 0,
    "each.value.max_hours * 3600": 2592000,
    "!each.value.store": False,
}


def source(name: str) -> str:
    return (MODULE / name).read_text("utf-8")


def test_a_role_is_the_one_that_provisioning_writes(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """VLT-08: all that has an unsafe default is said, and safe."""
    written = ruler(openbao, hierarchy.tenants["alpha"].place.namespace).does("GET", "pki/roles/acme")
    lines = re.findall(r"^    (\w+) += (.+)$", source("roles.tf"), re.MULTILINE)
    said = {name: CHOSEN.get(value) if value in CHOSEN else json.loads(value) for name, value in lines}

    assert {name: written[name] for name in said} == said
    assert len(said) == 28


def test_nothing_that_provisioning_says_of_a_role_is_left_out() -> None:
    unsafe = {
        *("allow_any_name", "allow_glob_domains", "allow_localhost", "allow_ip_sans", "enforce_hostnames"),
        *("use_csr_sans", "use_csr_common_name", "client_flag", "no_store", "not_after_bound", "max_ttl"),
    }
    assert unsafe <= set(re.findall(r"^    (\w+) +=", source("roles.tf"), re.MULTILINE))


def test_the_policies_are_the_files_themselves() -> None:
    logins = source("logins.tf")
    assert re.findall(r'file\("\$\{path\.module\}/\.\./policies/(.+)\.hcl"\)', logins) == [
        '${var.policy == "templated" ? "tenant-templated" : "tenant"}',
        "reader",
    ]
    # A capability in here would be a second text.
    assert "capabilities" not in logins


def test_the_provider_is_pinned_and_no_secret_becomes_state() -> None:
    everything = "".join(path.read_text("utf-8") for path in MODULE.rglob("*.tf"))
    assert 'version = "~> 5.11.0"' in source("versions.tf")
    assert 'secret_id"' not in everything
    assert 'type                 = "internal"' in source("signing.tf")
    assert "exported" not in everything
