import pytest
from cryptography import x509

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.support.cutting_proxy import Cut, cutting_proxy
from tests.support.openbao import ALPHA, BETA, as_root, connections, intent, tenant


async def revoked(openbao: OpenBao, leaf: bytes) -> bool:
    number = x509.load_der_x509_certificate(leaf).serial_number
    # Without leading zeros, as Vault has it.
    serial = number.to_bytes((number.bit_length() + 7) // 8, "big").hex(":")
    read = await as_root(openbao, "GET", f"pki/cert/{serial}", "admin/alpha")
    return bool(read["data"]["revocation_time"])


async def test_a_certificate_is_revoked_and_once_more_is_fine(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """K22, K23."""
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await signer.sign(tenant(hierarchy), intent(["gone.alpha.example"]))
        assert not await revoked(openbao, signed.leaf)
        await signer.revoke(tenant(hierarchy), signed.leaf)
        assert await revoked(openbao, signed.leaf)
        await signer.revoke(tenant(hierarchy), signed.leaf)


async def test_a_lost_answer_is_no_revocation_until_it_is_asked_again(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """K22."""
    async with (
        cutting_proxy(openbao.port) as proxy,
        VaultSigner(connections(hierarchy, proxy.port)) as signer,
    ):
        signed = await signer.sign(tenant(hierarchy), intent(["gone.alpha.example"]))
        proxy.cut(b"/pki/revoke", Cut.REPLY)
        with pytest.raises(SigningDeferredError, match="no answer to the revocation"):
            await signer.revoke(tenant(hierarchy), signed.leaf)
        await signer.revoke(tenant(hierarchy), signed.leaf)
    assert await revoked(openbao, signed.leaf)


async def test_another_tenants_mount_does_not_revoke_it(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """VLT-16."""
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await signer.sign(tenant(hierarchy, ALPHA), intent(["mine.alpha.example"]))
        with pytest.raises(SigningDeferredError, match="not revoked: Vault answered 500"):
            await signer.revoke(tenant(hierarchy, BETA), signed.leaf)
    assert not await revoked(openbao, signed.leaf)


@pytest.mark.parametrize(
    "body",
    [
        {"data": None, "warnings": ["a warning of another kind"]},
        {"data": {"state": "pending"}},
        {"data": {}},
    ],
)
async def test_a_yes_that_does_not_say_revoked_is_no_yes(
    body: dict[str, object], openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await signer.sign(tenant(hierarchy), intent(["gone.alpha.example"]))
    lease = {"client_token": "s.t", "lease_duration": 3600, "renewable": True}
    answer = http_answer(200, {"auth": lease, **body})
    async with canned_vault(answer) as vault, VaultSigner(connections(hierarchy, vault.port)) as signer:
        with pytest.raises(SigningDeferredError, match="not revoked"):
            await signer.revoke(tenant(hierarchy), signed.leaf)


async def test_an_expired_certificate_is_done_with(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """Vault does nothing then and says so: asking again would change nothing, ever."""
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await signer.sign(tenant(hierarchy), intent(["gone.alpha.example"]))
    lease = {"client_token": "s.t", "lease_duration": 3600, "renewable": True}
    warning = "certificate with serial 11:22 already expired; refusing to add to CRL."
    answer = http_answer(200, {"auth": lease, "data": None, "warnings": [warning]})
    async with canned_vault(answer) as vault, VaultSigner(connections(hierarchy, vault.port)) as signer:
        await signer.revoke(tenant(hierarchy), signed.leaf)
