"""The preview of a role agrees with what OpenBao answers, and is never the stricter one."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.core.identifier import Identifier, IdentifierType
from tests.adapters.vault.role_operator import Operator, dns, names_in, operating
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.acme_keys import PrivateKey

DOMAINS: Final[Mapping[str, dict[str, Any]]] = {
    "nothing": {},
    "bare": {"allow_bare_domains": True},
    "subdomains": {"allow_subdomains": True},
    "both": {"allow_subdomains": True, "allow_bare_domains": True},
    "no wildcards": {"allow_subdomains": True, "allow_wildcard_certificates": False},
    "anything": {"allow_any_name": True},
    "anything but wildcards": {"allow_any_name": True, "allow_wildcard_certificates": False},
    "anything, not only hosts": {"allow_any_name": True, "enforce_hostnames": False},
    "localhost": {"allow_localhost": True},
    "localhost and below": {"allow_localhost": True, "allow_subdomains": True},
    "globs": {
        "allowed_domains": ["*.alpha.example", "b*.example", "x*y*z.example"],
        "allow_glob_domains": True,
    },
    "globs without wildcards": {
        "allowed_domains": ["*.alpha.example"],
        "allow_glob_domains": True,
        "allow_wildcard_certificates": False,
    },
    "a star that is no glob": {"allowed_domains": ["*.alpha.example"], "allow_subdomains": True},
    "a star that is a name": {"allowed_domains": ["*.alpha.example"], "allow_bare_domains": True},
    "one glob for all": {"allowed_domains": ["*"], "allow_glob_domains": True},
    "no domains": {"allowed_domains": [], "allow_subdomains": True, "allow_bare_domains": True},
    "several": {"allowed_domains": ["beta.example", "alpha.example"], "allow_subdomains": True},
    "a top level": {"allowed_domains": ["example"], "allow_subdomains": True, "allow_bare_domains": True},
}
NAMES: Final = (
    "alpha.example",
    "www.alpha.example",
    "deep.er.alpha.example",
    "*.alpha.example",
    "*.www.alpha.example",
    "f*o.alpha.example",
    "*.*.alpha.example",
    "a.*.alpha.example",
    "beta.example",
    "balpha.example",
    "xqyqz.example",
    "xyz.example",
    "localhost",
    "localdomain",
    "x.localhost",
    "*.localhost",
    "a_b.alpha.example",
    "evil-alpha.example",
    "alpha.example.org",
    "xn--mnchen-3ya.alpha.example",
    "*",
    "*.example",
    "-a.alpha.example",
    f"{'a' * 63}.alpha.example",
)


@pytest.fixture(scope="module")
def operator(openbao: OpenBao, hierarchy: Hierarchy) -> Iterator[Operator]:
    assert hierarchy.tenants
    with operating(openbao) as found:
        yield found


@pytest.mark.parametrize("from_csr", [False, True], ids=["by the API", "by the CSR"])
@pytest.mark.parametrize("which", DOMAINS)
def test_of_names(which: str, from_csr: bool, operator: Operator) -> None:  # noqa: FBT001 - a parameter
    """Vault.md §2, NOR-03: a name is signed exactly where the preview has nothing against it."""
    found = operator.role(**DOMAINS[which], use_csr_sans=from_csr)
    differing = []
    for name in NAMES:
        csr = certificate_request([name] if from_csr else [], certificate_key())
        signed = operator.signs(csr, **({} if from_csr else {"alt_names": name}))
        # What stands in no certificate was not signed, whatever the status: OpenBao drops it silently.
        if (names_in(signed) == [name]) != (found.refuses(dns(name)) is None):
            differing.append((name, found.refuses(dns(name))))
    assert differing == LENIENT.get((which, from_csr), [])


#: What the preview lets through although OpenBao does not: no order can have such a name.
LENIENT: Final[Mapping[tuple[str, bool], list[tuple[str, str | None]]]] = {
    **{
        (which, False): [("f*o.alpha.example", None)]
        for which in ("subdomains", "both", "several", "localhost and below", "globs", "a top level")
    },
    ("anything", False): [("f*o.alpha.example", None), ("*", None)],
    ("one glob for all", False): [("f*o.alpha.example", None), ("*", None)],
    ("anything, not only hosts", False): [
        ("f*o.alpha.example", None),
        ("a_b.alpha.example", None),
        ("*", None),
        ("-a.alpha.example", None),
    ],
}


@pytest.mark.parametrize(
    "change",
    [
        {"allowed_domains": ["Alpha.Example"], "allow_subdomains": True, "allow_bare_domains": True},
        {"allowed_domains": ["{{identity.entity.metadata.x}}"], "allowed_domains_template": True},
        {"allow_token_displayname": True},
    ],
)
def test_what_others_would_sign_is_left_to_them(change: dict[str, Any], operator: Operator) -> None:
    """In doubt the preview lets through: it never refuses what is signed."""
    found = operator.role(**change)
    for name in NAMES:
        if names_in(operator.signs(certificate_request([], certificate_key()), alt_names=name)) == [name]:
            assert found.refuses(dns(name)) is None


@pytest.mark.parametrize(
    ("change", "signed"),
    [
        ({"allow_ip_sans": False}, []),
        ({}, ["10.1.2.3", "11.0.0.1", "2001:db8::1", "2001:db9::1"]),
        ({"allowed_ip_sans_cidr": ["10.0.0.0/8", "2001:db8::/32"]}, ["10.1.2.3", "2001:db8::1"]),
        ({"allowed_ip_sans_cidr": ["0.0.0.0/0"]}, ["10.1.2.3", "11.0.0.1"]),
        ({"allowed_ip_sans_cidr": ["2001:db9::1/128"]}, ["2001:db9::1"]),
    ],
)
def test_of_addresses(change: dict[str, Any], signed: list[str], operator: Operator) -> None:
    found = operator.role(**change)
    for address in ("10.1.2.3", "11.0.0.1", "2001:db8::1", "2001:db9::1"):
        certificate = operator.signs(certificate_request([], certificate_key()), ip_sans=address)
        assert (certificate is not None) == (address in signed), address
        assert (found.refuses(Identifier(IdentifierType.IP, address)) is None) == (address in signed), address


KEYS: Final[Mapping[str, PrivateKey]] = {
    "RSA 1024": rsa.generate_private_key(65537, 1024),  # noqa: S505 - is to be refused
    "RSA 2048": rsa.generate_private_key(65537, 2048),
    "RSA 3072": rsa.generate_private_key(65537, 3072),
    "P-224": ec.generate_private_key(ec.SECP224R1()),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
_EC: Final = {"P-256", "P-384", "P-521"}


@pytest.mark.parametrize(
    ("kind", "bits", "signed"),
    [
        ("any", 0, set(KEYS) - {"RSA 1024"}),
        ("any", 4096, set(KEYS) - {"RSA 1024"}),
        ("ec", 0, _EC),
        ("ec", 224, _EC | {"P-224"}),
        ("ec", 256, _EC),
        ("ec", 384, {"P-384", "P-521"}),
        ("ec", 521, {"P-521"}),
        ("rsa", 0, {"RSA 2048", "RSA 3072"}),
        ("rsa", 2048, {"RSA 2048", "RSA 3072"}),
        ("rsa", 3072, {"RSA 3072"}),
        ("rsa", 4096, set()),
        ("ed25519", 0, {"Ed25519"}),
        ("mldsa", 0, set()),
    ],
)
def test_of_keys(kind: str, bits: int, signed: set[str], operator: Operator) -> None:
    """Vault.md §2, key types."""
    found = operator.role(key_type=kind, key_bits=bits, allow_bare_domains=True)
    for name, key in KEYS.items():
        csr = certificate_request([], key)
        assert (operator.signs(csr, alt_names="alpha.example") is not None) == (name in signed), name
        assert (found.refuses_key(key.public_key()) is None) == (name in signed), name


@pytest.mark.parametrize(
    ("change", "signed"),
    [
        ({"not_after_bound": "permit"}, [1, 30, 50, 800]),
        ({"not_after_bound": "ttl-limited"}, [1, 30]),
        ({"not_after_bound": "ttl-limited", "ttl": "2h"}, [1]),
        ({"not_after_bound": "ttl-limited", "ttl": "2h", "max_ttl": 0}, [1]),
        ({"not_after_bound": "forbid"}, []),
        ({"not_after_bound": "bound"}, [1, 30]),
    ],
)
def test_of_ends(change: dict[str, Any], signed: list[int], operator: Operator) -> None:
    """Vault.md §2, lifetime: by hours from now; `bound` is an instant 40 hours from now."""
    now = datetime.now(UTC).replace(microsecond=0)
    if change["not_after_bound"] == "bound":
        change = {"not_after_bound": _written(now + timedelta(hours=40))}
    found = operator.role(**change, allow_bare_domains=True)
    for hours in (1, 30, 50, 800):
        end = now + timedelta(hours=hours)
        csr = certificate_request([], certificate_key())
        certificate = operator.signs(csr, alt_names="alpha.example", not_after=_written(end))
        assert (certificate is not None) == (hours in signed), hours
        assert (found.refuses_end(end, datetime.now(UTC)) is None) == (hours in signed), hours


@pytest.mark.parametrize("wanted", [False, True])
def test_of_common_names(wanted: bool, operator: Operator) -> None:  # noqa: FBT001 - a parameter
    found = operator.role(require_cn=wanted, use_csr_common_name=True, allow_bare_domains=True)
    for common_name in (None, "alpha.example"):
        csr = certificate_request([], certificate_key(), common_name=common_name)
        signed = operator.signs(csr, alt_names="alpha.example")
        assert (signed is not None) == (not wanted or common_name is not None)
        rule = found.refuses_subject(common_name=common_name is not None)
        assert (rule is None) == (signed is not None)


def _written(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
