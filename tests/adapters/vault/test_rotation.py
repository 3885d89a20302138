"""Rotation: new orders use the new issuing CA, and what the old one signed stays good."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.vault.producer.namespace import AwayError, ProducerError
from acmeproxy.adapters.vault.producer.rotation import Former, Rotation
from tests.support.cut_runs import cut_at_each
from tests.support.cutting_proxy import Cut, cutting_proxy
from tests.support.openbao import as_root
from tests.support.producing import (
    ONE,
    Organisation,
    applied,
    pem,
    planned,
    producing,
    root_of,
    settings_file,
    signed,
    verify,
)

NAMESPACE = "admin/shop"
CANARY = "acmeproxy-canary.shop.example"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[OpenBao]:
    """Run one, in memory, that nobody but the test uses."""
    async with running_openbao(tmp_path) as running:
        yield running


def switched(file: Path, token: str) -> tuple[list[Former], list[str]]:
    """Rotate up to where certificates are to be renewed; return the former issuers, and what was told."""
    told: list[str] = []
    with producing(file, token) as made:
        return list(Rotation(made, "shop").switch(told.append)), told


def retired(file: Path, token: str, former: list[Former]) -> None:
    with producing(file, token) as made:
        Rotation(made, "shop").retire(former, lambda _: None)


async def names(server: OpenBao) -> dict[str, bool]:
    """Return the names of the issuers that have a key, and whether each is the default."""
    listed = (await as_root(server, "LIST", "pki/issuers", NAMESPACE))["data"]["key_info"]
    return {one["issuer_name"]: one["is_default"] for one in listed.values() if one["key_id"]}


async def canaries(server: OpenBao) -> list[bool]:
    """Return of every canary certificate that was signed whether it is revoked."""
    found = []
    for serial in (await as_root(server, "LIST", "pki/certs", NAMESPACE))["data"]["keys"]:
        read = (await as_root(server, "GET", f"pki/cert/{serial}", NAMESPACE))["data"]
        leaf = x509.load_pem_x509_certificate(read["certificate"].encode())
        extensions = leaf.extensions
        try:
            alternatives = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            continue
        if alternatives.get_values_for_type(x509.DNSName) == [CANARY]:
            found.append(read["revocation_time"] > 0)
    return found


async def test_new_orders_use_the_new_issuer_and_old_certificates_verify(
    server: OpenBao, tmp_path: Path
) -> None:
    file = settings_file(tmp_path, server.address)
    applied(file, server.root_token)
    before = await signed(server, NAMESPACE, "pki/sign/web", "www.shop.example")
    former, told = switched(file, server.root_token)
    after = await signed(server, NAMESPACE, "pki/sign/web", "www.shop.example")
    assert await names(server) == {"issuing-1": False, "issuing-2": True}
    assert before[1][0] != after[1][0]
    assert before[1][1:] == after[1][1:]
    for leaf, above in (before, after):
        assert verify(leaf, above, root_of(tmp_path), "www.shop.example") == 4
    key = before[1][0].extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()
    assert [(one.name, one.key_identifier) for one in former] == [("issuing-1", key)]
    assert [line.split()[0] for line in told] == ["made", "tried", "in"]
    assert await canaries(server) == [True]

    retired(file, server.root_token, former)
    old = (await as_root(server, "GET", "pki/issuer/issuing-1", NAMESPACE))["data"]
    assert old["usage"] == "crl-signing,ocsp-signing,read-only"
    # Its certificates can still be revoked, and its CRL says so.
    body = {"certificate": pem(before[0]).decode()}
    assert (await as_root(server, "POST", "pki/revoke", NAMESPACE, body))["data"]["state"] == "revoked"
    await as_root(server, "GET", "pki/crl/rotate", NAMESPACE)
    read = (await as_root(server, "GET", "pki/issuer/issuing-1/crl", NAMESPACE))["data"]["crl"]
    crl = x509.load_pem_x509_crl(read.encode())
    assert crl.get_revoked_certificate_by_serial_number(before[0].serial_number) is not None
    assert planned(file, server.root_token) == []


async def test_a_rotation_that_is_cut_anywhere_is_finished_by_the_next(
    server: OpenBao, tmp_path: Path
) -> None:
    async with cutting_proxy(server.port) as proxy:
        file = settings_file(tmp_path, f"http://127.0.0.1:{proxy.port}")
        await asyncio.to_thread(applied, file, server.root_token)
        writes = (
            "POST /v1/pki/intermediate/generate/",
            "POST /v1/pki/root/sign-intermediate",
            "POST /v1/pki/key/issuing-2",
            "POST /v1/pki/intermediate/set-signed",
            "PATCH /v1/pki/issuer/",
            "POST /v1/pki/issuer/issuing-2/sign/web",
            "POST /v1/pki/revoke",
            "POST /v1/pki/config/issuers",
        )
        await cut_at_each(proxy, writes, lambda: switched(file, server.root_token))
        # The last one did arrive: the new one is the default, and nobody was told to renew.
        former, told = await asyncio.to_thread(switched, file, server.root_token)
        assert told == ["in use       issuing-2 already: finishing the rotation that made it"]
        assert [one.name for one in former] == ["issuing-1"]
        patch = ("PATCH /v1/pki/issuer/",)
        await cut_at_each(proxy, patch, lambda: retired(file, server.root_token, former))
        assert await names(server) == {"issuing-1": False, "issuing-2": True}
        assert len((await as_root(server, "LIST", "pki/keys", NAMESPACE))["data"]["keys"]) == 2

        former, _ = await asyncio.to_thread(switched, file, server.root_token)
        assert [one.name for one in former] == ["issuing-2"]
        assert await names(server) == {"issuing-1": False, "issuing-2": False, "issuing-3": True}


async def test_roles_that_name_the_old_default_follow_and_others_are_told(
    server: OpenBao, tmp_path: Path
) -> None:
    file = settings_file(tmp_path, server.address)
    applied(file, server.root_token)
    role = {"allowed_domains": ["shop.example"], "max_ttl": "24h"}
    for name, issuer in (("agents", "issuing-1"), ("others", "elsewhere")):
        await as_root(server, "POST", f"pki/roles/{name}", NAMESPACE, {**role, "issuer_ref": issuer})
    _, told = switched(file, server.root_token)
    assert told[-2:] == [
        "role         agents named the issuer issuing-1, and names issuing-2 now",
        "role         others names the issuer elsewhere, and is left as it is",
    ]
    agents = (await as_root(server, "GET", "pki/roles/agents", NAMESPACE))["data"]
    assert (agents["issuer_ref"], agents["max_ttl"]) == ("issuing-2", 86400)
    assert (await as_root(server, "GET", "pki/roles/others", NAMESPACE))["data"]["issuer_ref"] == "elsewhere"


async def test_roles_follow_too_where_the_rotation_was_interrupted_before(
    server: OpenBao, tmp_path: Path
) -> None:
    """Else the old issuer would be retired, and every request to such a role a 500."""
    file = settings_file(tmp_path, server.address)
    applied(file, server.root_token)
    role = {
        "allowed_domains": ["shop.example"],
        "allow_subdomains": True,
        "key_type": "any",
        "require_cn": False,
    }
    await as_root(server, "POST", "pki/roles/agents", NAMESPACE, {**role, "issuer_ref": "issuing-1"})
    async with cutting_proxy(server.port) as proxy:
        there = settings_file(tmp_path, f"http://127.0.0.1:{proxy.port}")
        proxy.cut(b"POST /v1/pki/config/issuers", Cut.REPLY)
        with pytest.raises(AwayError):
            await asyncio.to_thread(switched, there, server.root_token)
    assert await names(server) == {"issuing-1": False, "issuing-2": True}
    file = settings_file(tmp_path, server.address)
    former, told = switched(file, server.root_token)
    assert told == [
        "in use       issuing-2 already: finishing the rotation that made it",
        "role         agents named the issuer issuing-1, and names issuing-2 now",
    ]
    retired(file, server.root_token, former)
    leaf, above = await signed(server, NAMESPACE, "pki/sign/agents", "www.shop.example")
    assert verify(leaf, above, root_of(tmp_path), "www.shop.example") == 4


async def test_an_issuer_that_the_settings_name_stays_in_use(server: OpenBao, tmp_path: Path) -> None:
    """INV-4: what the settings say holds, and rotating in vain is told."""
    pinned = ONE.replace('role = "byoc"\n', 'role = "byoc"\nissuer = "issuing-1"\n')
    file = settings_file(tmp_path, server.address, pinned)
    assert applied(file, server.root_token).warnings == ()
    former, told = switched(file, server.root_token)
    assert former == []
    assert any(line.startswith("pinned       the settings name the issuer issuing-1") for line in told)
    leaf, above = await signed(server, NAMESPACE, "pki/issuer/issuing-1/sign/byoc", "www.shop.example")
    assert verify(leaf, above, root_of(tmp_path), "www.shop.example") == 4


async def test_a_new_issuer_that_fails_its_trial_is_not_used(server: OpenBao, tmp_path: Path) -> None:
    """The role signs something else than was asked for: the old issuer stays the default."""
    file = settings_file(tmp_path, server.address)
    applied(file, server.root_token)
    body = {"client_flag": False, "server_flag": False, "code_signing_flag": True}
    role = (await as_root(server, "GET", "pki/roles/web", NAMESPACE))["data"]
    await as_root(server, "POST", "pki/roles/web", NAMESPACE, {**role, **body})
    with pytest.raises(ProducerError, match="is not what was asked for: it is not for TLS servers only"):
        switched(file, server.root_token)
    assert await names(server) == {"issuing-1": True, "issuing-2": False}
    assert await canaries(server) == [True]
    await as_root(server, "POST", "pki/roles/web", NAMESPACE, role)
    switched(file, server.root_token)
    assert await names(server) == {"issuing-1": False, "issuing-2": True}


async def test_a_root_that_is_not_ours_stops_it(server: OpenBao, tmp_path: Path) -> None:
    """INV-2: certificates that the proxy would refuse are not brought about."""
    file = settings_file(tmp_path, server.address, vault='namespace = "admin"\nroots = "roots.pem"')
    applied(file, server.root_token)
    (tmp_path / "roots.pem").write_bytes(pem(Organisation().certificate))
    with pytest.raises(ProducerError, match=r"does not lead to a root of vault\.roots"):
        switched(file, server.root_token)
    assert (await names(server))["issuing-1"] is True


def test_before_there_is_anything_it_says_what_comes_first(openbao: OpenBao, tmp_path: Path) -> None:
    file = settings_file(tmp_path, openbao.address, vault='namespace = "nothing-here"')
    with pytest.raises(ProducerError, match="run acmeproxy vault apply first"):
        switched(file, openbao.root_token)
