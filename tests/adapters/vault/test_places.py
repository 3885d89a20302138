"""Where certificates are signed, found and revoked: roles and issuers of profiles, other mounts, no store."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core import profile
from acmeproxy.core.account import Account
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.core.inspection import serial_text
from acmeproxy.core.tenant import Names, Profile, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError
from tests.support.acme_csr import certificate_request
from tests.support.certificates import lasts
from tests.support.openbao import as_root, intent

PLACES: Final = TenantName("places")
OLD, NEW = "pki-old", "team/pki-new"
ROLE: Final = {
    "allow_any_name": True,
    "require_cn": False,
    "use_csr_sans": False,
    "use_csr_common_name": False,
    "key_type": "any",
}
MOVED: Final = Tenant(
    PLACES,
    VaultPlace(NEW, "web"),
    Names(),
    profiles=(
        Profile("usual", ""),
        Profile("other", "", role="hour", issuer="second"),
        Profile("passing", "", role="passing", store=False),
    ),
)
ACCOUNT: Final = Account(AccountId("0a"), {}, "", datetime(2026, 3, 1, tzinfo=UTC))


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def mounts(openbao: OpenBao) -> None:
    """Make two mounts with an authority each, of which the new one has another beside it, and three roles."""
    for mount in (OLD, NEW):
        await as_root(openbao, "POST", f"sys/mounts/{mount}", body={"type": "pki"})
        await as_root(openbao, "POST", f"{mount}/root/generate/internal", body=authority(mount))
        await as_root(openbao, "POST", f"{mount}/roles/web", body=ROLE)
    await as_root(openbao, "POST", f"{NEW}/issuers/generate/root/internal", body=authority("second"))
    await as_root(openbao, "POST", f"{NEW}/roles/hour", body={**ROLE, "max_ttl": "30m"})
    await as_root(openbao, "POST", f"{NEW}/roles/passing", body={**ROLE, "no_store": True})


def authority(name: str) -> dict[str, str]:
    return {"common_name": name, "issuer_name": name.rpartition("/")[2], "key_type": "ec", "ttl": "700h"}


@pytest_asyncio.fixture
async def signer(openbao: OpenBao) -> AsyncIterator[VaultSigner]:
    login = TokenLogin(Secret(openbao.root_token))
    async with VaultSigner({PLACES: VaultConnection(openbao.address, login)}) as running:
        yield running


async def kept(openbao: OpenBao, mount: str, leaf: bytes) -> dict[str, Any] | None:
    """Return what Vault's store has of a certificate."""
    serial = serial_text(x509.load_der_x509_certificate(leaf).serial_number)
    listed = await as_root(openbao, "LIST", f"{mount}/certs")
    if serial not in listed["data"]["keys"]:
        return None
    read = await as_root(openbao, "GET", f"{mount}/cert/{serial}")
    found: dict[str, Any] = read["data"]
    return found


def at(name: str) -> Tenant:
    return MOVED.at(profile.conditions(MOVED, ACCOUNT, name).place)


async def test_a_profile_has_its_own_role_and_issuer(signer: VaultSigner) -> None:
    """PRF-09: by the path `issuer/REF/sign/ROLE`."""
    usual, other = [
        x509.load_der_x509_certificate((await signer.sign(at(name), intent(["a.example"]))).leaf)
        for name in ("usual", "other")
    ]
    assert usual.issuer.rfc4514_string() == f"CN={NEW}"
    assert other.issuer.rfc4514_string() == "CN=second"
    assert lasts(usual, timedelta(minutes=60, seconds=30))
    assert lasts(other, timedelta(minutes=30, seconds=30))


async def test_every_place_has_a_role_to_read(signer: VaultSigner) -> None:
    roles = {place.role: await signer.read_role(MOVED.at(place)) for place in profile.places(MOVED)}
    assert {name: role and (role.max_ttl, role.no_store) for name, role in roles.items()} == {
        "web": (0, False),
        "hour": (1800, False),
        "passing": (0, True),
    }


async def test_a_role_that_is_not_there_or_a_mount_that_is_not(signer: VaultSigner) -> None:
    """They may only be coming: what is known stays, and they are asked for again."""
    with pytest.raises(SigningDeferredError, match="the role was not read: Vault answered 404"):
        await signer.read_role(MOVED.at(VaultPlace(NEW, "nobody")))
    with pytest.raises(SigningDeferredError, match="no handler for route"):
        await signer.read_role(MOVED.at(VaultPlace("pki-nowhere", "web")))


async def test_who_may_not_read_a_role_has_no_preview(openbao: OpenBao) -> None:
    token = await as_root(openbao, "POST", "auth/token/create", body={"policies": ["default"]})
    login = TokenLogin(Secret(token["auth"]["client_token"]))
    async with VaultSigner({PLACES: VaultConnection(openbao.address, login)}) as poor:
        assert await poor.read_role(MOVED) is None


async def test_a_role_without_store_keeps_nothing_until_it_is_revoked(
    openbao: OpenBao, signer: VaultSigner
) -> None:
    """BYOC: Vault learns of the certificate by its revocation."""
    signed = await signer.sign(at("passing"), intent(["a.example"]))
    assert await kept(openbao, NEW, signed.leaf) is None
    await signer.revoke(at("passing"), signed.leaf)
    found = await kept(openbao, NEW, signed.leaf)
    assert found is not None
    assert found["revocation_time"] > 0
    await signer.revoke(at("passing"), signed.leaf)


async def test_of_a_tenant_that_moved_the_old_mount_finds_and_revokes(
    openbao: OpenBao, signer: VaultSigner
) -> None:
    """The new mount has never heard of the certificate (vault.md §3)."""
    wanted = intent(["moved.example"])
    signed = await signer.sign(MOVED.at_mount(OLD), wanted)
    assert x509.load_der_x509_certificate(signed.leaf).issuer.rfc4514_string() == f"CN={OLD}"
    assert await signer.find(MOVED, wanted) == ()
    assert [found.leaf for found in await signer.find(MOVED.at_mount(OLD), wanted)] == [signed.leaf]
    with pytest.raises(SigningDeferredError, match="not revoked: Vault answered 500"):
        await signer.revoke(MOVED, signed.leaf)
    await signer.revoke(MOVED.at_mount(OLD), signed.leaf)
    found = await kept(openbao, OLD, signed.leaf)
    assert found is not None
    assert found["revocation_time"] > 0


async def test_an_issuer_of_the_new_mount_is_not_asked_for_in_the_old_one(signer: VaultSigner) -> None:
    wanted = intent(["moved.example"])
    signed = await signer.sign(MOVED.at_mount(OLD), wanted)
    found = await signer.find(at("other").at_mount(OLD), wanted)
    assert [one.leaf for one in found] == [signed.leaf]


async def test_one_that_has_expired_is_done_with(openbao: OpenBao, signer: VaultSigner) -> None:
    """Vault.md §3: 200, no data, a warning; to ask again would change nothing, ever."""
    csr = x509.load_der_x509_csr(certificate_request([])).public_bytes(Encoding.PEM).decode()
    past = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"csr": csr, "alt_names": "a.example", "not_after": past}
    answer = await as_root(openbao, "POST", f"{NEW}/sign/web", body=body)
    leaf = x509.load_pem_x509_certificate(answer["data"]["certificate"].encode()).public_bytes(Encoding.DER)
    await signer.revoke(MOVED, leaf)
    found = await kept(openbao, NEW, leaf)
    assert found is not None
    assert not found["revocation_time"]


async def test_an_authority_is_not_revoked_as_if_it_were_a_leaf(
    openbao: OpenBao, signer: VaultSigner
) -> None:
    pem = (await as_root(openbao, "GET", f"{NEW}/issuer/default/json"))["data"]["certificate"]
    authority_ = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    with pytest.raises(SigningDeferredError, match="not revoked: Vault answered 400"):
        await signer.revoke(MOVED, authority_)


async def test_where_it_was_signed_is_empty_for_older_records() -> None:
    """Then the tenant's present mount is the only one that we know of."""
    assert MOVED.at_mount("") is MOVED
    assert MOVED.at_mount(NEW) is MOVED
    assert MOVED.at_mount(OLD).vault == VaultPlace(OLD, "web")
    assert at("other").at_mount(OLD).vault == VaultPlace(OLD, "hour")
    assert msgspec.structs.replace(MOVED.at_mount(OLD), vault=MOVED.vault) == MOVED
