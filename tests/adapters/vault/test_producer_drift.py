"""Each field that is planned, changed by somebody: the plan names it, and apply mends it alone."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.producer.documents import Document
from acmeproxy.adapters.vault.producer.producer import Producer
from acmeproxy.adapters.vault.producer.step import Change, Part
from tests.support.policies import Caller, ruler
from tests.support.producing import applied, planned, producing, settings_file

Fields = Mapping[str, Any]

#: What the operator sets beside our fields, by object: it has to survive every mending.
BESIDE: Final[Mapping[str, Fields]] = {
    "pki/roles/web": {
        "organization": ["Corp"],
        "allowed_uri_sans": ["spiffe://x"],
        "ou": ["x"],
    },
    "pki/issuer/default": {"revocation_signature_algorithm": "ECDSAWithSHA512", "ocsp_servers": ["http://o"]},
    "pki/config/cluster": {},
    "pki/config/urls": {"delta_crl_distribution_points": ["https://d.example/delta"]},
    "pki/config/crl": {"expiry": "96h", "ocsp_expiry": "6h", "allow_expired_cert_revocation": True},
    "pki/config/auto-tidy": {"interval_duration": 3600, "tidy_acme": True, "pause_duration": "5s"},
    "sys/mounts/pki/tune": {"description": "of the operator", "default_lease_ttl": 7200},
    "auth/approle/role/acmeproxy": {"token_bound_cidrs": ["127.0.0.0/8"], "secret_id_num_uses": 40},
    "identity/entity/name/acmeproxy": {"metadata": {"team": "x"}, "policies": ["default"]},
}
#: One field of an object drifts, or several that the server couples: all of them are named then.
DRIFTS: Final[Mapping[str, tuple[Fields, ...]]] = {
    "pki/roles/web": (
        {"issuer_ref": "issuing-1"},
        {"allowed_domains": ["shop.example", "other.example"]},
        {"allow_bare_domains": False},
        {"allow_subdomains": False},
        {"allow_wildcard_certificates": True},
        {"allow_glob_domains": True},
        {"allow_any_name": True},
        {"allow_localhost": True},
        {"allow_ip_sans": True},
        {"allowed_ip_sans_cidr": ["10.0.0.0/8"]},
        {"enforce_hostnames": False},
        {"use_csr_sans": True},
        {"use_csr_common_name": True},
        {"require_cn": True},
        {"key_type": "ec", "key_bits": 256},
        {"key_usage": ["DigitalSignature", "CertSign"]},
        {"ext_key_usage": ["CodeSigning"]},
        {"server_flag": False},
        {"client_flag": True},
        {"code_signing_flag": True},
        {"email_protection_flag": True},
        {"ttl": 60},
        {"max_ttl": 8640000},
        {"not_after_bound": "permit"},
        {"not_before_duration": 3600},
        {"no_store": True},
        {"generate_lease": True},
    ),
    "pki/issuer/default": (
        {"issuer_name": "somebody-s"},
        {"leaf_not_after_behavior": "permit"},
        {"usage": "read-only,crl-signing"},
    ),
    "pki/config/cluster": ({"path": "https://other.example/v1"}, {"aia_path": "https://other.example"}),
    "pki/config/urls": (
        {"issuing_certificates": ["https://other.example"]},
        {"crl_distribution_points": []},
        {"ocsp_servers": ["https://other.example", "https://two.example"]},
        # Without templates, the server takes none of ours.
        {
            "enable_templating": False,
            "issuing_certificates": [],
            "crl_distribution_points": [],
            "ocsp_servers": [],
        },
    ),
    "pki/config/crl": (
        {"auto_rebuild": False, "enable_delta": False},
        {"enable_delta": False},
        {"disable": True},
        {"ocsp_disable": True},
    ),
    "pki/config/auto-tidy": ({"enabled": False}, {"tidy_cert_store": False}, {"tidy_revoked_certs": False}),
    "sys/mounts/pki/tune": ({"max_lease_ttl": 3600 * 8},),
    "auth/approle/role/acmeproxy": (
        {"token_policies": ["acmeproxy", "root-like"]},
        {"token_period": 86400},
        {"token_type": "default"},
        {"token_num_uses": 3},
        {"bind_secret_id": False},
    ),
    "identity/entity/name/acmeproxy": (
        {"metadata": {"team": "x", "tenant": "lab", "role": "web", "role_2": "byoc"}},
        {"metadata": {"team": "x", "tenant": "shop", "role": "byoc", "role_2": "byoc"}},
        {"metadata": {"team": "x", "tenant": "shop", "role": "web"}},
    ),
}
#: The entity's fields are those of its metadata.
METADATA: Final = ("tenant", "role", "role_2")
PATCHED: Final = ("pki/roles/", "pki/issuer/")


class Site:
    """What one producer has built, and the operator who has changed it."""

    def __init__(self, above: Caller, made: Producer) -> None:
        self.above = above
        found = [(part.look(), part) for part in made.parts()]
        self._parts = {(step.what, step.where): part for step, part in found}

    def read(self, path: str) -> dict[str, Any]:
        return self.above.does("GET", path)

    def is_parent(self, issuer: str) -> bool:
        return not self.read(f"pki/issuer/{issuer}")["key_id"]

    def write(self, path: str, fields: Fields) -> None:
        self.above.does("PATCH" if path.startswith(PATCHED) else "POST", path, dict(fields))

    def part(self, path: str) -> Part:
        """Return the part that an object is: a mount is its tuning, an authority its default issuer."""
        named = {"pki/issuer/default": ("issuing CA", "pki"), "sys/mounts/pki/tune": ("mount", "pki")}
        what, where = named.get(path, ("", path))
        at = f"{self.above.namespace}/{where}"
        return next(part for (kind, place), part in self._parts.items() if place == at and what in {"", kind})


@pytest.fixture(scope="module")
def site(openbao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Build everything once, and set what the operator sets beside it."""
    directory, admin = tmp_path_factory.mktemp("drift"), f"n{uuid.uuid4().hex}"
    file = settings_file(directory, openbao.address, vault=f'namespace = "{admin}"')
    applied(file, openbao.root_token)
    above = ruler(openbao, f"{admin}/shop")
    with producing(file, openbao.root_token) as made:
        built = Site(above, made)
        for path, fields in BESIDE.items():
            if fields:
                known = built.read(path).get("metadata") or {}
                built.write(path, {**fields, **({"metadata": {**known, "team": "x"}} if known else {})})
        # What the operator has set is none of our business.
        assert planned(file, openbao.root_token) == []
        yield built


@pytest.mark.parametrize("path", DRIFTS)
def test_each_field_that_drifted_is_named_and_mended_alone(path: str, site: Site) -> None:
    before, part = site.read(path), site.part(path)
    assert part.look().change is Change.NOTHING
    for drift in DRIFTS[path]:
        site.write(path, drift)
        step = part.look()
        was = before.get("metadata") or {}
        wrong = {key for key in METADATA if drift["metadata"].get(key) != was[key]} if was else set(drift)
        assert (step.change, {field.field for field in step.fields}) == (Change.CHANGE, wrong), drift
        part.carry()
        assert without_times(site.read(path)) == without_times(before), drift
        assert part.look().change is Change.NOTHING


def test_every_field_that_is_planned_drifts_here(site: Site) -> None:
    """What is added to a plan is added to the table."""
    lacking = {}
    for path, drifts in DRIFTS.items():
        part = site.part(path)
        if isinstance(part, Document):
            lacking[path] = set(part._fields()) - {name for drift in drifts for name in drift}
    assert [path for path, fields in lacking.items() if fields] == []
    assert len(lacking) == 6


def test_another_default_issuer_is_named_and_the_rest_left(site: Site) -> None:
    [ours, *parents] = sorted(site.above.does("LIST", "pki/issuers")["keys"], key=site.is_parent)
    site.above.does("POST", "pki/config/issuers", {"default": parents[0]})
    part = site.part("pki/issuer/default")
    assert {(field.field, field.was, field.becomes) for field in part.look().fields} == {
        ("default", "another", "this one")
    }
    part.carry()
    assert site.read("pki/config/issuers")["default"] == ours


def test_an_alias_that_was_removed_is_made_again(site: Site) -> None:
    path = "identity/entity/name/acmeproxy"
    before, part = site.read(path), site.part(path)
    site.above.does("DELETE", f"identity/entity-alias/id/{before['aliases'][0]['id']}")
    assert [field.field for field in part.look().fields] == ["alias"]
    part.carry()
    after = site.read(path)
    assert (after["metadata"], after["policies"]) == (before["metadata"], before["policies"])
    assert part.look().change is Change.NOTHING


def without_times(read: dict[str, Any]) -> dict[str, Any]:
    """Return what was read but for when it was written."""
    return {name: value for name, value in read.items() if name != "last_update_time"}
