"""The producer side from an empty OpenBao: built once, and then as it shall be."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.x509.verification import VerificationError

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.vault.connection import AppRoleLogin, Secret, VaultConnection
from acmeproxy.adapters.vault.producer.namespace import ForbiddenError, ProducerError
from acmeproxy.adapters.vault.producer.step import Change
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.support.openbao import as_root, intent
from tests.support.producing import ONE, applied, planned, producing, root_of, settings_file, signed, verify


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[OpenBao]:
    """Run an empty one, which nobody but the test uses."""
    data = tmp_path / "data"
    data.mkdir()
    async with running_openbao(data) as running:
        yield running


@pytest_asyncio.fixture
async def raft(tmp_path: Path) -> AsyncIterator[OpenBao]:
    """Run an empty one on raft, as the servers of operators are: its start and its end take seconds."""
    data = tmp_path / "data"
    data.mkdir()
    async with running_openbao(data, persistent=True) as running:
        yield running


async def test_from_empty_everything_is_planned_built_once_and_then_right(
    raft: OpenBao, tmp_path: Path
) -> None:
    file = settings_file(tmp_path, raft.address)
    steps = planned(file, raft.root_token)
    assert [(step.change, step.what, step.where) for step in steps] == [
        (Change.ADD, "namespace", "admin"),
        (Change.ADD, "namespace", "admin/shop"),
        (Change.ADD, "mount", "admin/pki"),
        (Change.ADD, "URLs of the cluster", "admin/pki/config/cluster"),
        (Change.ADD, "URLs in certificates", "admin/pki/config/urls"),
        (Change.ADD, "signing CA", "admin/pki"),
        (Change.ADD, "CRL", "admin/pki/config/crl"),
        (Change.ADD, "tidying", "admin/pki/config/auto-tidy"),
        (Change.ADD, "mount", "admin/shop/pki"),
        (Change.ADD, "URLs of the cluster", "admin/shop/pki/config/cluster"),
        (Change.ADD, "URLs in certificates", "admin/shop/pki/config/urls"),
        (Change.ADD, "issuing CA", "admin/shop/pki"),
        (Change.ADD, "CRL", "admin/shop/pki/config/crl"),
        (Change.ADD, "tidying", "admin/shop/pki/config/auto-tidy"),
        (Change.ADD, "role", "admin/shop/pki/roles/web"),
        (Change.ADD, "role", "admin/shop/pki/roles/byoc"),
        (Change.ADD, "policy", "admin/shop/sys/policies/acl/acmeproxy"),
        (Change.ADD, "login method", "admin/shop/auth/approle"),
        (Change.ADD, "AppRole", "admin/shop/auth/approle/role/acmeproxy"),
        (Change.CHANGE, "role id", "admin/shop/auth/approle/role/acmeproxy/role-id"),
        (Change.ADD, "secret id", "admin/shop/auth/approle/role/acmeproxy/secret-id"),
        (Change.ADD, "entity", "admin/shop/identity/entity/name/acmeproxy"),
        (Change.ADD, "policy", "admin/sys/policies/acl/acmeproxy-reader"),
    ]
    assert not (tmp_path / "pki" / "signing.csr").exists()

    done = applied(file, raft.root_token)
    assert len(done.steps) == len(steps)
    assert done.waits == ()
    assert planned(file, raft.root_token) == []
    assert applied(file, raft.root_token).steps == ()

    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("shop.role-id", "shop.secret-id")}
    assert modes == {"shop.role-id": 0o600, "shop.secret-id": 0o600}
    assert (tmp_path / "pki" / "root-key.pem").stat().st_mode & 0o777 == 0o600
    login = AppRoleLogin(
        (tmp_path / "shop.role-id").read_text(), Secret((tmp_path / "shop.secret-id").read_text())
    )
    name = TenantName("shop")
    tenant = Tenant(name, VaultPlace("pki", "web", "admin/shop"), Names(("*.shop.example",)))
    async with VaultSigner({name: VaultConnection(raft.address, login, "admin/shop")}) as signer:
        issued = await signer.sign(tenant, intent(["www.shop.example"]))
        await signer.revoke(tenant, issued.leaf)
    leaf, *above = (x509.load_der_x509_certificate(der) for der in (issued.leaf, *issued.issuers))
    assert verify(leaf, above, root_of(tmp_path), "www.shop.example") == 4


async def test_the_constraints_of_an_issuing_ca_hold_where_openbao_does_not_look(
    server: OpenBao, tmp_path: Path
) -> None:
    """INV-2: a role that somebody widened signs other names, and nobody who verifies takes them."""
    file = settings_file(tmp_path, server.address)
    applied(file, server.root_token)
    wide = {"allow_any_name": True, "key_type": "any", "server_flag": True, "require_cn": False}
    await as_root(server, "POST", "pki/roles/wide", "admin/shop", wide)
    for name in ("www.shop.example", "www.other.example"):
        leaf, above = await signed(server, "admin/shop", "pki/sign/wide", name, exclude_cn_from_sans=True)
        if name == "www.shop.example":
            assert verify(leaf, above, root_of(tmp_path), name) == 4
        else:
            with pytest.raises(VerificationError):
                verify(leaf, above, root_of(tmp_path), name)


async def test_certificates_say_where_their_issuer_and_its_crl_are(server: OpenBao, tmp_path: Path) -> None:
    file = settings_file(tmp_path, server.address)
    applied(file, server.root_token)
    leaf, _ = await signed(server, "admin/shop", "pki/sign/web", "www.shop.example")
    listed = await as_root(server, "GET", "pki/config/issuers", "admin/shop")
    base = f"https://acme.example/pki/shop/issuer/{listed['data']['default']}"
    access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert {str(one.access_location.value) for one in access} == {
        f"{base}/ca",
        "https://acme.example/pki/shop/ocsp",
    }
    [point] = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [str(name.value) for name in point.full_name or ()] == [f"{base}/crl"]


async def test_what_drifted_is_mended_and_what_is_not_ours_is_left(server: OpenBao, tmp_path: Path) -> None:
    """vault.md §1: a POST would reset what it does not name."""
    file = settings_file(tmp_path, server.address)
    applied(file, server.root_token)
    path = "pki/roles/web"
    role = (await as_root(server, "GET", path, "admin/shop"))["data"]
    drifted = {**role, "max_ttl": "8760h", "allow_localhost": True, "organization": ["Corp"]}
    await as_root(server, "POST", path, "admin/shop", drifted)
    issuer = (await as_root(server, "GET", "pki/issuer/default", "admin/shop"))["data"]
    changed = {
        "issuer_name": issuer["issuer_name"],
        "leaf_not_after_behavior": "permit",
        "manual_chain": issuer["manual_chain"],
        "revocation_signature_algorithm": "ECDSAWithSHA512",
    }
    await as_root(server, "POST", "pki/issuer/default", "admin/shop", changed)
    await as_root(
        server, "POST", "pki/config/crl", "admin/shop", {"auto_rebuild": False, "enable_delta": False}
    )
    await as_root(server, "POST", "pki/config/crl", "admin/shop", {"expiry": "96h"})
    found = {
        step.where: {f.field: (f.was, f.becomes) for f in step.fields}
        for step in planned(file, server.root_token)
    }
    assert found == {
        "admin/shop/pki/roles/web": {
            "allow_localhost": ("true", "false"),
            "max_ttl": ("31536000", "864000"),
        },
        "admin/shop/pki": {"leaf_not_after_behavior": ("permit", "truncate")},
        "admin/shop/pki/config/crl": {
            "auto_rebuild": ("false", "true"),
            "enable_delta": ("false", "true"),
        },
    }
    applied(file, server.root_token)
    assert planned(file, server.root_token) == []
    role = (await as_root(server, "GET", path, "admin/shop"))["data"]
    assert (role["max_ttl"], role["allow_localhost"], role["organization"]) == (864000, False, ["Corp"])
    issuer = (await as_root(server, "GET", "pki/issuer/default", "admin/shop"))["data"]
    assert issuer["revocation_signature_algorithm"] == "ECDSAWithSHA512"
    assert (await as_root(server, "GET", "pki/config/crl", "admin/shop"))["data"]["expiry"] == "96h"


async def test_what_somebody_added_to_a_policy_goes(server: OpenBao, tmp_path: Path) -> None:
    """INV-14: in whose hand it is written says nothing of what it allows."""
    file = settings_file(tmp_path, server.address)
    applied(file, server.root_token)
    path = "sys/policies/acl/acmeproxy"
    ours = (await as_root(server, "GET", path, "admin/shop"))["data"]["policy"]
    assert 'path "pki/sign/web" {\n  capabilities = ["update"]\n' in ours
    added = 'path "pki/roles/*" { capabilities = ["update"] }\n'
    widened = ours.replace(
        '"pki/revoke" {\n  capabilities = ["update"]', '"pki/revoke" {\n  capabilities = ["sudo"]'
    )
    for text, fields in ((f"{ours}\n{added}", {"text"}), (widened, {"pki/revoke"})):
        await as_root(server, "POST", path, "admin/shop", {"policy": text})
        [step] = planned(file, server.root_token)
        assert (step.change, step.where) == (Change.CHANGE, f"admin/shop/{path}")
        assert {one.field for one in step.fields} == fields
        applied(file, server.root_token)
        assert (await as_root(server, "GET", path, "admin/shop"))["data"]["policy"] == ours


async def test_a_mount_that_would_cut_lifetimes_is_tuned(server: OpenBao, tmp_path: Path) -> None:
    """vault.md §1: 768 h, and a warning that nobody sees."""
    await as_root(server, "POST", "sys/namespaces/admin", "", {})
    await as_root(server, "POST", "sys/mounts/pki", "admin", {"type": "pki"})
    file = settings_file(tmp_path, server.address)
    step = next(step for step in planned(file, server.root_token) if step.where == "admin/pki")
    assert [(f.field, f.was, f.becomes) for f in step.fields] == [("max_lease_ttl", "2764800", "189216000")]
    applied(file, server.root_token)
    tuned = await as_root(server, "GET", "sys/mounts/pki/tune", "admin")
    assert tuned["data"]["max_lease_ttl"] == 2190 * 86400
    issuing = (await as_root(server, "GET", "pki/issuer/default", "admin/shop"))["data"]["certificate"]
    lasts = x509.load_pem_x509_certificate(issuing.encode())
    assert (lasts.not_valid_after_utc - lasts.not_valid_before_utc).days in {1094, 1095}


async def test_what_the_server_warns_of_is_not_lost(server: OpenBao, tmp_path: Path) -> None:
    """vault.md §0: a role of an issuer that is not there is written with 200, and signs nothing."""
    pinned = ONE.replace('role = "byoc"', 'role = "byoc"\nissuer = "nobody"')
    [warning] = applied(settings_file(tmp_path, server.address, pinned), server.root_token).warnings
    assert warning.startswith("admin/shop/pki/roles/byoc: ")
    assert "nobody" in warning


def test_a_token_that_may_not_is_told_and_not_shown(openbao: OpenBao, tmp_path: Path) -> None:
    """INV-13."""
    file = settings_file(tmp_path, openbao.address)
    with pytest.raises(ForbiddenError, match="answered 403") as caught:
        planned(file, "s.canary")
    assert "canary" not in str(caught.value)


async def test_a_server_without_namespaces_is_told_how_it_works_all_the_same(tmp_path: Path) -> None:
    """As Vault Community answers where it has no such path."""
    async with canned_vault(http_answer(404, {"errors": ["unsupported path"]})) as vault:
        file = settings_file(tmp_path, f"http://127.0.0.1:{vault.port}")
        with pytest.raises(ProducerError, match=r'layout = "paths" under \[vault\]'):
            await asyncio.to_thread(planned, file, "t")


@pytest.mark.parametrize(
    ("tenants", "vault", "text"),
    [
        ('[tenants.a]\nnames.allow = ["a.example"]\nvault.role = "web"\n', "", "is the signing CA's"),
        ('[tenants.a]\nvault = { namespace = "a", role = "web" }\n', "", "may have no name"),
        (
            (
                '[tenants.a]\nnames.allow = ["a.example"]\n[tenants.a.vault]\nnamespace = "a"\nrole = "web"\n'
                'authority.lifetime = "3000d"\n'
            ),
            "",
            "must be shorter than",
        ),
        (
            (
                '[tenants.a]\nnames.allow = ["a.example"]\nvault = { mount = "x", role = "web" }\n'
                '[tenants.b]\nnames.allow = ["b.example"]\nvault = { mount = "x", role = "web" }\n'
            ),
            "",
            "have the same role web",
        ),
        (
            '[tenants.reader]\nnames.allow = ["a.example"]\nvault = { namespace = "x", role = "web" }\n',
            'layout = "paths"',
            "would be acmeproxy-reader, which is that of others",
        ),
        (
            (
                '[tenants.a]\nnames.allow = ["a.example"]\nvault = { mount = "x", role = "web" }\n'
                '[tenants.a.profiles.p]\ndescription = "p"\n'
                '[tenants.a.profiles.q]\ndescription = "q"\nstore = false\n'
            ),
            "",
            "give one of them a role of its own",
        ),
        (
            (
                '[tenants.a]\nnames.allow = ["a.example"]\nvault = { mount = "x", role = "web" }\n'
                '[tenants.b]\nnames.allow = ["b.example"]\nvault = { mount = "y", role = "web" }\n'
            ),
            'authority.policy = "templated"\nlogin.role_id = "r"\nlogin.secret_id = "s"',
            "needs a login for each tenant",
        ),
    ],
)
def test_what_cannot_be_built_is_told_before_anything_is(
    tenants: str, vault: str, text: str, openbao: OpenBao, tmp_path: Path
) -> None:
    file = settings_file(tmp_path, openbao.address, tenants, vault)
    with (
        pytest.raises(ProducerError, match=text),
        producing(file, openbao.root_token) as made,
    ):
        made.plan()
