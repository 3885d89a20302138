"""The other ways up from an issuer that a mount knows: cross-signed authorities (RFC 8555 §7.4.2)."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.login import Login
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.services.ports import SigningDeferredError

_KEPT_SECONDS: Final = 60
_WITHIN_SECONDS: Final = 2
_MOST_ISSUERS: Final = 50
_READ_TOGETHER: Final = 4
_MOST_WAYS: Final = 8
_DEEPEST: Final = 8

_Way = tuple[x509.Certificate, ...]


class Issuers:
    """The authorities of one mount, read again after a minute.

    What cannot be read is no reason to hold a certificate back: then there are the ways of a minute ago, or
    none but Vault's own.
    """

    def __init__(self, login: Login, mount: str) -> None:
        self._login = login
        self._mount = mount
        self._ways: dict[bytes, list[_Way]] = {}
        self._known: dict[tuple[bytes, ...], tuple[tuple[bytes, ...], ...]] = {}
        self._until = 0.0
        self._turn = asyncio.Lock()

    async def alternates(self, issuers: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], ...]:
        """Return the other ways up from the first of some issuers, without roots; all in DER."""
        if not issuers:
            return ()
        async with self._turn:
            if time.monotonic() >= self._until:
                await self._refresh()
        if issuers not in self._known:
            self._known[issuers] = self._others([x509.load_der_x509_certificate(one) for one in issuers])
        return self._known[issuers]

    def _others(self, issuers: Sequence[x509.Certificate]) -> tuple[tuple[bytes, ...], ...]:
        known = _without_roots(issuers)
        ways = [way for way in self._ways.get(_identity(issuers[0]), ()) if way != known]
        return tuple(chain.der(way) for way in ways[:_MOST_WAYS])

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                self._ways = _all_ways(await self._read())
        except (TimeoutError, UnsentError, LostError, SigningDeferredError):
            pass
        finally:
            self._known.clear()
            self._until = time.monotonic() + _KEPT_SECONDS

    async def _read(self) -> list[x509.Certificate]:
        listed = await self._login.ask("list", f"{self._mount}/issuers")
        references = _strings((listed.data or {}).get("keys"))[:_MOST_ISSUERS]
        found: dict[x509.Certificate, None] = {}
        for first in range(0, len(references), _READ_TOGETHER):
            together = references[first : first + _READ_TOGETHER]
            for certificates in await asyncio.gather(*map(self._one, together)):
                found.update(dict.fromkeys(certificates))
        return list(found)

    async def _one(self, reference: str) -> Sequence[x509.Certificate]:
        answer = await self._login.ask_openly(f"{self._mount}/issuer/{reference}/json")
        if answer.status != HTTPStatus.OK or answer.data is None:
            return ()
        own = chain.parse(answer.data.get("certificate"))
        above = chain.parse_all(answer.data.get("ca_chain")) or ()
        return (own, *above) if own else above


def _all_ways(pool: Sequence[x509.Certificate]) -> dict[bytes, list[_Way]]:
    """Find, for every key under a name, the ways upwards; the roots, which nobody sends, left out."""
    ways: dict[bytes, list[_Way]] = {}
    for certificate in pool:
        if certificate.issuer == certificate.subject:
            continue
        mine = ways.setdefault(_identity(certificate), [])
        mine += [way for way in _ways_up((certificate,), pool) if way not in mine]
    return ways


def _ways_up(way: _Way, pool: Sequence[x509.Certificate]) -> Iterator[_Way]:
    parents = [
        parent for parent in pool if parent not in way and chain.signed(way[-1], parent)
    ] if len(way) < _DEEPEST else []  # fmt: skip
    if not parents:
        yield way
    for parent in parents:
        if parent.issuer == parent.subject:
            yield way
        else:
            yield from _ways_up((*way, parent), pool)


def _without_roots(issuers: Sequence[x509.Certificate]) -> _Way:
    return tuple(issuer for issuer in issuers if issuer.issuer != issuer.subject)


def _identity(certificate: x509.Certificate) -> bytes:
    """Return a name and its key: what signs under both signs the same."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certificate.subject.public_bytes() + key


def _strings(value: Any) -> list[str]:  # noqa: ANN401 - as Vault answers
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
