"""The table of refusals (vault.md §2), row by row: a real OpenBao refuses, and the client is told why."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.ids import TenantName
from acmeproxy.core.order import Intent
from acmeproxy.core.problem import Problem
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError, SigningRefusedError
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.support import der
from tests.support.acme_csr import Builder, certificate_request
from tests.support.acme_keys import PrivateKey
from tests.support.csr_vectors import from_openssl
from tests.support.openbao import ALPHA, as_root, intent, tenant
from tests.support.problems import URN, assert_problem

PLAIN: Final = {
    "allowed_domains": ["alpha.example"],
    "allow_subdomains": True,
    "allow_localhost": False,
    "require_cn": False,
    "use_csr_sans": False,
    "use_csr_common_name": False,
    "key_type": "any",
}
NAME: Final = "www.alpha.example"
BEYOND: Final = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)


async def asked(openbao: OpenBao, hierarchy: Hierarchy, change: dict[str, Any], wanted: Intent) -> None:
    """Have an intent signed by a role."""
    await as_root(openbao, "POST", "pki/roles/refusing", "admin/alpha", {**PLAIN, **change})
    place = msgspec.structs.replace(hierarchy.tenants[ALPHA].place, role="refusing")
    login = TokenLogin(Secret(openbao.root_token))
    async with VaultSigner({ALPHA: VaultConnection(openbao.address, login, "admin/alpha")}) as signer:
        await signer.sign(tenant(hierarchy).at(place), wanted)


async def refusal(openbao: OpenBao, hierarchy: Hierarchy, change: dict[str, Any], wanted: Intent) -> Problem:
    """Return what the client is told, which repeats nothing of Vault's words."""
    with pytest.raises(SigningRefusedError) as caught:
        await asked(openbao, hierarchy, change, wanted)
    found = caught.value.problem
    assert found is not None, caught.value
    assert_problem(msgspec.to_builtins(found))
    for words in ("Subject Alternative", "subject alternate", "this role", "CSR's key is", "Vault answered"):
        assert words not in found.detail
    return found


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, "alpha.example"),
        ({"allow_subdomains": False, "allow_bare_domains": True}, NAME),
        ({"allow_wildcard_certificates": False}, "*.alpha.example"),
        ({"allowed_domains": ["w*.example"], "allow_subdomains": False}, "www.example"),
        ({}, "x.localhost"),
        ({}, "www.beta.example"),
        ({"allowed_domains": ["Alpha.Example"]}, NAME),
    ],
    ids=["bare", "subdomain", "wildcard", "glob", "localhost", "domain", "case"],
)
async def test_a_name(change: dict[str, Any], name: str, openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """Only the one that is refused is named."""
    also = {"allowed_domains": [*change.get("allowed_domains", PLAIN["allowed_domains"]), "good.example"]}
    wanted = intent([name] if "allow_subdomains" in change else ["a.good.example", name])
    found = await refusal(openbao, hierarchy, {**change, **also}, wanted)
    assert (found.type, found.status) == (f"{URN}rejectedIdentifier", 400)
    assert [sub.identifier.value for sub in found.subproblems if sub.identifier] == [name]
    advice = "ask the PKI team, or order again without it [ref ROLE-NAME]"
    assert found.detail == f"{name} is not allowed by the vault role: {advice}"


async def test_a_name_in_the_csrs_own_case(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """Such a role takes the names of the CSR, and Vault tells cases apart; the order's spelling is shown."""
    wanted = msgspec.structs.replace(intent([NAME]), csr=certificate_request(["WWW.Alpha.Example"]))
    found = await refusal(openbao, hierarchy, {"use_csr_sans": True}, wanted)
    assert [sub.identifier.value for sub in found.subproblems if sub.identifier] == [NAME]
    assert "WWW" not in found.detail


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"allow_ip_sans": False}, ["10.0.0.1", "11.0.0.1"]),
        ({"allow_ip_sans": True, "allowed_ip_sans_cidr": ["10.0.0.0/8"]}, ["11.0.0.1"]),
    ],
)
async def test_an_address(
    change: dict[str, Any], refused: list[str], openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    found = await refusal(openbao, hierarchy, change, intent([NAME, "10.0.0.1", "11.0.0.1"]))
    assert (found.type, found.status) == (f"{URN}rejectedIdentifier", 400)
    assert [sub.identifier.value for sub in found.subproblems if sub.identifier] == refused


def other_name(builder: Builder) -> Builder:
    name = x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x01a")
    return builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)


def uri(builder: Builder) -> Builder:
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("https://www.alpha.example")])
    return builder.add_extension(names, critical=False)


NUMBERED: Final = der.request(der.name([("2.5.4.5", der.PRINTABLE_STRING, b"77")]))


@pytest.mark.parametrize(
    ("change", "csr"),
    [
        ({"use_csr_sans": True}, certificate_request([], alter=uri)),
        ({"use_csr_sans": True}, certificate_request([], alter=other_name)),
        ({"use_csr_sans": True, "use_csr_common_name": True}, NUMBERED),
        ({}, from_openssl("secp256k1")),
        ({}, from_openssl("ed448")),
        ({}, from_openssl("pss_rsa")),
        ({}, from_openssl("md5_rsa")),
    ],
    ids=["uri", "other name", "serial number", "curve", "ed448", "pss", "md5"],
)
async def test_a_csr(change: dict[str, Any], csr: bytes, openbao: OpenBao, hierarchy: Hierarchy) -> None:
    wanted = msgspec.structs.replace(intent([NAME]), csr=csr)
    found = await refusal(openbao, hierarchy, change, wanted)
    assert (found.type, found.status) == (f"{URN}badCSR", 400)
    assert "[ref ROLE-CSR]" in found.detail


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"key_type": "rsa"}, ec.generate_private_key(ec.SECP256R1())),
        ({"key_type": "ec", "key_bits": 384}, ec.generate_private_key(ec.SECP256R1())),
        ({"key_type": "any"}, rsa.generate_private_key(65537, 1024)),  # noqa: S505 - is to be refused
    ],
    ids=["type", "size", "weak"],
)
async def test_a_key(change: dict[str, Any], key: PrivateKey, openbao: OpenBao, hierarchy: Hierarchy) -> None:
    wanted = msgspec.structs.replace(intent([NAME]), csr=certificate_request([NAME], key))
    found = await refusal(openbao, hierarchy, change, wanted)
    assert (found.type, found.status) == (f"{URN}badCSR", 400)
    assert "[ref ROLE-KEY]" in found.detail


LIFETIMES: Final[list[dict[str, Any]]] = [
    {"not_after_bound": "forbid"},
    {"not_after_bound": "ttl-limited", "max_ttl": "24h"},
    {"not_after_bound": "2026-01-01T00:00:00Z"},
]


@pytest.mark.parametrize("change", LIFETIMES, ids=str)
async def test_an_end_of_the_clients_choice(
    change: dict[str, Any], openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """The client can choose another."""
    found = await refusal(openbao, hierarchy, change, ending(BEYOND))
    assert (found.type, found.status) == (f"{URN}malformed", 400)
    assert "[ref ROLE-LIFETIME]" in found.detail


async def test_an_end_beyond_the_issuers(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """Of the client's choice it is the client's, and otherwise the operator's to mend (INV-12)."""
    late = ending(BEYOND + timedelta(days=30000))
    issuer = {"issuer_name": "issuing-1"}
    await as_root(
        openbao, "POST", "pki/issuer/default", "admin/alpha", {**issuer, "leaf_not_after_behavior": "err"}
    )
    try:
        found = await refusal(openbao, hierarchy, {"max_ttl": "876000h"}, late)
    finally:
        truncating = {**issuer, "leaf_not_after_behavior": "truncate"}
        await as_root(openbao, "POST", "pki/issuer/default", "admin/alpha", truncating)
    assert (found.type, found.status) == (f"{URN}malformed", 400)
    text = "cannot satisfy request, as TTL would result in notAfter of 2030 that is beyond the expiration"
    async with (
        canned_vault(http_answer(400, {"errors": [text]})) as vault,
        VaultSigner({CANNED.name: to(vault.port)}) as signer,
    ):
        with pytest.raises(SigningDeferredError):
            await signer.sign(CANNED, intent([NAME]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"require_cn": True}, "common_name field is required"),
        ({"issuer_ref": "nobody"}, "unable to find PKI issuer"),
    ],
)
async def test_a_mistake_of_the_operators_is_no_clients(
    change: dict[str, Any], reason: str, openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    """FIN-22, INV-12: the order stays processing until it is mended."""
    with pytest.raises(SigningDeferredError, match=reason):
        await asked(openbao, hierarchy, change, intent([NAME]))


async def test_a_mistake_of_ours_is_no_clients(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """Vault.md §2: nothing that a client could mend."""
    with pytest.raises(SigningDeferredError, match="Field validation failed"):
        await asked(openbao, hierarchy, {}, msgspec.structs.replace(intent([NAME]), lifetime=-5))


CANNED: Final = Tenant(TenantName("canned"), VaultPlace("pki", "acme"), Names())


def to(port: int) -> VaultConnection:
    return VaultConnection(f"http://127.0.0.1:{port}", TokenLogin(Secret("s.canned")))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("common name www.alpha.example not allowed by this role", "ROLE-NAME"),
        (
            "URI Subject Alternative Names are not allowed in this role, but were provided via the API",
            "ROLE-CSR",
        ),
        ("could not parse requested other SAN: nope", "ROLE-CSR"),
        ("serial_number 77 not allowed by this role", "ROLE-CSR"),
        ("user_id joe is not allowed by this role", "ROLE-CSR"),
        ("csr contains no data", "ROLE-CSR"),
        ('"csr" is empty', "ROLE-CSR"),
        ("request signature invalid", "ROLE-CSR"),
        ("email address joe@alpha.example not allowed by this role", "ROLE-CSR"),
    ],
)
async def test_what_openbao_cannot_be_brought_to_say(text: str, code: str) -> None:
    answer = http_answer(400, {"errors": [text]})
    async with canned_vault(answer) as vault, VaultSigner({CANNED.name: to(vault.port)}) as signer:
        with pytest.raises(SigningRefusedError) as caught:
            await signer.sign(CANNED, intent([NAME]))
    assert caught.value.problem is not None
    assert caught.value.problem.detail.endswith(f"[ref {code}]")


@pytest.mark.parametrize(
    "text",
    [
        "the moon is in the wrong phase",
        'a "quoted" <script>',
        "common name",
    ],
)
async def test_what_nobody_has_seen_before_is_told_to_operators_only(text: str) -> None:
    answer = http_answer(400, {"errors": [text]})
    async with canned_vault(answer) as vault, VaultSigner({CANNED.name: to(vault.port)}) as signer:
        with pytest.raises(SigningRefusedError) as caught:
            await signer.sign(CANNED, intent([NAME]))
    assert caught.value.problem is None


async def test_a_name_that_was_never_ordered_is_not_repeated() -> None:
    """What Vault quotes may be anybody's text."""
    text = "subject alternate name evil<script>.example not allowed by this role"
    answer = http_answer(400, {"errors": [text]})
    async with canned_vault(answer) as vault, VaultSigner({CANNED.name: to(vault.port)}) as signer:
        with pytest.raises(SigningRefusedError) as caught:
            await signer.sign(CANNED, intent([NAME]))
    found = caught.value.problem
    assert found is not None
    assert found.type == f"{URN}rejectedIdentifier"
    assert found.subproblems == ()
    assert "evil" not in found.detail


def ending(end: datetime) -> Intent:
    return msgspec.structs.replace(intent([NAME]), not_after=end)
