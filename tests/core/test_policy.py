"""What a tenant may have, decided name by name (A11; abuse IDN-02, 06, 07, 08)."""

import ipaddress
from datetime import UTC, datetime

import pytest
from msgspec import structs

from acmeproxy.core import policy
from acmeproxy.core.account import Account
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.core.payload import RequestedIdentifier
from acmeproxy.core.problem import Subject
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from tests.support.refusals import refused

EVERYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


def tenant(names: Names, *challenges: ChallengeType, wildcards: bool = False) -> Tenant:
    return Tenant(
        name=TenantName("web"),
        vault=VaultPlace("pki", "web"),
        names=names,
        challenges=challenges or (ChallengeType.HTTP01,),
        wildcards=wildcards,
    )


def dns(*values: str) -> list[RequestedIdentifier]:
    return [RequestedIdentifier("dns", value) for value in values]


SHOP = tenant(Names(allow=("shop.example", "*.shop.example"), deny=("admin.shop.example",)))


def test_an_order_keeps_the_clients_sequence_and_one_of_each() -> None:
    """NOR-16, IDN-04: repetitions are merged once they are in lower case."""
    assert policy.identifiers(
        SHOP, dns("b.shop.example", "A.shop.example", "a.SHOP.example", "shop.example")
    ) == (
        Identifier(IdentifierType.DNS, "b.shop.example"),
        Identifier(IdentifierType.DNS, "a.shop.example"),
        Identifier(IdentifierType.DNS, "shop.example"),
    )


def test_an_order_needs_a_name() -> None:
    """NOR-02."""
    with refused("malformed", "ORDER-SHAPE"):
        policy.identifiers(SHOP, [])


def test_an_order_takes_100_names() -> None:
    """NOR-14: counted as sent, before anything is done with them."""
    hundred = dns(*(f"{i}.shop.example" for i in range(100)))

    assert len(policy.identifiers(SHOP, hundred)) == 100
    with refused("malformed", "ORDER-SIZE"):
        policy.identifiers(SHOP, [*hundred, *dns("0.shop.example")])


def test_one_bad_name_refuses_the_order_and_is_named() -> None:
    """NOR-04, PRB-05, PRB-07: in a subproblem, as the client wrote it, so that the client can drop it."""
    with refused("rejectedIdentifier", "NAME-NOT-ALLOWED") as refusal:
        policy.identifiers(SHOP, dns("a.shop.example", "Evil.Example"))

    assert refusal.problem.identifier is None
    (about,) = refusal.problem.subproblems
    assert about.identifier == Subject("dns", "Evil.Example")
    assert about.type == "urn:ietf:params:acme:error:rejectedIdentifier"
    assert (
        refusal.detail
        == about.detail
        == (
            "evil.example is not among the names of tenant web (allowed: shop.example, *.shop.example) "
            "[ref NAME-NOT-ALLOWED]"
        )
    )


def test_several_bad_names_are_told_one_by_one() -> None:
    """PRB-06: one subproblem each, and a summary for clients that show nothing else."""
    with refused("rejectedIdentifier", "NAMES-REFUSED") as refusal:
        policy.identifiers(
            SHOP, [*dns("evil.example", "ok.shop.example", "a_b"), RequestedIdentifier("x", "y")]
        )

    assert refusal.problem.identifier is None
    assert [(p.type.rpartition(":")[2], p.identifier) for p in refusal.problem.subproblems] == [
        ("rejectedIdentifier", Subject("dns", "evil.example")),
        ("malformed", Subject("dns", "a_b")),
        ("unsupportedIdentifier", Subject("x", "y")),
    ]
    assert refusal.detail.startswith("3 identifiers are refused: evil.example is not among the names of")


def test_several_faults_of_one_type_have_that_type() -> None:
    with refused("malformed", "NAMES-REFUSED") as refusal:
        policy.identifiers(SHOP, dns("a_b.shop.example", "*"))

    assert len(refusal.problem.subproblems) == 2


def test_denied_in_another_spelling_is_denied() -> None:
    """Abuse IDN-02."""
    with refused("rejectedIdentifier", "NAME-NOT-ALLOWED"):
        policy.identifiers(SHOP, dns("ADMIN.shop.example"))


@pytest.mark.parametrize(
    "name", ["host.local", "host.internal", "a.onion", "1.168.192.in-addr.arpa", "a.test", "a.other.example"]
)
def test_special_names_need_a_rule_like_all_others(name: str) -> None:
    """Abuse IDN-06."""
    with refused("rejectedIdentifier", "NAME-NOT-ALLOWED"):
        policy.identifiers(SHOP, dns(name))


@pytest.mark.parametrize(
    ("wildcards", "challenge"),
    [(False, ChallengeType.DNS01), (True, ChallengeType.HTTP01), (True, ChallengeType.TLSALPN01)],
)
def test_a_wildcard_needs_leave_and_a_dns_challenge(*, wildcards: bool, challenge: ChallengeType) -> None:
    """IDN-12: a host cannot speak for its siblings (VAL-10)."""
    with refused("rejectedIdentifier", "NAME-WILDCARD"):
        policy.identifiers(tenant(Names(("*",)), challenge, wildcards=wildcards), dns("*.shop.example"))


def test_a_wildcard_that_can_be_proved_is_allowed() -> None:
    rules = tenant(Names(("*",)), ChallengeType.DNS01, wildcards=True)

    assert policy.identifiers(rules, dns("*.shop.example")) == (
        Identifier(IdentifierType.DNS, "*.shop.example"),
    )


def test_an_address_needs_a_challenge_that_asks_no_dns() -> None:
    """IDN-14 (VAL-11)."""
    rules = tenant(Names(ip_ranges=EVERYWHERE), ChallengeType.DNS01)

    with refused("rejectedIdentifier", "NAME-WILDCARD"):
        policy.identifiers(rules, [RequestedIdentifier("ip", "10.1.2.3")])


@pytest.mark.parametrize("name", ["b.shop.example", "*.shop.example"])
def test_an_eab_key_narrows_the_tenants_names(name: str) -> None:
    """Abuse ACC-09: both must allow."""
    narrower = Names(("a.shop.example",))
    rules = tenant(Names(("*.shop.example",)), ChallengeType.DNS01, wildcards=True)

    policy.identifiers(rules, dns("a.shop.example"), narrower)
    with refused("rejectedIdentifier", "NAME-NOT-ALLOWED") as refusal:
        policy.identifiers(rules, dns(name), narrower)
    assert "this account's EAB key (allowed: a.shop.example)" in refusal.detail
    with refused("rejectedIdentifier", "NAME-NOT-ALLOWED"):
        policy.identifiers(rules, dns("a.other.example"), Names(("*",)))


def test_an_eab_key_that_names_names_allows_no_address() -> None:
    with refused("rejectedIdentifier", "NAME-NOT-ALLOWED"):
        policy.check(
            tenant(Names(ip_ranges=EVERYWHERE)), Identifier(IdentifierType.IP, "10.1.2.3"), Names(("*",))
        )


def test_an_account_is_narrowed_by_what_its_eab_key_said() -> None:
    account = Account(AccountId("a"), {}, "t", datetime(2026, 1, 1, tzinfo=UTC))

    assert policy.narrower_names(account) is None
    assert policy.narrower_names(structs.replace(account, eab_names=("a.example",))) == Names(("a.example",))


def test_addresses_need_ranges() -> None:
    with refused("unsupportedIdentifier", "NAME-TYPE"):
        policy.identifiers(SHOP, [RequestedIdentifier("ip", "192.0.2.1")])


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.0.1", "203.0.113.9", "2001:db8::1", "fd00::1"])
def test_addresses_in_the_ranges_are_allowed(address: str) -> None:
    """IDN-15: a private address is no less an address inside a company."""
    policy.check(tenant(Names(ip_ranges=EVERYWHERE)), Identifier(IdentifierType.IP, address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - refused, not listened on
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",  # 127.0.0.1 in the form that RFC 4291 gave up
        "::ffff:7f00:1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_nobody_owns_are_refused_whatever_the_ranges_say(address: str) -> None:
    """IDN-15, abuse IDN-07: loopback, link-local, multicast, and ways to write them in another family."""
    with refused("rejectedIdentifier", "NAME-NOT-ALLOWED"):
        policy.check(tenant(Names(ip_ranges=EVERYWHERE)), Identifier(IdentifierType.IP, address))


@pytest.mark.parametrize("address", ["10.2.0.0", "192.0.2.1", "2001:db8::1"])
def test_addresses_outside_the_ranges_are_refused(address: str) -> None:
    ranges = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))

    with refused("rejectedIdentifier", "NAME-NOT-ALLOWED"):
        policy.check(tenant(Names(ip_ranges=ranges)), Identifier(IdentifierType.IP, address))


def test_names_say_nothing_about_addresses() -> None:
    with refused("unsupportedIdentifier", "NAME-TYPE"):
        policy.check(tenant(Names(("*",))), Identifier(IdentifierType.IP, "10.1.2.3"))
