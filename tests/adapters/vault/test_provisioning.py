import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.adapters.vault.provisioning import Hierarchy, provision
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.services.ports import SigningRefusedError, SigningUncertainError
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.support.cutting_proxy import Cut, cutting_proxy
from tests.support.openbao import ALPHA, SUFFIXES, as_root, connections, intent, tenant


async def issuing_certificate(server: OpenBao, namespace: str) -> x509.Certificate:
    read = await as_root(server, "GET", "pki/issuer/default/json", namespace)
    return x509.load_pem_x509_certificate(read["data"]["certificate"].encode())


def path_length(certificate: x509.Certificate) -> int | None:
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length


async def test_each_authority_may_do_no_more_than_it_must(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """INV-14: three levels, each with one below it less; a tenant's own is bound to its suffixes."""
    root = x509.load_pem_x509_certificate(hierarchy.root.read_bytes())
    signing = await issuing_certificate(openbao, "admin")
    issuing = await issuing_certificate(openbao, "admin/alpha")
    assert [path_length(one) for one in (root, signing, issuing)] == [2, 1, 0]
    constraints = issuing.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [x509.DNSName("alpha.example")]
    signing.verify_directly_issued_by(root)
    issuing.verify_directly_issued_by(signing)


async def test_the_role_says_what_has_an_unsafe_default(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """VLT-08."""
    role = (await as_root(openbao, "GET", "pki/roles/acme", hierarchy.tenants[ALPHA].place.namespace))["data"]
    wanted = {
        "allow_any_name": False,
        "allow_bare_domains": True,
        "allow_glob_domains": False,
        "allow_ip_sans": False,
        "allow_localhost": False,
        "allow_subdomains": True,
        "allow_wildcard_certificates": True,
        "allowed_domains": ["alpha.example"],
        "client_flag": False,
        "code_signing_flag": False,
        "email_protection_flag": False,
        "enforce_hostnames": True,
        "generate_lease": False,
        "key_type": "any",
        "key_usage": ["DigitalSignature"],
        "max_ttl": 720 * 3600,
        "no_store": False,
        "not_after_bound": "ttl-limited",
        "not_before_duration": 60,
        "require_cn": False,
        "server_flag": True,
        "ttl": 720 * 3600,
        "use_csr_common_name": False,
        "use_csr_sans": False,
    }
    assert {name: role[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("path", "capabilities"),
    [
        ("pki/sign/acme", ["update"]),
        ("pki/revoke", ["update"]),
        ("pki/roles/acme", ["read"]),
        ("pki/certs/detailed", ["list"]),
        ("pki/sign/other", ["deny"]),
        ("pki/sign-verbatim", ["deny"]),
        ("pki/issue/acme", ["deny"]),
        ("pki/issuer/default/sign/acme", ["deny"]),
        ("pki/root/sign-intermediate", ["deny"]),
        ("pki/config/issuers", ["deny"]),
        ("sys/policies/acl/acmeproxy", ["deny"]),
        ("auth/approle/role/acmeproxy/secret-id", ["deny"]),
    ],
)
async def test_the_proxy_may_sign_revoke_and_look_and_nothing_else(
    path: str, capabilities: list[str], openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """INV-14."""
    login = hierarchy.tenants[ALPHA].login
    body = {"role_id": login.role_id, "secret_id": login.secret_id()}
    entered = await as_root(openbao, "POST", "auth/approle/login", "admin/alpha", body)
    asked = {"token": entered["auth"]["client_token"], "paths": [path]}
    answer = await as_root(openbao, "POST", "sys/capabilities", "admin/alpha", asked)
    assert answer["data"]["capabilities"] == capabilities


async def test_the_proxys_own_certificate_serves_localhost(hierarchy: Hierarchy) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(hierarchy.server_certificate, hierarchy.server_key)
    asking = ssl.create_default_context(cafile=str(hierarchy.root))
    async with canned_vault(http_answer(200, {}), tls=serving) as server:
        for name in ("localhost", "127.0.0.1", "::1"):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", server.port, ssl=asking, server_hostname=name
            )
            writer.close()
            await writer.wait_closed()
    leaf = x509.load_pem_x509_certificate(hierarchy.server_certificate.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["localhost", "127.0.0.1", "::1"]


def test_keys_and_secret_ids_are_for_our_eyes_only(hierarchy: Hierarchy) -> None:
    """INV-13."""
    directory = hierarchy.root.parent
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert {name for name, mode in modes.items() if mode != 0o600} == {
        *("root.pem", "server.pem", "signing-local.pem")
    }
    assert set(modes) >= {"root-key.pem", "server-key.pem", "alpha.role-id", "alpha.secret-id"}


@pytest.mark.parametrize(
    ("name", "suffixes"),
    [
        ("gamma", ()),
        ("gamma", ("*",)),
        ("gamma", ("*.gamma.example",)),
        ("gamma", ("Gamma.example",)),
        ("gamma", ("localhost",)),
        ("../gamma", ("gamma.example",)),
        ("", ("gamma.example",)),
    ],
)
def test_a_tenant_without_bounds_is_not_set_up(
    name: str, suffixes: tuple[str, ...], openbao: OpenBao, tmp_path: Path
) -> None:
    with pytest.raises(ProducerError, match="tenant"):
        provision(openbao.address, openbao.root_token, tmp_path, {name: suffixes})


def test_a_wrong_token_is_told_without_showing_it(openbao: OpenBao, tmp_path: Path) -> None:
    with pytest.raises(ProducerError, match="answered 403") as caught:
        provision(openbao.address, "s.canary", tmp_path, SUFFIXES)
    assert "canary" not in str(caught.value)


async def test_started_again_all_is_as_it_was_and_a_new_suffix_is_a_new_authority(tmp_path: Path) -> None:
    """K15 across a restart: what was stored when the server was killed is found afterwards."""
    pki, data = tmp_path / "pki", tmp_path / "data"
    pki.mkdir()
    data.mkdir()
    wanted = intent(["www.alpha.example"])
    async with running_openbao(data, persistent=True) as server:
        first = await asyncio.to_thread(provision, server.address, server.root_token, pki, SUFFIXES)
        port = server.port
        async with cutting_proxy(port) as proxy, VaultSigner(connections(first, proxy.port)) as signer:
            proxy.cut(b"/sign/", Cut.REPLY)
            with pytest.raises(SigningUncertainError):
                await signer.sign(tenant(first), wanted)
        await server.process.kill()

    async with running_openbao(data, persistent=True, port=port) as server:
        files = {path: path.read_bytes() for path in pki.iterdir()}
        second = await asyncio.to_thread(provision, server.address, server.root_token, pki, SUFFIXES)
        assert {path: path.read_bytes() for path in pki.iterdir()} == files
        assert second.tenants[ALPHA].place == first.tenants[ALPHA].place
        listed = await as_root(server, "LIST", "pki/issuers", "admin/alpha")
        # The tenant's, the signing authority and the root.
        assert len(listed["data"]["keys"]) == 3
        async with VaultSigner(connections(first, port)) as signer:
            assert len(await signer.find(tenant(second), wanted)) == 1
            with pytest.raises(SigningRefusedError):
                await signer.sign(tenant(second), intent(["www.new.example"]))

        wider = {**SUFFIXES, ALPHA: ("alpha.example", "new.example")}
        third = await asyncio.to_thread(provision, server.address, server.root_token, pki, wider)
        assert {path: path.read_bytes() for path in pki.iterdir()} == files
        async with VaultSigner(connections(third, port)) as signer:
            signed = await signer.sign(tenant(third), intent(["www.new.example"]))
            issuing = x509.load_der_x509_certificate(signed.issuers[0])
            constraints = issuing.extensions.get_extension_for_class(x509.NameConstraints).value
            assert constraints.permitted_subtrees == [
                x509.DNSName("alpha.example"),
                x509.DNSName("new.example"),
            ]
            # The former authority's certificate still has the chain that issued it.
            found = await signer.find(tenant(third), wanted)
            leaf = x509.load_der_x509_certificate(found[0].leaf)
            leaf.verify_directly_issued_by(x509.load_der_x509_certificate(found[0].issuers[0]))
            assert found[0].issuers[0] != signed.issuers[0]
