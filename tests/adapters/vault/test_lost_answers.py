"""What was signed although the answer was lost is found, and nothing else is (VLT-02, K12..K16)."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault import store
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.services.ports import SigningUncertainError
from tests.support.acme_csr import certificate_key
from tests.support.cutting_proxy import Cut, cutting_proxy
from tests.support.openbao import ALPHA, as_root, connections, intent, tenant

SIGN = b"/sign/acme"


@pytest.mark.parametrize("where", [Cut.REPLY, Cut.WITHIN])
async def test_a_lost_answer_is_uncertain_and_its_certificate_is_found(
    where: Cut, openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """K15, K16, VLT-02: the request is not repeated, and exactly the one certificate is found."""
    wanted = intent(["*.lost.alpha.example", "lost.alpha.example"])
    async with (
        cutting_proxy(openbao.port) as proxy,
        VaultSigner(connections(hierarchy, proxy.port)) as signer,
    ):
        proxy.cut(SIGN, where)
        with pytest.raises(SigningUncertainError, match="the answer was lost"):
            await signer.sign(tenant(hierarchy), wanted)
        assert proxy.count(SIGN) == 1
        found = await signer.find(tenant(hierarchy), wanted)
        again = await signer.sign(tenant(hierarchy), wanted)

    assert len(found) == 1
    assert found[0].leaf != again.leaf
    assert found[0].issuers == again.issuers


async def test_a_request_that_did_not_arrive_is_uncertain_and_nothing_is_found(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """K12, K13: to us it looks the same as K15."""
    wanted = intent(["unheard.alpha.example"])
    async with (
        cutting_proxy(openbao.port) as proxy,
        VaultSigner(connections(hierarchy, proxy.port)) as signer,
    ):
        proxy.cut(SIGN, Cut.REQUEST)
        with pytest.raises(SigningUncertainError):
            await signer.sign(tenant(hierarchy), wanted)
        assert await signer.find(tenant(hierarchy), wanted) == ()


async def test_a_late_answer_is_uncertain_and_its_certificate_is_found(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """VLT-05."""
    wanted = intent(["late.alpha.example"])
    async with cutting_proxy(openbao.port) as proxy:
        impatient = {
            name: msgspec.structs.replace(connection, deadline=timedelta(seconds=2))
            for name, connection in connections(hierarchy, proxy.port).items()
        }
        async with VaultSigner(impatient) as signer:
            proxy.delay(SIGN, 30)
            with pytest.raises(SigningUncertainError, match="no answer within the deadline"):
                await signer.sign(tenant(hierarchy), wanted)
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        assert len(await signer.find(tenant(hierarchy), wanted)) == 1


async def test_a_server_that_ends_while_the_request_is_there_is_uncertain(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """K13: the proxy stands in for the server, and ends."""
    async with cutting_proxy(openbao.port) as proxy:
        signer = VaultSigner(connections(hierarchy, proxy.port))
        proxy.delay(SIGN, 30)
        signing = asyncio.ensure_future(signer.sign(tenant(hierarchy), intent(["killed.alpha.example"])))
        await proxy.until(SIGN)
    async with signer:
        with pytest.raises(SigningUncertainError):
            await signing


async def test_only_the_intents_own_are_found_earliest_first(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    key = certificate_key()
    names = ["one.found.alpha.example", "two.found.alpha.example"]
    wanted = intent(names, key=key)
    others = [
        intent(names),
        intent(names[:1], key=key),
        intent([*names, "three.found.alpha.example"], key=key),
        intent(["four.found.alpha.example", names[1]], key=key),
    ]
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        for other in others:
            await signer.sign(tenant(hierarchy), other)
        signed = [await signer.sign(tenant(hierarchy), wanted) for _ in range(3)]
        found = await signer.find(tenant(hierarchy), wanted)
        assert {one.leaf for one in found} == {one.leaf for one in signed}
        assert {one.issuers for one in found} == {signed[0].issuers}

        await signer.revoke(tenant(hierarchy), signed[1].leaf)
        found = await signer.find(tenant(hierarchy), wanted)
        assert {one.leaf for one in found} == {signed[0].leaf, signed[2].leaf}


async def test_what_was_signed_long_before_the_first_attempt_is_not_found(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """A client may reuse its key: the certificate of its last order is not this order's (INV-5)."""
    wanted = intent(["renewed.alpha.example"])
    assert wanted.first_attempt_at is not None
    # Signed now and begun a minute before: 59 minutes more, and it is older than an hour.
    soon = msgspec.structs.replace(wanted, first_attempt_at=wanted.first_attempt_at + timedelta(minutes=58))
    later = msgspec.structs.replace(wanted, first_attempt_at=wanted.first_attempt_at + timedelta(minutes=60))
    never = msgspec.structs.replace(wanted, first_attempt_at=None)
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        await signer.sign(tenant(hierarchy), wanted)
        assert len(await signer.find(tenant(hierarchy), soon)) == 1
        assert await signer.find(tenant(hierarchy), later) == ()
        assert await signer.find(tenant(hierarchy), never) == ()


async def test_more_names_than_a_list_shows_and_more_certificates_than_a_page_has(
    openbao: OpenBao, hierarchy: Hierarchy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So many that some serials begin with the same octet, and a page ends between them.
    monkeypatch.setattr(store, "_PAGE", 1)
    wanted = intent([f"n{number}.many.alpha.example" for number in range(12)])
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await asyncio.gather(*(signer.sign(tenant(hierarchy), wanted) for _ in range(60)))
        found = await signer.find(tenant(hierarchy), wanted)
    assert {one.leaf for one in found} == {one.leaf for one in signed}


async def test_a_server_without_detailed_lists_is_searched_by_serial(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """As HashiCorp's is: here a policy takes the detailed list away. What was too old is read only once."""
    policy = 'path "pki/sign/acme" { capabilities = ["update"] } path "pki/certs" { capabilities = ["list"] }'
    await as_root(openbao, "POST", "sys/policies/acl/plain", "admin/alpha", {"policy": policy})
    body = {"policies": ["plain"], "ttl": "1h"}
    made = await as_root(openbao, "POST", "auth/token/create", "admin/alpha", body)
    login = TokenLogin(Secret(made["auth"]["client_token"]))
    wanted = intent(["plain.alpha.example"])
    assert wanted.first_attempt_at is not None
    later = msgspec.structs.replace(wanted, first_attempt_at=wanted.first_attempt_at + timedelta(hours=1))
    async with cutting_proxy(openbao.port) as proxy:
        connection = VaultConnection(f"http://127.0.0.1:{proxy.port}", login, "admin/alpha")
        async with VaultSigner({ALPHA: connection}) as signer:
            signed = await signer.sign(tenant(hierarchy), wanted)
            found = await signer.find(tenant(hierarchy), wanted)
            read = proxy.count(b"/pki/cert/")
            assert await signer.find(tenant(hierarchy), later) == ()
            assert proxy.count(b"/pki/cert/") == read
            assert proxy.count(b"/certs/detailed") == 1
        async with VaultSigner({ALPHA: connection}) as forgetful:
            assert await forgetful.find(tenant(hierarchy), later) == ()

    assert [one.leaf for one in found] == [signed.leaf]
    assert found[0].issuers == signed.issuers
