"""What the operator has to mend keeps the order waiting, and is never the client's fault (FIN-22, INV-12)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec
import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError
from tests.support.openbao import as_root, intent

MISMADE: Final = Tenant(TenantName("mismade"), VaultPlace("pki-mismade", "web"), Names())
ROLE: Final = {
    "allow_any_name": True,
    "require_cn": False,
    "use_csr_sans": False,
    "use_csr_common_name": False,
    "key_type": "any",
    "max_ttl": "48h",
}


class Mount:
    """A PKI of its own, which its operator can make mistakes in."""

    def __init__(self, server: OpenBao) -> None:
        self._server = server

    async def write(self, path: str, **body: Any) -> Any:  # noqa: ANN401 - as Vault answers
        return (await as_root(self._server, "POST", f"pki-mismade/{path}", body=body)).get("data")

    async def delete(self, path: str) -> None:
        await as_root(self._server, "DELETE", f"pki-mismade/{path}")

    async def authority(self, name: str = "issuing-1", ttl: str = "700h") -> Any:  # noqa: ANN401 - as Vault answers
        return await self.write(
            "root/generate/internal", common_name=name, issuer_name=name, key_type="ec", ttl=ttl
        )


@pytest_asyncio.fixture
async def mount(openbao: OpenBao) -> AsyncIterator[Mount]:
    """Mount a PKI with a role and without an authority, for one test."""
    await as_root(openbao, "POST", "sys/mounts/pki-mismade", body={"type": "pki"})
    found = Mount(openbao)
    await found.write("roles/web", **ROLE)
    yield found
    await as_root(openbao, "DELETE", "sys/mounts/pki-mismade")


async def no_authority(_: Mount) -> None:
    pass


async def unknown_issuer(mount: Mount) -> None:
    await mount.authority()
    await mount.write("roles/web", **ROLE, issuer_ref="nobody")


async def authority_without_its_key(mount: Mount) -> None:
    made = await mount.authority()
    await mount.delete(f"issuer/{made['issuer_id']}")
    await mount.delete(f"key/{made['key_id']}")
    imported = await mount.write("issuers/import/cert", pem_bundle=made["certificate"])
    await mount.write("config/issuers", default=imported["imported_issuers"][0])


async def authority_that_may_not_sign(mount: Mount) -> None:
    await mount.authority()
    await mount.write("issuer/default", issuer_name="issuing-1", usage="read-only,crl-signing")


async def urls_without_a_cluster_path(mount: Mount) -> None:
    await mount.authority()
    await mount.write(
        "config/urls",
        enable_templating=True,
        issuing_certificates="{{cluster_aia_path}}/issuer/{{issuer_id}}/ca",
    )


async def authority_about_to_end(mount: Mount) -> None:
    await mount.authority(ttl="30m")


async def common_name_wanted(mount: Mount) -> None:
    await mount.authority()
    await mount.write("roles/web", **{**ROLE, "require_cn": True})


@pytest.mark.parametrize(
    ("mistake", "reason"),
    [
        (no_authority, "could not fetch the CA certificate"),
        (unknown_issuer, "unable to find PKI issuer for reference"),
        (authority_without_its_key, "unable to fetch corresponding key for issuer"),
        (authority_that_may_not_sign, "requested usage issuing-certificates"),
        (urls_without_a_cluster_path, "we lack local cluster address information"),
        (authority_about_to_end, "cannot satisfy request, as TTL would result in notAfter"),
        (common_name_wanted, "the common_name field is required"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_mistake_defers(
    mistake: Callable[[Mount], Awaitable[None]], reason: str, mount: Mount, openbao: OpenBao
) -> None:
    """Vault.md §2: nothing was signed, and the order goes on as soon as it is mended."""
    await mistake(mount)
    login = TokenLogin(Secret(openbao.root_token))
    async with VaultSigner({MISMADE.name: VaultConnection(openbao.address, login)}) as signer:
        with pytest.raises(SigningDeferredError) as caught:
            await signer.sign(MISMADE, intent(["a.example"], lifetime=7200))
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (VaultPlace("pki-mismade", "nobody"), "unknown role: nobody"),
        (VaultPlace("pki-nowhere", "web"), "no handler for route"),
    ],
)
async def test_a_place_that_is_not_there_defers(
    place: VaultPlace, reason: str, mount: Mount, openbao: OpenBao
) -> None:
    await mount.authority()
    login = TokenLogin(Secret(openbao.root_token))
    async with VaultSigner({MISMADE.name: VaultConnection(openbao.address, login)}) as signer:
        with pytest.raises(SigningDeferredError) as caught:
            await signer.sign(MISMADE.at(place), intent(["a.example"]))
    assert reason in str(caught.value)


async def test_a_namespace_that_is_not_there_defers(openbao: OpenBao) -> None:
    place = msgspec.structs.replace(MISMADE.vault, namespace="nowhere")
    login = TokenLogin(Secret(openbao.root_token))
    async with VaultSigner({MISMADE.name: VaultConnection(openbao.address, login, "nowhere")}) as signer:
        with pytest.raises(SigningDeferredError, match="the login did not work"):
            await signer.sign(MISMADE.at(place), intent(["a.example"]))


async def test_a_policy_that_does_not_let_us_sign_defers(mount: Mount, openbao: OpenBao) -> None:
    """No client is told 403, and none is told to stop."""
    await mount.authority()
    token = await as_root(openbao, "POST", "auth/token/create", body={"policies": ["default"]})
    login = TokenLogin(Secret(token["auth"]["client_token"]))
    async with VaultSigner({MISMADE.name: VaultConnection(openbao.address, login)}) as signer:
        with pytest.raises(SigningDeferredError, match="Vault answered 403"):
            await signer.sign(MISMADE, intent(["a.example"]))


async def test_a_quota_defers(mount: Mount, openbao: OpenBao) -> None:
    """A 429 is the operator's limit, not the client's: it waits."""
    await mount.authority()
    quota = {"path": "pki-mismade/", "rate": 1, "interval": "60s"}
    await as_root(openbao, "POST", "sys/quotas/rate-limit/mismade", body=quota)
    login = TokenLogin(Secret(openbao.root_token))
    try:
        async with VaultSigner({MISMADE.name: VaultConnection(openbao.address, login)}) as signer:
            await signer.sign(MISMADE, intent(["a.example"]))
            with pytest.raises(SigningDeferredError, match="Vault answered 429"):
                await signer.sign(MISMADE, intent(["a.example"]))
    finally:
        await as_root(openbao, "DELETE", "sys/quotas/rate-limit/mismade")
