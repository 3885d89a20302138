"""The chain of an answer leads to the tenant's root, link by link (FIN-19; abuse CSR-06, CSR-14)."""

import dataclasses
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.inspection import Inspected, MismatchError, inspect, sound_alternates
from tests.support.certificates import DAY, NOW, Authority, Wish, authority, intent_for

ROOT = authority("root")
UPPER = authority("upper", ROOT)
ISSUER = authority("issuer", UPPER)
# The same names, other keys.
OTHER_ROOT = authority("root")
OTHER_ISSUER = authority("issuer", authority("upper", OTHER_ROOT))

KEY = ec.generate_private_key(ec.SECP256R1())
NAMES = (Identifier(IdentifierType.DNS, "a.example"), Identifier(IdentifierType.DNS, "b.example"))
INTENT = intent_for(KEY.public_key(), *NAMES)
WISH = Wish(KEY.public_key())
LEAF = ISSUER.sign(WISH)


def seen(leaf: bytes, *above: Authority, anchors: tuple[Authority, ...] = (ROOT,)) -> Inspected:
    return inspect(leaf, [one.der for one in above], INTENT, [one.der for one in anchors], NOW)


def test_a_chain_is_given_as_it_came() -> None:
    assert seen(LEAF, ISSUER, UPPER).chain == (LEAF, ISSUER.der, UPPER.der)


def test_the_root_is_left_out() -> None:
    """RFC 8555 §9.1: whoever does not have it does not trust it."""
    assert seen(LEAF, ISSUER, UPPER, ROOT).chain == (LEAF, ISSUER.der, UPPER.der)


def test_a_root_that_signs_by_itself_leaves_the_certificate_alone() -> None:
    leaf = ROOT.sign(WISH)

    assert seen(leaf, ROOT).chain == (leaf,)


def test_a_certificate_is_given_whatever_its_issuer_is_called() -> None:
    """One that has its issuer's name is no root."""
    namesake = authority("a.example", ROOT)
    leaf = namesake.sign(WISH)

    assert seen(leaf, namesake).chain == (leaf, namesake.der)


def _broken(leaf: bytes) -> bytes:
    return leaf[:-1] + bytes([leaf[-1] ^ 1])


@pytest.mark.parametrize("anchors", [(), (ROOT,)], ids=["no anchors", "anchors"])
@pytest.mark.parametrize(
    ("leaf", "above"),
    [
        pytest.param(LEAF, (), id="no issuer"),
        pytest.param(LEAF, (UPPER,), id="missing issuer"),
        pytest.param(LEAF, (UPPER, ROOT), id="missing issuer, with root"),
        pytest.param(LEAF, (UPPER, ISSUER), id="wrong order"),
        pytest.param(LEAF, (ISSUER, ROOT, UPPER), id="wrong order above"),
        pytest.param(LEAF, (ISSUER, ROOT), id="gap"),
        pytest.param(LEAF, (ISSUER, UPPER, OTHER_ISSUER), id="surplus"),
        pytest.param(LEAF, (OTHER_ISSUER,), id="issuer's namesake"),
        pytest.param(LEAF, (ISSUER, UPPER, OTHER_ROOT), id="root's namesake"),
        pytest.param(OTHER_ISSUER.sign(WISH), (ISSUER, UPPER), id="other issuer"),
        pytest.param(ISSUER.sign(WISH, KEY), (ISSUER, UPPER), id="signed by its own key"),
        pytest.param(_broken(LEAF), (ISSUER, UPPER), id="broken signature"),
    ],
)
def test_a_chain_that_does_not_hold_is_refused(
    leaf: bytes, above: tuple[Authority, ...], anchors: tuple[Authority, ...]
) -> None:
    with pytest.raises(MismatchError):
        seen(leaf, *above, anchors=anchors)


def test_a_broken_issuer_is_refused() -> None:
    with pytest.raises(MismatchError, match="cannot be read"):
        inspect(LEAF, [ISSUER.der + b"\0"], INTENT, [], NOW)


def test_a_chain_to_another_root_is_refused() -> None:
    """A chain that holds in itself says nothing about whose it is (INV-4)."""
    leaf = OTHER_ISSUER.sign(WISH)
    upper = authority("upper", OTHER_ROOT)
    issuer = authority("issuer", upper)

    assert seen(issuer.sign(WISH), issuer, upper, anchors=()).chain
    with pytest.raises(MismatchError, match="root"):
        seen(issuer.sign(WISH), issuer, upper)
    with pytest.raises(MismatchError):
        seen(leaf, OTHER_ISSUER)


def test_one_of_several_roots_is_enough() -> None:
    assert seen(LEAF, ISSUER, UPPER, anchors=(OTHER_ROOT, ROOT)).chain


def test_names_outside_the_issuers_constraints_are_refused() -> None:
    """Vault does not look; a client would, and find the certificate worthless."""
    inside, outside = (authority("narrow", ROOT, allowed=name) for name in ("example", "other.example"))

    assert seen(inside.sign(WISH), inside).chain
    with pytest.raises(MismatchError, match="root"):
        seen(outside.sign(WISH), outside)


def test_one_name_outside_is_enough() -> None:
    """The first name is inside; the path is looked at once for all of them."""
    first_only = authority("narrower", ROOT, allowed="a.example")

    with pytest.raises(MismatchError, match="root"):
        seen(first_only.sign(WISH), first_only)


def test_an_issuer_that_has_ended_is_refused() -> None:
    ended = authority("ended", ROOT, ends=NOW - DAY)

    with pytest.raises(MismatchError, match="root"):
        seen(ended.sign(WISH), ended)


def test_an_issuer_that_is_no_ca_is_refused() -> None:
    server = ec.generate_private_key(ec.SECP256R1())
    certificate = x509.load_der_x509_certificate(
        ISSUER.sign(dataclasses.replace(WISH, key=server.public_key(), subject=((NameOID.COMMON_NAME, "x"),)))
    )
    impostor = Authority(server, certificate)

    with pytest.raises(MismatchError, match="root"):
        seen(impostor.sign(WISH), impostor, ISSUER, UPPER)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["P-384", "P-521", "RSA", "Ed25519"],
)
def test_every_kind_of_key_that_a_csr_may_have_is_verified(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
) -> None:
    """What finalize takes must not fail after Vault has signed it (NOR-03)."""
    leaf = ISSUER.sign(dataclasses.replace(WISH, key=key.public_key()))
    intent = intent_for(key.public_key(), *NAMES)

    assert inspect(leaf, [ISSUER.der, UPPER.der], intent, [ROOT.der], NOW).chain[0] == leaf


def test_other_chains_that_hold_are_kept() -> None:
    """RFC 8555 §7.4.2: the issuer's key certified by another root too."""
    crossed = Authority(UPPER.key, _cross_signed(UPPER, OTHER_ROOT))
    chains = [
        [ISSUER.der, crossed.der, OTHER_ROOT.der],
        [UPPER.der],
        [],
        [b"junk"],
        [ISSUER.der, UPPER.der, ROOT.der],
    ]

    kept = sound_alternates(LEAF, chains, INTENT, [ROOT.der, OTHER_ROOT.der], NOW)

    assert kept == ((LEAF, ISSUER.der, crossed.der), (LEAF, ISSUER.der, UPPER.der))
    assert sound_alternates(LEAF, chains, INTENT, [ROOT.der], NOW) == ((LEAF, ISSUER.der, UPPER.der),)


def _cross_signed(subject: Authority, issuer: Authority) -> x509.Certificate:
    """Certify an authority's name and key once more, under another issuer."""
    original = subject.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(original.subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(subject.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + timedelta(days=100))
    )
    own = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    for extension in original.extensions:
        value = own if isinstance(extension.value, x509.AuthorityKeyIdentifier) else extension.value
        builder = builder.add_extension(value, critical=extension.critical)
    signed = builder.sign(issuer.key, hashes.SHA256())
    return x509.load_der_x509_certificate(signed.public_bytes(serialization.Encoding.DER))
