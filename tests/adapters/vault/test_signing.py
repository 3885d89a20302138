import ipaddress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.tenant import VaultPlace
from acmeproxy.services.ports import Signed, SigningDeferredError, SigningRefusedError
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.certificates import lasts
from tests.support.openbao import ALPHA, BETA, as_root, connections, intent, tenant


def leaf_of(signed: Signed) -> x509.Certificate:
    return x509.load_der_x509_certificate(signed.leaf)


def names_of(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


async def test_a_certificate_has_exactly_the_orders_names_and_the_requests_key(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    key = certificate_key()
    wanted = intent(["www.alpha.example", "*.alpha.example", "alpha.example"], key=key, lifetime=7200)

    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await signer.sign(tenant(hierarchy), wanted)

    leaf = leaf_of(signed)
    assert names_of(leaf) == {"www.alpha.example", "*.alpha.example", "alpha.example"}
    assert leaf.public_key() == key.public_key()
    assert leaf.subject == x509.Name([])
    # An hour twice, and the role's minute before it.
    assert lasts(leaf, timedelta(seconds=7260))
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert len(signed.request_id) == 36


async def test_the_issuers_lead_to_the_root_that_vault_does_not_hold(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))

    issuers = [x509.load_der_x509_certificate(issuer) for issuer in signed.issuers]
    root = x509.load_pem_x509_certificate(hierarchy.root.read_bytes())
    assert [issuer.subject.rfc4514_string() for issuer in issuers] == [
        "CN=acmeproxy development alpha CA",
        "CN=acmeproxy development signing CA",
    ]
    verifier = (
        PolicyBuilder()
        .store(Store([root]))
        .time(datetime.now(UTC))
        .build_server_verifier(x509.DNSName("www.alpha.example"))
    )
    assert len(verifier.verify(leaf_of(signed), issuers)) == 4


async def test_names_that_only_the_request_has_are_not_signed(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    key = certificate_key()
    csr = certificate_request(["sneaky.alpha.example", "10.0.0.1"], key, common_name="cn.alpha.example")
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await signer.sign(tenant(hierarchy), intent(["www.alpha.example"], key=key, csr=csr))
    assert names_of(leaf_of(signed)) == {"www.alpha.example"}
    assert leaf_of(signed).subject == x509.Name([])


@pytest.mark.parametrize("name", ["www.beta.example", "alpha.example.org", "10.1.2.3"])
async def test_the_role_refuses_the_names_of_others(
    name: str, openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """INV-14."""
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        with pytest.raises(SigningRefusedError, match="Vault answered 400"):
            await signer.sign(tenant(hierarchy), intent([name]))


async def test_a_tenants_token_signs_in_no_other_namespace(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """INV-4, INV-14."""
    alphas_login = connections(hierarchy, openbao.port)[ALPHA]
    crossed = {BETA: msgspec.structs.replace(alphas_login, namespace="admin/beta")}
    async with VaultSigner(crossed) as signer:
        with pytest.raises(SigningDeferredError, match="the login did not work"):
            await signer.sign(tenant(hierarchy, BETA), intent(["www.beta.example"]))


async def test_a_tenant_whose_place_is_not_its_connections_is_not_served(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """INV-4."""
    moved = msgspec.structs.replace(tenant(hierarchy), vault=hierarchy.tenants[BETA].place)
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        with pytest.raises(SigningDeferredError, match="no connection to Vault is configured"):
            await signer.sign(moved, intent(["www.beta.example"]))


@pytest.mark.parametrize(
    "place",
    [
        VaultPlace("pki/../sys", "acme", "admin/alpha"),
        VaultPlace("pki", "../../sys/seal", "admin/alpha"),
        VaultPlace("pki", "acme/", "admin/alpha"),
        VaultPlace("pki", "acme", "admin/alpha", "de/fault"),
        VaultPlace("", "acme", "admin/alpha"),
        VaultPlace("pki", "ａcme", "admin/alpha"),  # noqa: RUF001 - a letter that only looks plain
    ],
)
async def test_a_path_that_leads_elsewhere_is_not_asked(
    place: VaultPlace, openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """INV-4."""
    crooked = msgspec.structs.replace(tenant(hierarchy), vault=place)
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        with pytest.raises(SigningDeferredError, match="is not a name of"):
            await signer.sign(crooked, intent(["www.alpha.example"]))


async def test_an_issuer_of_the_tenants_choice_signs_with_a_token_that_never_ends(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    place = msgspec.structs.replace(hierarchy.tenants[ALPHA].place, issuer="default")
    chosen = msgspec.structs.replace(tenant(hierarchy), vault=place)
    login = TokenLogin(Secret(openbao.root_token))
    async with VaultSigner({ALPHA: VaultConnection(openbao.address, login, "admin/alpha")}) as signer:
        signed = await signer.sign(chosen, intent(["www.alpha.example"]))
    assert names_of(leaf_of(signed)) == {"www.alpha.example"}


@pytest.mark.parametrize(
    ("role", "change", "reason"),
    [
        ("needs-cn", {"use_csr_common_name": False}, "common_name field is required"),
        ("unknown", None, "unknown role"),
    ],
)
async def test_a_mistake_in_the_configuration_ends_no_order(
    role: str, change: dict[str, bool] | None, reason: str, openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """INV-12: the order waits until the operator has put it right."""
    if change is not None:
        body = {"allowed_domains": ["alpha.example"], "allow_subdomains": True, "key_type": "any"}
        await as_root(openbao, "POST", f"pki/roles/{role}", "admin/alpha", {**body, **change})
    place = msgspec.structs.replace(hierarchy.tenants[ALPHA].place, role=role)
    login = TokenLogin(Secret(openbao.root_token))
    async with VaultSigner({ALPHA: VaultConnection(openbao.address, login, "admin/alpha")}) as signer:
        with pytest.raises(SigningDeferredError, match=reason):
            await signer.sign(
                msgspec.structs.replace(tenant(hierarchy), vault=place), intent(["www.alpha.example"])
            )


async def test_a_lifetime_beyond_the_roles_is_capped_and_told(
    openbao: OpenBao, hierarchy: Hierarchy, capsys: pytest.CaptureFixture[str]
) -> None:
    async with VaultSigner(connections(hierarchy, openbao.port)) as signer:
        signed = await signer.sign(tenant(hierarchy), intent(["www.alpha.example"], lifetime=31 * 86400))
    leaf = leaf_of(signed)
    assert lasts(leaf, timedelta(hours=720, seconds=60))
    assert "longer than permitted maxTTL" in capsys.readouterr().out


async def test_addresses_are_sent_apart_from_names(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    body = {"allow_ip_sans": True, "require_cn": False, "use_csr_sans": False, "key_type": "any"}
    await as_root(openbao, "POST", "pki/roles/addresses", "admin/alpha", body)
    place = msgspec.structs.replace(hierarchy.tenants[ALPHA].place, role="addresses")
    login = TokenLogin(Secret(openbao.root_token))
    async with VaultSigner({ALPHA: VaultConnection(openbao.address, login, "admin/alpha")}) as signer:
        signed = await signer.sign(
            msgspec.structs.replace(tenant(hierarchy), vault=place), intent(["10.1.2.3"])
        )
    names = leaf_of(signed).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.1.2.3")]
    assert leaf_of(signed).public_bytes(Encoding.DER) == signed.leaf
