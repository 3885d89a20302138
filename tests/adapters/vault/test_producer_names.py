"""What a tenant's settings mean for a CA, a role and a policy, without a server."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from acmeproxy.adapters.vault.producer import constraints
from acmeproxy.adapters.vault.producer.policies import metadata, tenant_policy
from acmeproxy.adapters.vault.producer.roles import roles
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Profile, Tenant, VaultPlace

NAMES = Names(("*.shop.example",))


def tenant(*profiles: Profile, names: Names = NAMES, issuer: str = "", wildcards: bool = False) -> Tenant:
    place = VaultPlace("pki", "web", "", issuer)
    return Tenant(TenantName("shop"), place, names, wildcards=wildcards, profiles=profiles)


@pytest.mark.parametrize(
    ("allow", "permitted"),
    [
        (("a.example",), ("a.example",)),
        (("*.a.example",), ("a.example",)),
        (("a.example", "*.a.example", "b.a.example", "*.c.b.a.example"), ("a.example",)),
        (("xa.example", "a.example"), ("a.example", "xa.example")),
        (("*.b.example", "a.example"), ("a.example", "b.example")),
        (("*", "a.example"), ()),
        ((), ()),
    ],
)
def test_a_ca_is_bound_to_the_names_that_may_be_ordered(
    allow: tuple[str, ...], permitted: tuple[str, ...]
) -> None:
    """INV-14: and to no more subtrees than it takes; all names are no bound."""
    assert constraints.permitted(Names(allow)) == permitted


@pytest.mark.parametrize(
    ("deny", "excluded"),
    [
        (("admin.a.example",), ()),
        (("*.admin.a.example",), ()),
        (("admin.a.example", "*.admin.a.example"), ("admin.a.example",)),
        (("x.y.a.example", "y.a.example", "*.y.a.example"), ("y.a.example",)),
        (("*.elsewhere.example",), ("elsewhere.example",)),
    ],
)
def test_only_what_is_denied_as_a_whole_is_excluded(deny: tuple[str, ...], excluded: tuple[str, ...]) -> None:
    """An excluded subtree takes its own name and all below it."""
    assert constraints.excluded(Names(("*.a.example",), deny)) == excluded


def test_constraints_are_compared_as_far_as_the_server_can_write_them() -> None:
    """Vault has more of them than OpenBao: what it cannot write is not missed."""
    ranges = (ipaddress.ip_network("10.0.0.0/8"),)
    names = Names(("*.a.example",), ("b.a.example", "*.b.a.example"), ranges)
    allowed = [x509.DNSName("a.example"), x509.IPAddress(ranges[0])]
    plain = authority(x509.NameConstraints([x509.DNSName("a.example")], None))
    whole = authority(x509.NameConstraints(allowed, [x509.DNSName("b.a.example")]))
    openbao, vault = ["permitted_dns_domains"], constraints.PARAMETERS
    assert constraints.holds(plain, names, openbao)
    assert constraints.holds(plain, names, [])
    assert not constraints.holds(plain, names, vault)
    assert constraints.holds(whole, names, vault)
    assert not constraints.holds(authority(None), names, [])
    assert constraints.holds(authority(None), Names(("*",)), vault)


def authority(bounds: x509.NameConstraints | None) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    return (builder.add_extension(bounds, True) if bounds else builder).sign(key, hashes.SHA256())  # noqa: FBT003 - critical


@pytest.mark.parametrize(
    ("allow", "fields"),
    [
        (("a.example",), (["a.example"], True, False, False)),
        (("*.a.example",), (["a.example"], False, True, False)),
        (("a.example", "*.a.example"), (["a.example"], True, True, False)),
        (("*",), ([], False, False, True)),
    ],
)
def test_a_role_allows_the_tenants_names(
    allow: tuple[str, ...], fields: tuple[list[str], bool, bool, bool]
) -> None:
    role = roles(tenant(names=Names(allow)))["web"]
    named = ("allowed_domains", "allow_bare_domains", "allow_subdomains", "allow_any_name")
    assert tuple(role[name] for name in named) == fields


def test_addresses_and_wildcards_are_off_unless_wanted() -> None:
    """threat-model §1.5: both are on where nobody says otherwise."""
    plain = roles(tenant())["web"]
    assert (plain["allow_ip_sans"], plain["allow_wildcard_certificates"]) == (False, False)
    ranges = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
    wide = roles(tenant(names=Names(("*.shop.example",), (), ranges), wildcards=True))["web"]
    assert (wide["allow_ip_sans"], wide["allow_wildcard_certificates"]) == (True, True)
    assert wide["allowed_ip_sans_cidr"] == ["10.0.0.0/8", "fd00::/8"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ((), ("any", 0)),
        (("RSA",), ("rsa", 2048)),
        (("P-256", "P-384"), ("ec", 256)),
        (("P-384", "P-521"), ("ec", 384)),
        (("Ed25519",), ("ed25519", 0)),
        (("RSA", "P-256"), ("any", 0)),
    ],
)
def test_a_role_narrows_keys_as_far_as_it_can(keys: tuple[str, ...], expected: tuple[str, int]) -> None:
    role = roles(tenant(Profile("p", "p", keys=keys)))["web"]
    assert (role["key_type"], role["key_bits"]) == expected


def test_profiles_of_one_role_share_the_widest_of_their_wishes() -> None:
    long = Profile("long", "long", lifetime=timedelta(days=20), keys=("P-256",))
    short = Profile("short", "short", lifetime=timedelta(hours=1), keys=("P-384",))
    other = Profile("other", "other", role="byoc", issuer="legacy", store=False)
    found = roles(tenant(long, short, other))
    assert {
        name: (role["max_ttl"], role["no_store"], role["issuer_ref"]) for name, role in found.items()
    } == {
        "web": (20 * 86400, False, "default"),
        "byoc": (30 * 86400, True, "legacy"),
    }


def test_a_policy_is_what_the_proxy_needs_and_no_more() -> None:
    """INV-14: each role's own path to sign, and what looking for a lost certificate takes."""
    other = Profile("other", "other", role="byoc", issuer="legacy", store=False)
    paths = tenant_policy(tenant(Profile("p", "p"), other), templated=False)
    assert {path: rule["capabilities"] for path, rule in paths.items()} == {
        "pki/sign/web": ["update"],
        "pki/roles/web": ["read"],
        "pki/issuer/default": ["read"],
        "pki/issuer/legacy/sign/byoc": ["update"],
        "pki/roles/byoc": ["read"],
        "pki/issuer/legacy": ["read"],
        "pki/revoke": ["update"],
        "pki/issuers": ["list"],
        "pki/certs": ["list"],
        "pki/certs/detailed": ["list"],
        "pki/cert/*": ["read"],
    }
    allowed = paths["pki/sign/web"]["allowed_parameters"]
    assert allowed["format"] == ["pem"]
    assert not {"uri_sans", "other_sans", "issuer_ref", "user_ids"} & set(allowed)
    assert "cert_metadata" in allowed


def test_a_templated_policy_names_roles_by_metadata_that_the_entity_has() -> None:
    other = tenant(Profile("p", "p"), Profile("other", "other", role="byoc"))
    paths = tenant_policy(other, templated=True)
    assert [path for path in paths if "/sign/" in path] == [
        "pki/sign/{{identity.entity.metadata.role}}",
        "pki/sign/{{identity.entity.metadata.role_2}}",
    ]
    assert metadata(other) == {"tenant": "shop", "role": "web", "role_2": "byoc"}
