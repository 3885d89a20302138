"""What is said of a role's refusals, and what is let through because we do not know."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from acmeproxy.core import role
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.role import Role

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: As OpenBao tells a role that allows nothing.
STRICT: Final[dict[str, Any]] = {
    "allowed_domains": ["a.example", "b*.example"],
    "allowed_domains_template": False,
    "allow_bare_domains": False,
    "allow_subdomains": False,
    "allow_wildcard_certificates": False,
    "allow_glob_domains": False,
    "allow_any_name": False,
    "allow_localhost": False,
    "allow_token_displayname": False,
    "allow_ip_sans": False,
    "allowed_ip_sans_cidr": [],
    "enforce_hostnames": True,
    "require_cn": True,
    "use_csr_common_name": True,
    "key_type": "ec",
    "key_bits": 384,
    "ttl": 0,
    "max_ttl": 3600,
    "not_after_bound": "ttl-limited",
}


def told(**change: object) -> Role:
    return role.read("web", {**STRICT, **change})


def dns(name: str) -> Identifier:
    return Identifier(IdentifierType.DNS, name)


def ip(address: str) -> Identifier:
    return Identifier(IdentifierType.IP, address)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a.example", "does not allow bare domains (allow_bare_domains = false)"),
        ("w.a.example", "does not allow subdomains (allow_subdomains = false)"),
        ("*.a.example", "does not allow wildcards (allow_wildcard_certificates = false)"),
        ("bb.example", "does not take its domains as patterns (allow_glob_domains = false)"),
        ("x.localhost", "does not allow localhost (allow_localhost = false)"),
        ("c.example", "allows other domains only (allowed_domains = a.example, b*.example)"),
        ("a_b.example", "allows host names only (enforce_hostnames = true)"),
    ],
)
def test_a_name_is_refused_with_the_rule(name: str, rule: str) -> None:
    assert told().refuses(dns(name)) == rule


@pytest.mark.parametrize("name", ["*.*.a.example", "w.*.a.example"])
def test_one_wildcard_is_allowed_in_the_first_label(name: str) -> None:
    open_to_all = told(allow_wildcard_certificates=True, allow_any_name=True)
    assert open_to_all.refuses(dns(name)) == "allows one wildcard, in the first label"


def test_of_many_domains_the_first_are_shown() -> None:
    many = told(allowed_domains=[f"{n}.example" for n in range(7)])
    assert many.refuses(dns("c.test")) == (
        "allows other domains only "
        "(allowed_domains = 0.example, 1.example, 2.example, 3.example, 4.example, ...)"
    )
    assert told(allowed_domains=[]).refuses(dns("c.test")) == (
        "allows other domains only (allowed_domains = none)"
    )


def test_an_address_is_refused_with_the_rule() -> None:
    assert told().refuses(ip("10.0.0.1")) == "does not allow addresses (allow_ip_sans = false)"
    ranged = told(allow_ip_sans=True, allowed_ip_sans_cidr=["10.0.0.0/8", "fd00::/8"])
    assert ranged.refuses(ip("10.0.0.1")) is None
    assert ranged.refuses(ip("11.0.0.1")) == "allows addresses in 10.0.0.0/8, fd00::/8 only"


def test_a_key_is_refused_with_the_rule() -> None:
    small, large = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
    other = ed25519.Ed25519PrivateKey.generate()
    assert told().refuses_key(large.public_key()) is None
    assert told().refuses_key(small.public_key()) == "takes ec keys of at least 384 bits (key_bits = 384)"
    assert told().refuses_key(other.public_key()) == "takes keys of type ec only (key_type = ec)"
    weak = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - is to be refused
    assert told(key_type="any", key_bits=0).refuses_key(weak) == (
        "takes rsa keys of at least 2048 bits (key_bits = 0)"
    )


def test_an_end_is_refused_with_the_rule() -> None:
    hour, day = NOW + timedelta(hours=1), NOW + timedelta(days=1)
    assert told().refuses_end(hour, NOW) is None
    rule = "has certificates for at most 3600 seconds (not_after_bound = ttl-limited)"
    assert told().refuses_end(hour + timedelta(seconds=1), NOW) == rule
    assert told(ttl=60).refuses_end(hour, NOW) is not None
    forbidding = told(not_after_bound="forbid")
    assert forbidding.refuses_end(hour, NOW) == (
        "does not let an order choose notAfter (not_after_bound = forbid)"
    )
    until = told(not_after_bound="2026-03-01T13:00:00Z")
    assert until.refuses_end(hour, NOW) is None
    assert until.refuses_end(day, NOW) == "ends at 2026-03-01T13:00:00Z (not_after_bound)"


def test_a_common_name_is_wanted_of_the_csr_where_it_is_taken_from_there() -> None:
    assert told().refuses_subject(common_name=True) is None
    assert told().refuses_subject(common_name=False) == "wants a common name in the CSR (require_cn = true)"
    # We never send one: the operator's mistake, for which no client is refused.
    assert told(use_csr_common_name=False).refuses_subject(common_name=False) is None


#: Allows every name that is asked for below, each by another rule.
GENEROUS: Final[dict[str, Any]] = {
    **STRICT,
    **dict.fromkeys(("allow_bare_domains", "allow_subdomains", "allow_wildcard_certificates"), True),
    **dict.fromkeys(("allow_glob_domains", "allow_localhost", "allow_ip_sans"), True),
    "allowed_ip_sans_cidr": ["10.0.0.0/8"],
    "key_bits": 256,
}


@pytest.mark.parametrize("key", sorted(GENEROUS))
@pytest.mark.parametrize("value", [None, {"a": 1}, [[]], 3.5], ids=str)
def test_what_is_not_told_in_a_way_that_we_know_is_let_through(key: str, value: object) -> None:
    """Another version may write it otherwise: that must refuse nothing that the present one signs."""
    odd = role.read("web", {**GENEROUS, key: value})
    names = [dns(name) for name in ("a.example", "w.a.example", "*.a.example", "bb.example", "x.localhost")]
    for name in [*names, ip("10.0.0.1")]:
        assert odd.refuses(name) is None
    assert odd.refuses_key(ec.generate_private_key(ec.SECP256R1()).public_key()) is None
    assert odd.refuses_end(NOW + timedelta(hours=1), NOW) is None


def test_what_nobody_can_count_with_is_not_told() -> None:
    """JSON has numbers without an end, which no document of ours can hold."""
    assert role.read("web", {**STRICT, "max_ttl": 10**400, "key_bits": -(10**400)}) == role.read(
        "web", {**STRICT, "max_ttl": None, "key_bits": None}
    )


def test_of_a_role_of_which_nothing_is_told_nothing_is_refused() -> None:
    unknown = role.read("web", {})
    assert unknown == Role("web")
    for name in ("a.example", "*.a.example", "localhost"):
        assert unknown.refuses(dns(name)) is None
    assert unknown.refuses(ip("10.0.0.1")) is None
    assert unknown.refuses_key(ec.generate_private_key(ec.SECP224R1()).public_key()) is None
    assert unknown.refuses_end(NOW + timedelta(days=9999), NOW) is None
    assert unknown.refuses_subject(common_name=False) is None


@pytest.mark.parametrize(
    "change",
    [
        {"allowed_domains": ["{{identity.entity.metadata.zone}}"], "allowed_domains_template": True},
        {"allow_token_displayname": True},
        {"allow_any_name": True},
    ],
)
def test_names_that_only_vault_can_judge_are_let_through(change: dict[str, object]) -> None:
    assert told(**change).refuses(dns("c.example")) is None
    # What is refused whatever the name is, is refused here too.
    assert told(**change).refuses(dns("*.c.example")) is not None


@pytest.mark.parametrize(
    "change", [{"key_type": "ml-kem"}, {"key_type": ""}, {"not_after_bound": "soon"}, {"key_bits": "384"}]
)
def test_words_that_nobody_has_thought_of_yet_refuse_nothing(change: dict[str, object]) -> None:
    odd = told(**change)
    assert odd.refuses_key(ec.generate_private_key(ec.SECP384R1()).public_key()) is None
    assert odd.refuses_end(NOW + timedelta(minutes=5), NOW) is None


def test_a_kind_of_key_that_we_do_not_know_is_left_to_vault() -> None:
    assert told().refuses_key(ed448.Ed448PrivateKey.generate().public_key()) is None


def test_an_older_server_writes_lists_as_words() -> None:
    older = told(allowed_domains="a.example,b.example", allow_bare_domains=True, allowed_ip_sans_cidr="no")
    assert older.refuses(dns("b.example")) is None
    assert older.refuses(dns("c.example")) is not None
    assert told(allow_ip_sans=True, allowed_ip_sans_cidr=["junk"]).refuses(ip("10.0.0.1")) is None
