"""Public keys whose private key anybody can work out, or that no sound generator makes (KEY-02, FIN-07).

Each check takes far less than a millisecond, and the size of the key was looked at before. Keys that are weak
because they are known, such as those of Debian's generator of 2006, need lists and are not found here.
"""

import functools
import math
from collections.abc import Iterator
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

_EXPONENT: Final = 65537
_SMALL: Final = 1 << 14
_FERMAT_ROUNDS: Final = 100
#: Squares end in few of the possible ways: nearly all numbers are seen not to be one without a root.
_SIEVES: Final = tuple((m, frozenset(i * i % m for i in range(m))) for m in (256, 693, 1105))
_SIEVE: Final = math.prod(m for m, _ in _SIEVES)
#: Infineon's library made primes of the form k * M + (65537^a mod M), M the product of the first primes,
#: of which there are 39 for the smallest keys and more for larger ones (CVE-2017-15361).
_ROCA_LARGEST: Final = 167
_TRIVIAL_SCALARS: Final = 16

# The curve of Ed25519 (RFC 8032 §5.1).
_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P


def find(key: object) -> str | None:
    """Return what is wrong with a public key of `cryptography`, in words for its owner, or nothing."""
    match key:
        case rsa.RSAPublicKey():
            numbers = key.public_numbers()
            return rsa_weakness(numbers.n, numbers.e)
        case ec.EllipticCurvePublicKey():
            return _ec_weakness(key)
        case ed25519.Ed25519PublicKey():
            return ed25519_weakness(key.public_bytes_raw())
        case _:
            return None


def rsa_weakness(n: int, e: int) -> str | None:
    """Return what is wrong with an RSA key."""
    if e != _EXPONENT or n % 2 == 0:
        return "RSA keys have an odd modulus and the exponent 65537"
    if n.bit_length() % 8:
        return f"RSA keys have a multiple of 8 bits, this one {n.bit_length()}"
    if math.gcd(n, _small_product() % n) != 1:
        return "the RSA modulus has a small factor: make a new key"
    if _has_infineon_form(n):
        return "the RSA key is of the kind that chips of Infineon made (ROCA): make a new key elsewhere"
    if _has_close_primes(n):
        return "the primes of the RSA key are close to each other: make a new key with another library"
    return None


def ed25519_weakness(octets: bytes) -> str | None:
    """Return what is wrong with an Ed25519 key of 32 octets (RFC 8032 §5.1.3)."""
    y = int.from_bytes(octets, "little") & ((1 << 255) - 1)
    square = y * y % _P
    if y >= _P or not _is_square((square - 1) * pow(_D * square + 1, -1, _P)):
        return "the key is not a point on its curve"
    # Doubled, these are the neutral element, one of y = -1, or one of y = 0: eight points in all.
    if y * (square - 1) * (_D * square * square + 2 * square - 1) % _P == 0:
        return "the key is a point of small order: make a new key"
    return None


def _ec_weakness(key: ec.EllipticCurvePublicKey) -> str | None:
    # All curves that we take have a prime order, and what is no point on them is not loaded.
    if key.public_numbers().x in _trivial_points(key.curve.name):
        return "the private key is a number that anybody guesses: make a new key"
    return None


def _has_infineon_form(n: int) -> bool:
    return all(n % prime in powers for prime, powers in _infineon_marks())


def _has_close_primes(n: int) -> bool:
    """Look for n = a^2 - b^2 from the root of n upwards, as Fermat did."""
    root = math.isqrt(n - 1) + 1
    small, difference = root % _SIEVE, (root * root - n) % _SIEVE
    for step in range(_FERMAT_ROUNDS):
        if all(difference % m in squares for m, squares in _SIEVES):
            square = (root + step) ** 2 - n
            if math.isqrt(square) ** 2 == square:
                return True
        difference += 2 * (small + step) + 1
    return False


def _is_square(value: int) -> bool:
    return pow(value, (_P - 1) // 2, _P) in {0, 1}


@functools.cache
def _small_product() -> int:
    return math.prod(_primes(_SMALL))


@functools.cache
def _infineon_marks() -> tuple[tuple[int, frozenset[int]], ...]:
    """Return the primes of M with all powers of 65537, where those are not all there is."""
    marks = (
        (prime, frozenset(pow(_EXPONENT, a, prime) for a in range(prime)))
        for prime in _primes(_ROCA_LARGEST + 1)
    )
    return tuple((prime, powers) for prime, powers in marks if len(powers) < prime - 1)


@functools.cache
def _trivial_points(curve: str) -> frozenset[int]:
    """Return the x coordinates of the first multiples of the generator, which their negatives share."""
    kinds: dict[str, ec.EllipticCurve] = {
        kind.name: kind for kind in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
    }
    if curve not in kinds:
        return frozenset()
    return frozenset(
        ec.derive_private_key(scalar, kinds[curve]).public_key().public_numbers().x
        for scalar in range(1, _TRIVIAL_SCALARS + 1)
    )


def _primes(end: int) -> Iterator[int]:
    sieve = bytearray([1]) * end
    for number in range(2, end):
        if sieve[number]:
            yield number
            sieve[number * number :: number] = bytes(len(range(number * number, end, number)))
