"""What relying parties see while Vault is away: what is still true, and then nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio
from cryptography import x509

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.vault.provisioning import Hierarchy, provision
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.wiring.serving import Role
from tests.support.eventually import eventually
from tests.support.http01_responder import Http01Responder
from tests.support.openbao import as_root, connections, intent
from tests.support.openbao import tenant as place_of
from tests.support.proxy import Plan, Vault, hosted, proxy
from tests.support.relying_party import RelyingParty, asked, said

SPACE = "admin/alpha"


@dataclass(frozen=True)
class Scene:
    """A web process, its Vault, and a certificate with its issuers."""

    reader: RelyingParty
    server: OpenBao
    hierarchy: Hierarchy
    chain: list[bytes]


@pytest_asyncio.fixture(loop_scope="session")
async def scene(tmp_path: Path, empty_valkey: Valkey, responder: Http01Responder) -> AsyncIterator[Scene]:
    """Run an OpenBao that may be sealed, and a web process that has no credential for it."""
    async with running_openbao(tmp_path) as server:
        suffixes = {"alpha": ("alpha.example",)}
        made = await asyncio.to_thread(provision, server.address, server.root_token, tmp_path, suffixes)
        async with VaultSigner(connections(made, server.port)) as signer:
            signed = await signer.sign(place_of(made), intent(["www.alpha.example"]))
        namespace, mount = made.tenants["alpha"].place.namespace, made.tenants["alpha"].place.mount
        policy = f'names.allow = ["*.alpha.example"]\nvault.namespace = "{namespace}"\n'
        plan = Plan(
            # No login: a web process needs none.
            {"alpha": f'{policy}vault.mount = "{mount}"\nvault.role = "acme"\n'},
            Role.WEB,
            Vault(server.address, made.root),
        )
        async with hosted(proxy(tmp_path, empty_valkey, responder, plan)) as running:
            reader = RelyingParty(running.http, running.origin)
            yield Scene(reader, server, made, [signed.leaf, *signed.issuers])


async def test_what_was_read_before_a_seal_is_read_after_it_and_nothing_else(scene: Scene) -> None:
    """Stale while down: lists and statuses are true until their nextUpdate, whoever is away."""
    reader, request = scene.reader, asked(scene.chain)
    crl, status = (await reader.get("crl")).body, (await reader.post(request)).body
    assert said(status, scene.chain) == "GOOD"

    await as_root(scene.server, "PUT", "sys/seal")

    assert (await reader.get("crl")).body == crl
    assert (await reader.post(request)).body == status
    assert (await reader.get("ca")).status == 200
    unread = await reader.get("crl/delta")
    assert (unread.status, unread.headers["Retry-After"]) == (503, "5")
    assert unread.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert unread.body.endswith(b"[ref PUBLISHED-AWAY]\n")
    unasked = await reader.post(asked(scene.chain, serial=5))
    assert (unasked.status, unasked.body) == (200, bytes.fromhex("30030a0103"))
    # Another nonce wants a new answer; there is none, and the last one is still true.
    assert said((await reader.post(asked(scene.chain, nonce=b"n" * 16))).body, scene.chain) == "GOOD"

    await scene.server.unseal()

    async def back() -> bool:
        return (await reader.get("crl/delta")).status == 200

    await eventually(back)
    assert said((await reader.post(asked(scene.chain, serial=5))).body, scene.chain) == "GOOD"


async def test_a_process_that_begins_while_vault_is_sealed_says_so_and_then_serves(scene: Scene) -> None:
    await as_root(scene.server, "PUT", "sys/seal")
    for path in ("ca", "chain", "crl"):
        answer = await scene.reader.get(path)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert (await scene.reader.post(asked(scene.chain))).body == bytes.fromhex("30030a0103")

    await scene.server.unseal()

    async def back() -> bool:
        return (await scene.reader.get("crl")).status == 200

    await eventually(back)
    assert await scene.reader.status(scene.chain) == "GOOD"


async def test_a_revocation_directly_in_vault_is_seen_by_who_wants_a_new_answer(scene: Scene) -> None:
    """Nobody tells us; others see it within a minute (tests/services/test_statuses.py)."""
    assert await scene.reader.status(scene.chain) == "GOOD"
    async with VaultSigner(connections(scene.hierarchy, scene.server.port)) as signer:
        await signer.revoke(place_of(scene.hierarchy), scene.chain[0])
    assert await scene.reader.status(scene.chain, nonce=b"n" * 16) == "REVOKED"
    assert await scene.reader.status(scene.chain) == "REVOKED"


async def test_a_list_is_read_again_after_its_rebuild(scene: Scene) -> None:
    number = x509.load_der_x509_certificate(scene.chain[0]).serial_number
    async with VaultSigner(connections(scene.hierarchy, scene.server.port)) as signer:
        await signer.revoke(place_of(scene.hierarchy), scene.chain[0])
    await as_root(scene.server, "GET", "pki/crl/rotate", SPACE)
    entry = (await scene.reader.crl()).get_revoked_certificate_by_serial_number(number)
    assert entry is not None


async def test_after_a_rotation_the_old_and_the_new_issuer_are_both_there(scene: Scene) -> None:
    """A6: who holds an old certificate asks on, and who holds a new one waits for two seconds at most."""
    reader, old = scene.reader, scene.chain
    assert await reader.status(old) == "GOOD"
    wanted = {"common_name": "the next", "key_type": "ec", "key_bits": 384}
    csr = (await as_root(scene.server, "POST", "pki/intermediate/generate/internal", SPACE, wanted))["data"]
    limits = {"csr": csr["csr"], "common_name": "the next", "ttl": "100h", "max_path_length": 0}
    above = (await as_root(scene.server, "POST", "pki/root/sign-intermediate", "admin", limits))["data"]
    bundle = {"certificate": "\n".join(above["ca_chain"])}
    imported = await as_root(scene.server, "POST", "pki/intermediate/set-signed", SPACE, bundle)
    [ours] = [issuer for issuer, key in imported["data"]["mapping"].items() if key]
    await as_root(scene.server, "POST", "pki/config/issuers", SPACE, {"default": ours})
    async with VaultSigner(connections(scene.hierarchy, scene.server.port)) as signer:
        signed = await signer.sign(place_of(scene.hierarchy), intent(["www.alpha.example"]))
        new = [signed.leaf, *signed.issuers]

        async def known() -> bool:
            return await reader.status(new) == "GOOD"

        await eventually(known)
        assert await reader.status(old) == "GOOD"
        for chain in (old, new):
            await signer.revoke(place_of(scene.hierarchy), chain[0])
            assert await reader.status(chain, nonce=b"n" * 16) == "REVOKED"
    await as_root(scene.server, "GET", "pki/crl/rotate", SPACE)
    assert (await reader.get("ca")).body == new[1]
    ids = [key for key, one in (await issuers(scene)).items() if one["key_id"]]
    assert len(ids) == 2
    listed = {}
    for one in ids:
        shown = (await reader.get(f"issuer/{one}/ca")).body
        assert (await reader.get(f"issuer/{one}/chain")).status == 200
        listed[shown] = [entry.serial_number for entry in await reader.crl(f"issuer/{one}/crl")]
    numbers = [x509.load_der_x509_certificate(chain[0]).serial_number for chain in (old, new)]
    assert [listed[old[1]], listed[new[1]]] == [[numbers[0]], [numbers[1]]]
    assert [entry.serial_number for entry in await reader.crl()] == [numbers[1]]


async def issuers(scene: Scene) -> dict[str, dict[str, str]]:
    """Return what the mount tells of its issuers, by id."""
    listed = await as_root(scene.server, "LIST", "pki/issuers", SPACE)
    found: dict[str, dict[str, str]] = listed["data"]["key_info"]
    return found


async def test_a_responder_that_vault_has_switched_off_is_not_authorized(scene: Scene) -> None:
    await as_root(scene.server, "POST", "pki/config/crl", SPACE, {"ocsp_disable": True})
    answer = await scene.reader.post(asked(scene.chain))
    assert (answer.status, answer.body) == (200, bytes.fromhex("30030a0106"))
    assert (await scene.reader.get("crl")).status == 200
