"""Servers without namespaces, shared mounts and logins, templated policies, and who reads what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.vault.connection import AppRoleLogin, Secret, VaultConnection
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.adapters.vault.producer.producer import Producer
from acmeproxy.adapters.vault.producer.root_outside import RootOutside
from acmeproxy.adapters.vault.producer.step import Change
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.adapters.vault.transport import session
from acmeproxy.core.ids import TenantName
from acmeproxy.settings import Settings, load
from acmeproxy.wiring.producing import blueprint
from tests.support.openbao import as_root, intent
from tests.support.producing import applied, planned, producing, root_of, settings_file, signed, verify

TWO = """
[tenants.shop]
names.allow = ["*.shop.example"]
[tenants.shop.vault]
namespace = "shop"
role = "web"
login = { role_id_file = "shop.role-id", secret_id_file = "shop.secret-id" }
[tenants.lab]
names.allow = ["*.lab.example"]
[tenants.lab.vault]
namespace = "lab"
role = "lab"
login = { role_id_file = "lab.role-id", secret_id_file = "lab.secret-id" }
"""


async def logged_in(server: OpenBao, directory: Path, tenant: str, path: str, namespace: str = "") -> str:
    body = {
        "role_id": (directory / f"{tenant}.role-id").read_text(),
        "secret_id": (directory / f"{tenant}.secret-id").read_text(),
    }
    token: str = (await as_root(server, "POST", path, namespace, body))["auth"]["client_token"]
    return token


def connection(given: Settings, tenant: TenantName) -> VaultConnection:
    login = given.login(tenant)
    assert login.secret_id is not None
    method = AppRoleLogin(login.role_id or "", Secret(login.secret_id.get_secret_value()), login.mount or "")
    namespace = given.tenant_values()[tenant].vault.namespace
    return VaultConnection(given.vault.address, method, namespace)


async def capabilities(
    server: OpenBao, token: str, *paths: str, namespace: str = ""
) -> Mapping[str, list[str]]:
    body = {"token": token, "paths": list(paths)}
    answer: Mapping[str, Any] = await as_root(server, "POST", "sys/capabilities", namespace, body)
    return {path: answer["data"][path] for path in paths}


async def test_with_paths_everything_is_in_the_root_namespace(tmp_path: Path) -> None:
    """As on Vault Community: the namespace is a part of every mount."""
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address, TWO, 'namespace = "admin"\nlayout = "paths"')
        done = applied(file, server.root_token)
        assert not any(step.what == "namespace" for step in done.steps)
        assert planned(file, server.root_token) == []
        mounts = (await as_root(server, "GET", "sys/mounts"))["data"]
        assert {mount for mount in mounts if mounts[mount]["type"] == "pki"} == {
            *("admin/pki/", "admin/shop/pki/", "admin/lab/pki/"),
        }
        leaf, above = await signed(server, "", "admin/shop/pki/sign/web", "www.shop.example")
        assert verify(leaf, above, root_of(tmp_path), "www.shop.example") == 4

        token = await logged_in(server, tmp_path, "shop", "auth/admin/shop/approle/login")
        found = await capabilities(server, token, "admin/shop/pki/sign/web", "admin/lab/pki/sign/lab")
        assert found == {"admin/shop/pki/sign/web": ["update"], "admin/lab/pki/sign/lab": ["deny"]}
        # What a worker makes of the same settings signs there.
        given = load(file, {})
        tenants = given.tenant_values()
        async with VaultSigner({name: connection(given, name) for name in tenants}) as signer:
            for name in tenants:
                issued = await signer.sign(tenants[name], intent([f"www.{name}.example"]))
                assert issued.request_id


async def test_a_templated_policy_allows_the_roles_of_the_entity_only(tmp_path: Path) -> None:
    """INV-14: the text names no role; the metadata of the login's entity does."""
    async with running_openbao(tmp_path) as server:
        file = settings_file(
            tmp_path, server.address, TWO, 'layout = "paths"\nauthority.policy = "templated"'
        )
        applied(file, server.root_token)
        assert planned(file, server.root_token) == []
        written = (await as_root(server, "GET", "sys/policies/acl/acmeproxy-lab"))["data"]["policy"]
        assert "lab/pki/sign/{{identity.entity.metadata.role}}" in written
        token = await logged_in(server, tmp_path, "lab", "auth/lab/approle/login")
        asked = ("lab/pki/sign/lab", "lab/pki/sign/web", "lab/pki/roles/lab", "shop/pki/sign/lab")
        assert await capabilities(server, token, *asked) == {
            "lab/pki/sign/lab": ["update"],
            "lab/pki/sign/web": ["deny"],
            "lab/pki/roles/lab": ["read"],
            "shop/pki/sign/lab": ["deny"],
        }


async def test_one_login_and_one_mount_for_two_tenants(tmp_path: Path) -> None:
    """One issuing CA for the names of both, and one AppRole with the policies of both."""
    tenants = """
[tenants.shop]
names.allow = ["*.shop.example"]
vault = { mount = "issuing", role = "web" }
[tenants.lab]
names = { allow = ["lab.example"], ip_ranges = ["10.20.0.0/16"] }
vault = { mount = "issuing", role = "lab" }
"""
    async with running_openbao(tmp_path) as server:
        login = 'login = { role_id = "acmeproxy-1", secret_id_file = "secret-id" }'
        file = settings_file(tmp_path, server.address, tenants, login)
        applied(file, server.root_token)
        assert planned(file, server.root_token) == []
        body = {"role_id": "acmeproxy-1", "secret_id": (tmp_path / "secret-id").read_text()}
        token = (await as_root(server, "POST", "auth/approle/login", "", body))["auth"]
        assert set(token["policies"]) == {"default", "acmeproxy-shop", "acmeproxy-lab"}
        assert (token["lease_duration"], token["token_type"]) == (3600, "service")
        lab = (await as_root(server, "GET", "issuing/roles/lab"))["data"]
        assert (lab["allow_bare_domains"], lab["allow_subdomains"]) == (True, False)
        assert (lab["allow_ip_sans"], lab["allowed_ip_sans_cidr"]) == (True, ["10.20.0.0/16"])
        for role, name in (("web", "www.shop.example"), ("lab", "lab.example")):
            leaf, above = await signed(server, "", f"issuing/sign/{role}", name)
            assert verify(leaf, above, root_of(tmp_path), name) == 4
        found = (await as_root(server, "GET", "identity/entity/name/acmeproxy"))["data"]
        assert found["metadata"] == {"tenant": "shop,lab"}


async def test_one_login_in_two_namespaces_is_the_same_in_both(tmp_path: Path) -> None:
    """What is made for the first is made known in the second."""
    tenants = "\n".join(line for line in TWO.splitlines() if not line.startswith("login"))
    login = 'login = { role_id_file = "all.role-id", secret_id_file = "all.secret-id" }'
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address, tenants, login)
        applied(file, server.root_token)
        assert planned(file, server.root_token) == []
        for namespace, path in (("shop", "pki/sign/web"), ("lab", "pki/sign/lab")):
            token = await logged_in(server, tmp_path, "all", "auth/approle/login", namespace)
            assert await capabilities(server, token, path, namespace=namespace) == {path: ["update"]}


async def test_a_login_above_its_tenant_has_a_policy_that_names_the_way_down(tmp_path: Path) -> None:
    """A token is good below its namespace, if a policy of its namespace says so (vault.md §5)."""
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address)
        given = load(file, {}, awaiting=True)
        [plan] = blueprint(given, tmp_path).tenants
        machine = structs.replace(plan.machine, namespace="admin", role="shop-proxy")
        made = structs.replace(blueprint(given, tmp_path), tenants=(structs.replace(plan, machine=machine),))
        with session(verify=True, connections=1) as http:
            outside = RootOutside(tmp_path, local=True)
            build = Producer(made, server.address, Secret(server.root_token), http, outside)
            build.apply(lambda _: None)
            again = Producer(made, server.address, Secret(server.root_token), http, outside)
            assert [step for step in again.plan() if step.change is not Change.NOTHING] == []
        assert (await as_root(server, "LIST", "auth/approle/role", "admin"))["data"]["keys"] == ["shop-proxy"]
        token = await logged_in(server, tmp_path, "shop", "auth/approle/login", "admin")
        asked = ("shop/pki/sign/web", "pki/root/sign-intermediate")
        assert await capabilities(server, token, *asked, namespace="admin") == {
            "shop/pki/sign/web": ["update"],
            "pki/root/sign-intermediate": ["deny"],
        }


async def test_an_entity_that_a_login_made_is_taken_over(tmp_path: Path) -> None:
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address, TWO)
        applied(file, server.root_token)
        found = (await as_root(server, "GET", "identity/entity/name/acmeproxy", "admin/lab"))["data"]
        await as_root(server, "DELETE", f"identity/entity/id/{found['id']}", "admin/lab")
        await logged_in(server, tmp_path, "lab", "auth/approle/login", "admin/lab")
        [step] = planned(file, server.root_token)
        assert (step.change, step.what) == (Change.ADD, "entity")
        applied(file, server.root_token)
        assert planned(file, server.root_token) == []


async def test_what_the_settings_do_not_name_is_written_beside_and_told(tmp_path: Path) -> None:
    """A tenant without a login gets one; the operator's own token is nobody else's."""
    tenants = '[tenants.shop]\nnames.allow = ["*"]\nvault = { namespace = "shop", role = "web" }\n'
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address, tenants)
        applied(file, server.root_token)
        assert planned(file, server.root_token) == []
        token = await logged_in(server, tmp_path / "pki", "shop", "auth/approle/login", "admin/shop")
        found = await capabilities(server, token, "pki/sign/web", "pki/sign/x", namespace="admin/shop")
        assert found == {"pki/sign/web": ["update"], "pki/sign/x": ["deny"]}


async def test_two_installations_without_namespaces_leave_each_other_alone(tmp_path: Path) -> None:
    """What is another's is not overwritten, and with a prefix of its own each has all that it needs."""
    first, second = tmp_path / "first", tmp_path / "second"
    async with running_openbao(tmp_path) as server:
        for directory in (first, second):
            directory.mkdir()
        vault = 'layout = "paths"\nnamespace = "{}"\n{}'
        ours = settings_file(first, server.address, TWO, vault.format("one", ""))
        applied(ours, server.root_token)
        written = (await as_root(server, "GET", "sys/policies/acl/acmeproxy-shop"))["data"]["policy"]
        other = settings_file(second, server.address, TWO, vault.format("two", ""))
        with pytest.raises(
            ProducerError, match=r"acmeproxy-shop is about one/shop/pki/sign/web and about no mount"
        ):
            planned(other, server.root_token)
        other = settings_file(second, server.address, TWO, vault.format("two", 'authority.prefix = "test"'))
        applied(other, server.root_token)
        for file in (ours, other):
            assert planned(file, server.root_token) == []
        assert (await as_root(server, "GET", "sys/policies/acl/acmeproxy-shop"))["data"]["policy"] == written
        policies = (await as_root(server, "LIST", "sys/policies/acl"))["data"]["keys"]
        made = {f"{prefix}-{name}" for prefix in ("acmeproxy", "test") for name in ("shop", "lab", "reader")}
        assert set(policies) == {"default", "root", *made}
        token = await logged_in(server, second, "shop", "auth/two/shop/approle/login")
        asked = ("two/shop/pki/sign/web", "one/shop/pki/sign/web")
        assert await capabilities(server, token, *asked) == {asked[0]: ["update"], asked[1]: ["deny"]}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pki/config/crl", ["read"]),
        ("shop/pki/roles/web", ["list", "read"]),
        ("shop/pki/certs/detailed", ["list"]),
        ("shop/pki/issuers", ["list"]),
        ("shop/pki/roles/", ["list", "read"]),
        ("shop/pki/cert/11-22", ["read"]),
        ("shop/sys/mounts/pki/tune", ["read"]),
        ("shop/pki/sign/web", ["deny"]),
        ("shop/pki/issuer/default/sign/web", ["read"]),
        ("shop/pki/revoke", ["deny"]),
        ("pki/root/sign-intermediate", ["deny"]),
        ("sys/policies/acl/acmeproxy", ["deny"]),
    ],
)
async def test_the_reader_reads_and_does_nothing_else(
    path: str, expected: list[str], reader: tuple[OpenBao, str]
) -> None:
    """INV-14: for whoever checks; a path below `issuer/` that signs takes no read."""
    server, token = reader
    assert await capabilities(server, token, path, namespace="admin") == {path: expected}


@pytest.fixture(scope="session")
def _produced(openbao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> None:
    with producing(
        settings_file(tmp_path_factory.mktemp("reader"), openbao.address), openbao.root_token
    ) as made:
        made.apply(lambda _: None)


@pytest.fixture
async def reader(openbao: OpenBao, _produced: None) -> tuple[OpenBao, str]:
    body = {"policies": ["acmeproxy-reader"], "no_default_policy": True, "ttl": "1h"}
    made = await as_root(openbao, "POST", "auth/token/create", "admin", body)
    return openbao, made["auth"]["client_token"]


async def test_where_every_tenant_has_a_login_vault_login_is_the_readers(tmp_path: Path) -> None:
    """It may look at everything that doctor looks at, and change and sign nothing."""
    login = 'login = { role_id_file = "look.role-id", secret_id_file = "look.secret-id" }'
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address, TWO, f'namespace = "admin"\n{login}')
        applied(file, server.root_token)
        assert planned(file, server.root_token) == []
        token = await logged_in(server, tmp_path, "look", "auth/approle/login", "admin")
        asked = ("shop/pki/config/auto-tidy", "lab/pki/roles/lab", "shop/pki/sign/web", "pki/config/crl")
        assert await capabilities(server, token, *asked, namespace="admin") == {
            "shop/pki/config/auto-tidy": ["read"],
            "lab/pki/roles/lab": ["list", "read"],
            "shop/pki/sign/web": ["deny"],
            "pki/config/crl": ["read"],
        }
        answer = await as_root(server, "POST", "auth/token/lookup", "admin", {"token": token})
        assert answer["data"]["policies"] == ["acmeproxy-reader", "default"]
