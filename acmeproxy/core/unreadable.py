"""Everything that `cryptography` raises when it cannot read what a stranger sent."""

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

#: Some of them are plain exceptions that no common class catches.
UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    # Nothing of ours is unfinished: cryptography says so of what it does not read, such as
    # an OCSP request about two certificates.
    NotImplementedError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
