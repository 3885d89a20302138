"""What the publication of a CA's certificates, lists and statuses needs from Vault: nothing secret."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from acmeproxy.core.certificate import Certificate


class Issuer(msgspec.Struct, frozen=True):
    """An issuer of a mount: DER of its certificate, and of the chain from it upwards as the mount knows it.

    `signs` tells whether the mount may have its key; one that it certainly has not signs no list.
    """

    id: str
    certificate: bytes
    chain: tuple[bytes, ...]
    signs: bool = True


class Issuers(msgspec.Struct, frozen=True):
    """The issuers of a mount by id, and the id of the default one, which may be empty."""

    default: str
    by_id: Mapping[str, Issuer]


class Authority(Protocol):
    """A mount, as anybody may ask it. Never repeats a call by itself.

    Every method raises `AwayError` (`services/flights.py`) where the answer is not to be had now.
    """

    async def issuers(self) -> Issuers:
        """Return all issuers."""
        ...

    async def revocation_list(self, issuer_id: str, *, delta: bool) -> bytes | None:
        """Return an issuer's list as the mount gives it, or `None` where it has none. Not checked."""
        ...

    async def status(self, request: bytes) -> bytes:
        """Return the answer to an OCSP request: DER, of faults too. Not checked."""
        ...


class Revocations(Protocol):
    """Is told of every revocation over ACME, by whichever process it was concluded."""

    def begun(self, certificate: Certificate) -> None:
        """Take note that a certificate is going to be revoked: Vault will be asked after this was told."""
        ...

    def concluded(self, certificate: Certificate) -> None:
        """Take note that Vault has revoked a certificate, before whoever asked for it is told."""
        ...

    def listening(self, *, heard: bool) -> None:
        """Take note that from now on all are told of, or that some may not be."""
        ...
