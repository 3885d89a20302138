"""Looking in Vault's store for what was signed although the answer was lost (K12..K16, VLT-02)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import msgspec
from cryptography import x509

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.client import INDEX_HEADER, Answer
from acmeproxy.adapters.vault.login import Login
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.core.identifier import IdentifierType
from acmeproxy.core.order import Intent
from acmeproxy.core.tenant import VaultPlace
from acmeproxy.services.ports import Signed, SigningDeferredError

# A certificate begins before it is asked for: by the role's not_before_duration, and by clocks that differ.
_BACKDATED: Final = timedelta(hours=1)
_PAGE: Final = 500
_LARGEST_LIST: Final = 16 << 20
_READ_TOGETHER: Final = 4
_ALL_WITHIN: Final = timedelta(seconds=60)
#: A token's own corner, which the policy `default` gives to every token and nobody else sees.
_SCRATCH: Final = "cubbyhole/acmeproxy"
_LEVEL_WITHIN: Final = timedelta(seconds=2)
_LEVEL_PAUSE: Final = timedelta(milliseconds=100)
_NOT_THERE: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})


class _Entry(msgspec.Struct, frozen=True):
    serial: str
    certificate: x509.Certificate
    issuer: str


class Store:
    """The certificates of one mount. Remembers what is too old, for servers that only list serials."""

    def __init__(self, login: Login, place: VaultPlace) -> None:
        self._login = login
        self._place = place
        self._detailed = True
        self._as_new_as: Mapping[str, str] = {}
        self._begins: dict[str, datetime] = {}

    async def find(self, intent: Intent) -> tuple[Signed, ...]:
        """Return what was signed for an intent and is not revoked, earliest first.

        Raises:
            SigningDeferredError: Vault did not answer everything within a minute.
        """
        if intent.first_attempt_at is None:
            return ()
        since = intent.first_attempt_at - _BACKDATED
        try:
            async with asyncio.timeout(_ALL_WITHIN.total_seconds()):
                await self._catch_up()
                found = [
                    entry async for entry in self._entries(intent, since) if _is_for(entry, intent, since)
                ]
                found.sort(key=lambda entry: (entry.certificate.not_valid_before_utc, entry.serial))
                return tuple([await self._signed(entry) for entry in found])
        except TimeoutError:
            raise SigningDeferredError("the store could not be searched within a minute") from None
        except (UnsentError, LostError) as error:
            raise SigningDeferredError(
                f"the store could not be searched: {error}", error.retry_after
            ) from None

    async def _catch_up(self) -> None:
        """Have no node answer from a store that is older than this moment (VLT-10).

        A standby reads what it has, and one that lags, or that lost its leader, lacks what was signed last. A
        write is the leader's, and its answer tells how far the store is: a node that is behind says so.
        Where there is no such index, or our token may not write there, we look without.
        """
        written = await self._login.ask("post", _SCRATCH, body={"at": datetime.now(UTC).isoformat()})
        if _is_behind(written) or written.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise SigningDeferredError(
                f"no node knows how new its store is: {written.reason}", written.retry_after
            )
        self._as_new_as = {INDEX_HEADER: written.index} if written.ok and written.index else {}

    async def _entries(self, intent: Intent, since: datetime) -> AsyncIterator[_Entry]:
        async for serials in self._candidates(intent, since):
            for first in range(0, len(serials), _READ_TOGETHER):
                together = serials[first : first + _READ_TOGETHER]
                for entry in await asyncio.gather(*(self._read(serial) for serial in together)):
                    if entry is not None:
                        yield entry

    async def _candidates(self, intent: Intent, since: datetime) -> AsyncIterator[list[str]]:
        """Yield pages of serials that may be the intent's."""
        after = ""
        while True:
            page = await self._page(after)
            serials: list[str] = page.get("keys") or []
            details: Mapping[str, Any] = page.get("key_info") or {}
            yield [
                serial
                for serial in serials
                if self._begins.get(serial, since) >= since
                and (serial not in details or _may_be(details[serial], intent, since))
            ]
            # Vault lists everything at once, whatever it was asked.
            if len(serials) != _PAGE or serials[0] <= after:
                return
            after = serials[-1]

    async def _page(self, after: str) -> dict[str, Any]:
        # Shown with colons and kept with hyphens: the colons would skip whatever begins with the same octet.
        query = {"limit": str(_PAGE), **({"after": after.replace(":", "-")} if after else {})}
        path = f"{self._place.mount}/certs"
        if self._detailed:
            answer = await self._list(f"{path}/detailed", query)
            # An empty store is a 404 without a text.
            if answer.status not in _NOT_THERE or (
                answer.status == HTTPStatus.NOT_FOUND and not answer.errors
            ):
                return _data(answer)
        data = _data(await self._list(path, query))
        self._detailed = False
        return data

    async def _list(self, path: str, query: Mapping[str, str]) -> Answer:
        return await _level(
            lambda: self._login.ask("list", path, query=query, headers=self._as_new_as, largest=_LARGEST_LIST)
        )

    async def _read(self, serial: str) -> _Entry | None:
        path = f"{self._place.mount}/cert/{serial}"
        answer = await _level(lambda: self._login.ask_openly(path, self._as_new_as))
        data = _data(answer)
        certificate = chain.parse(data.get("certificate"))
        if certificate is None:
            return None
        self._begins[serial] = certificate.not_valid_before_utc
        if data.get("revocation_time"):
            return None
        return _Entry(serial, certificate, str(data.get("issuer_id") or ""))

    async def _signed(self, entry: _Entry) -> Signed:
        """Add the chain: of the issuer that Vault names, of the tenant's, or of any that signed it."""
        for reference in dict.fromkeys((entry.issuer, self._place.issuer or "default")):
            if reference and (issuers := await self._issuers(entry.certificate, reference)) is not None:
                return Signed(chain.der([entry.certificate])[0], issuers)
        listed = _data(await self._login.ask("list", f"{self._place.mount}/issuers"))
        for reference in listed.get("keys") or []:
            if (issuers := await self._issuers(entry.certificate, reference)) is not None:
                return Signed(chain.der([entry.certificate])[0], issuers)
        raise SigningDeferredError(f"no issuer of the mount signed {entry.serial}")

    async def _issuers(self, leaf: x509.Certificate, reference: str) -> tuple[bytes, ...] | None:
        answer = await self._login.ask_openly(f"{self._place.mount}/issuer/{reference}/json")
        certificates = chain.parse_all(_data(answer).get("ca_chain"))
        above = chain.issuers(leaf, certificates or ())
        return None if above is None else chain.der(above)


async def _level(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask until the node that answers has caught up, which takes a moment after every write."""
    until = time.monotonic() + _LEVEL_WITHIN.total_seconds()
    answer = await ask()
    while _is_behind(answer) and time.monotonic() < until:
        await asyncio.sleep(_LEVEL_PAUSE.total_seconds())
        answer = await ask()
    return answer


def _is_behind(answer: Answer) -> bool:
    """Vault answers 412. OpenBao answers 429 and gives no reason, which a quota's 429 does."""
    quiet = answer.status == HTTPStatus.TOO_MANY_REQUESTS and not answer.errors
    return quiet or answer.status == HTTPStatus.PRECONDITION_FAILED


def _data(answer: Answer) -> dict[str, Any]:
    """Return what was answered; a plain 404 is nothing."""
    if answer.status == HTTPStatus.NOT_FOUND and not answer.errors:
        return {}
    if answer.status != HTTPStatus.OK or answer.data is None:
        raise SigningDeferredError(f"the store could not be searched: {answer.reason}", answer.retry_after)
    return answer.data


def _may_be(detail: Mapping[str, Any], intent: Intent, since: datetime) -> bool:
    """Judge by what a detailed list shows: the beginning, and the first few names."""
    match detail:
        case {"not_before": str(text)} if _instant(text) < since:
            return False
    wanted = {name.value for name in intent.names if name.type is IdentifierType.DNS}
    return wanted.issuperset(detail.get("dns_names") or ())


def _instant(text: str) -> datetime:
    """Read a time of Vault's; one that we cannot read excludes nothing."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _is_for(entry: _Entry, intent: Intent, since: datetime) -> bool:
    return (
        entry.certificate.not_valid_before_utc >= since
        and chain.key_of(entry.certificate) == intent.key
        and chain.names_of(entry.certificate) == frozenset(intent.names)
    )
