"""Keys whose private key anybody can work out are neither accounts' nor certificates' (KEY-02, FIN-07)."""

import math
import secrets
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from acmeproxy.core import csr
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.jwk import AccountKey
from acmeproxy.core.weakness import ed25519_weakness, find, rsa_weakness
from tests.support import acme_keys
from tests.support.acme_csr import certificate_request
from tests.support.refusals import refused

E = 65537
NAME = Identifier(IdentifierType.DNS, "www.alpha.example")


SMALL = math.prod(p for p in range(3, 1 << 14, 2) if all(p % q for q in range(3, math.isqrt(p) + 1, 2)))


def is_prime(n: int) -> bool:
    """Tell whether a large random number is prime, by Fermat's little theorem."""
    return math.gcd(n, SMALL) == 1 and all(pow(a, n - 1, n) == 1 for a in (2, 3, 5, 7))


def next_prime(n: int) -> int:
    n |= 1
    while not is_prime(n):
        n += 2
    return n


def random_prime(bits: int) -> int:
    return next_prime(secrets.randbits(bits) | 3 << (bits - 2))


def infineon_prime() -> int:
    """Make a prime as the faulty library did: k * M + (65537^a mod M), M the product of the first primes."""
    first = [p for p in range(2, 702) if all(p % q for q in range(2, p))]
    assert len(first) == 126  # for keys of 1984 to 3936 bits
    m = math.prod(first)
    lowest = (3 << 1022) // m + 1
    while True:
        k = lowest + secrets.randbelow((1 << 1024) // m - lowest)
        candidate = k * m + pow(E, secrets.randbelow(1 << 80), m)
        if is_prime(candidate):
            return candidate


@pytest.fixture(scope="module")
def prime() -> int:
    return random_prime(1024)


def jwk(n: int, e: int = E) -> dict[str, str]:
    numbers = {"n": n, "e": e}
    return {
        "kty": "RSA",
        **{k: acme_keys.b64url(v.to_bytes((v.bit_length() + 7) // 8)) for k, v in numbers.items()},
    }


def private(p: int, q: int) -> rsa.RSAPrivateKey:
    d = pow(E, -1, (p - 1) * (q - 1))
    return rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(E, p * q)
    ).private_key()


def refusal_of_account(public: dict[str, str]) -> str:
    """Return why a key is no account's."""
    with refused("badPublicKey", "KEY-REFUSED") as refusal:
        AccountKey.parse(public)
    return refusal.detail


def refusal_of_csr(der: bytes) -> str:
    """Return why a CSR's key is not certified."""
    with refused("badCSR", "CSR-KEY") as refusal:
        csr.check(der, [NAME])
    return refusal.detail


@pytest.mark.parametrize("gap", [2, 2**64, 2**510])
def test_close_primes_are_found(gap: int, prime: int) -> None:
    """KEY-02: a hundred steps of Fermat's reach about 2^517 far, for primes of 1024 bits."""
    other = next_prime(prime + gap)
    assert "close" in str(rsa_weakness(prime * other, E))
    assert "close" in refusal_of_account(jwk(prime * other))


def test_distant_primes_are_not(prime: int) -> None:
    assert rsa_weakness(prime * next_prime(prime + 2**600), E) is None


def test_a_square_is_found(prime: int) -> None:
    assert "close" in str(rsa_weakness(prime * prime, E))


def test_the_form_of_infineons_library_is_found() -> None:
    """ROCA, CVE-2017-15361."""
    p, q = infineon_prime(), infineon_prime()
    assert "ROCA" in str(rsa_weakness(p * q, E))
    assert "ROCA" in refusal_of_account(jwk(p * q))


def test_one_prime_of_that_form_is_not_that_form(prime: int) -> None:
    assert rsa_weakness(prime * infineon_prime(), E) is None


@pytest.fixture(scope="module")
def infineon_modulus() -> int:
    return infineon_prime() * infineon_prime()


@pytest.mark.parametrize("mark", [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157])
def test_every_mark_of_that_form_counts(mark: int, infineon_modulus: int) -> None:
    """One remainder that is no power of 65537 acquits a key; these are the primes with such remainders."""
    others = math.prod(p for p in range(2, 168) if all(p % q for q in range(2, p)) and p != mark)
    powers = {pow(E, a, mark) for a in range(mark)}
    changed = (infineon_modulus + others * step for step in range(1, 10 * mark))
    acquitted = next(n for n in changed if n % mark not in powers and math.gcd(n, SMALL) == 1)
    assert "ROCA" in str(rsa_weakness(infineon_modulus, E))
    assert rsa_weakness(acquitted, E) is None


@pytest.mark.parametrize("factor", [3, 5, 167, 7919, 16381])
def test_small_factors_are_found(factor: int) -> None:
    cofactor = (1 << 2048) // factor
    while cofactor % 2 == 0 or math.gcd(cofactor, SMALL) != 1:
        cofactor -= 1
    assert "small factor" in str(rsa_weakness(factor * cofactor, E))


@pytest.mark.parametrize(("n", "e"), [(2**2048 - 118, E), (2**2048 - 117, 3), (2**2048 - 117, 1)])
def test_even_moduli_and_other_exponents_are_refused(n: int, e: int) -> None:
    assert rsa_weakness(n, e) == "RSA keys have an odd modulus and the exponent 65537"


def test_a_modulus_ends_at_an_octet() -> None:
    """KEY-02: CA/Browser Forum Baseline Requirements 6.1.6."""
    assert rsa_weakness(2**2049 - 117, E) == "RSA keys have a multiple of 8 bits, this one 2049"


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_sound_rsa_keys_are_taken(bits: int) -> None:
    key = rsa.generate_private_key(public_exponent=E, key_size=bits)
    assert find(key.public_key()) is None


@pytest.mark.parametrize("scalar", [1, 2, 16])
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda c: c.name)
def test_private_keys_that_anybody_guesses_are_found(scalar: int, curve: ec.EllipticCurve) -> None:
    key = ec.derive_private_key(scalar, curve)
    assert "guesses" in str(find(key.public_key()))
    assert "guesses" in refusal_of_account(acme_keys.AccountKey(key).jwk)


def test_their_negatives_are_found() -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    assert "guesses" in str(find(ec.derive_private_key(order - 1, ec.SECP256R1()).public_key()))
    assert find(ec.derive_private_key(order - 17, ec.SECP256R1()).public_key()) is None


@pytest.mark.parametrize(
    "octets",
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ],
)
def test_the_eight_points_of_small_order_are_found(octets: str) -> None:
    """KEY-04: under these any message has a signature."""
    assert ed25519_weakness(bytes.fromhex(octets)) == "the key is a point of small order: make a new key"
    assert "small order" in refusal_of_account(
        {"kty": "OKP", "crv": "Ed25519", "x": acme_keys.b64url(bytes.fromhex(octets))}
    )


@pytest.mark.parametrize(
    "octets",
    [
        "0200000000000000000000000000000000000000000000000000000000000000",  # no x for this y
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # p for 0
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # p + 1 for 1
        "ff" * 32,
    ],
)
def test_what_encodes_no_point_is_refused(octets: str) -> None:
    assert ed25519_weakness(bytes.fromhex(octets)) == "the key is not a point on its curve"


def test_sound_ed25519_keys_are_taken() -> None:
    for _ in range(200):
        assert find(ed25519.Ed25519PrivateKey.generate().public_key()) is None


def test_a_weak_key_is_not_certified(prime: int) -> None:
    """FIN-07: `badCSR`, with the reason."""
    der = certificate_request(["www.alpha.example"], private(prime, next_prime(prime + 2)))
    assert "close to each other" in refusal_of_csr(der)


def test_a_guessed_key_is_not_certified() -> None:
    """FIN-07."""
    der = certificate_request(["www.alpha.example"], ec.derive_private_key(1, ec.SECP256R1()))
    assert "guesses" in refusal_of_csr(der)


def test_a_weak_key_may_still_have_its_certificate_revoked(prime: int) -> None:
    """REV-15: the key of a certificate that is to be revoked is refused by nobody."""
    weak = private(prime, next_prime(prime + 2))
    key = AccountKey.parse(jwk(weak.public_key().public_numbers().n), weak=True)
    signature = acme_keys.AccountKey(weak).sign(b"message")
    assert key.verifies(signature, b"message")


def test_looking_costs_less_than_a_signature() -> None:
    """A millisecond at most; the best of many, so that a busy machine is no failure."""
    key = rsa.generate_private_key(public_exponent=E, key_size=4096).public_key()
    find(key)
    times = []
    for _ in range(50):
        begun = time.perf_counter()
        find(key)
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.001
