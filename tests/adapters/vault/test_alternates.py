"""Other chains of a certificate, from every issuer that a mount knows (RFC 8555 §7.4.2)."""

from pathlib import Path

import pytest
from cryptography import x509

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant
from tests.support.cross_signing import CrossSigned, cross_signed
from tests.support.cutting_proxy import Cut, cutting_proxy
from tests.support.openbao import connections, intent, tenant

CROSSED = TenantName("crossed")


@pytest.fixture(scope="module")
def names() -> Names:
    return Names(("crossed.example",))


@pytest.fixture
async def crossed(openbao: OpenBao, hierarchy: Hierarchy, pki_directory: Path) -> CrossSigned:
    """Return a tenant that has one more certificate for its authority with every test."""
    assert hierarchy.root.parent == pki_directory
    return await cross_signed(openbao, pki_directory, CROSSED, "crossed.example")


def at(crossed: CrossSigned, port: int) -> dict[TenantName, VaultConnection]:
    connection = VaultConnection(f"http://127.0.0.1:{port}", crossed.pki.login, crossed.pki.place.namespace)
    return {CROSSED: connection}


async def test_an_authority_that_two_roots_signed_gives_two_chains(
    openbao: OpenBao, crossed: CrossSigned, names: Names
) -> None:
    """CRT-04: also for what is found in the store."""
    wanted = intent(["www.crossed.example"])
    who = Tenant(CROSSED, crossed.pki.place, names)
    async with VaultSigner(at(crossed, openbao.port)) as signer:
        signed = await signer.sign(who, wanted)
        (found,) = await signer.find(who, wanted)
    assert (crossed.other,) in signed.alternates
    assert signed.issuers not in signed.alternates
    assert found.alternates == signed.alternates
    leaf = x509.load_der_x509_certificate(signed.leaf)
    for first, *_ in (signed.issuers, *signed.alternates):
        leaf.verify_directly_issued_by(x509.load_der_x509_certificate(first))


async def test_an_authority_of_one_root_gives_one(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))
    assert signed.alternates == ()


async def test_issuers_are_read_once_a_minute(openbao: OpenBao, crossed: CrossSigned, names: Names) -> None:
    """The main path is one request, as before."""
    who = Tenant(CROSSED, crossed.pki.place, names)
    async with cutting_proxy(openbao.port) as proxy, VaultSigner(at(crossed, proxy.port)) as signer:
        await signer.sign(who, intent(["www.crossed.example"]))
        asked = proxy.count(b"/pki/issuer/")
        for _ in range(3):
            await signer.sign(who, intent(["www.crossed.example"]))
        assert proxy.count(b"/pki/sign/") == 4
        assert proxy.count(b"/pki/issuers") == 1
        assert proxy.count(b"/pki/issuer/") == asked > 1


@pytest.mark.parametrize("needle", [b"/pki/issuers", b"/pki/issuer/"])
async def test_issuers_that_cannot_be_read_hold_nothing_back(
    openbao: OpenBao, crossed: CrossSigned, names: Names, needle: bytes
) -> None:
    who = Tenant(CROSSED, crossed.pki.place, names)
    async with cutting_proxy(openbao.port) as proxy, VaultSigner(at(crossed, proxy.port)) as signer:
        proxy.cut(needle, Cut.REPLY)
        signed = await signer.sign(who, intent(["www.crossed.example"]))
    assert signed.alternates == ()
    assert len(signed.issuers) == 2
