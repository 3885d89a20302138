"""What a PKI mount shows to anybody: certificates, lists and statuses, asked for without a token."""

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from acmeproxy.adapters.vault import chain
from acmeproxy.adapters.vault.client import Answer, VaultClient
from acmeproxy.adapters.vault.gate import serves_nobody
from acmeproxy.adapters.vault.place import check_path
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.core import ocsp
from acmeproxy.services.authority import Issuer, Issuers
from acmeproxy.services.flights import AwayError, UnfitError

_LARGEST_LIST: Final = 32 << 20
_LARGEST_STATUS: Final = 64 << 10
_MOST_ISSUERS: Final = 100
_READ_TOGETHER: Final = 4
_NO_DEFAULT: Final = "no default issuer"
_NO_LIST: Final = "unable to find CRL for issuer"
#: What Vault says where it has not the one thing that it was asked for; all else is said of the mount.
_OF_ONE_THING: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR})
_ALL_WITHIN: Final = timedelta(seconds=30)


class PublicMount:
    """Implements `Authority` for one mount of one namespace; the client knows the namespace, not a token."""

    def __init__(self, client: VaultClient, mount: str) -> None:
        """Take a mount's path from the settings.

        Raises:
            ValueError: It is no path of plain names (INV-4).
        """
        check_path(mount)
        self._client = client
        self._mount = mount

    async def issuers(self) -> Issuers:
        """Return all issuers of the mount, a hundred at most."""
        try:
            async with asyncio.timeout(_ALL_WITHIN.total_seconds()):
                return await self._issuers()
        except TimeoutError:
            raise AwayError("the issuers could not be read in time") from None

    async def revocation_list(self, issuer_id: str, *, delta: bool) -> bytes | None:
        """Return an issuer's list in DER, unchecked, of 32 MiB at most."""
        kind = "crl/delta/der" if delta else "crl/der"
        answer = await self._ask("get", f"issuer/{issuer_id}/{kind}", largest=_LARGEST_LIST)
        if answer.status == HTTPStatus.NOT_FOUND and not answer.errors:
            return None
        if any(_NO_LIST in error for error in answer.errors):
            return None
        if not answer.ok:
            raise _refusal(answer)
        return answer.octets or None

    async def status(self, request: bytes) -> bytes:
        """Return the answer to an OCSP request, faults too, of 64 KiB at most.

        Vault gives faults another HTTP status than 200; a gateway's page under any status is no answer.
        """
        answer = await self._ask(
            "post",
            "ocsp",
            headers={"Content-Type": ocsp.REQUEST_TYPE},
            content=request,
            largest=_LARGEST_STATUS,
        )
        if answer.status == HTTPStatus.OK or ocsp.fault_of(answer.octets) is not None:
            return answer.octets
        raise _refusal(answer)

    async def _issuers(self) -> Issuers:
        listed = await self._ask("list", "issuers")
        keys = (listed.data or {}).get("keys")
        if listed.status == HTTPStatus.NOT_FOUND and not listed.errors:
            return Issuers("", {})
        if not listed.ok or not isinstance(keys, list):
            raise AwayError(listed.reason)
        default = await self._ask("get", "issuer/default/json")
        # A mount may have issuers and no default.
        if not default.ok and not any(_NO_DEFAULT in error for error in default.errors):
            raise AwayError(default.reason)
        details = (listed.data or {}).get("key_info")
        found: dict[str, Issuer] = {}
        ids = [str(key) for key in keys[:_MOST_ISSUERS]]
        for first in range(0, len(ids), _READ_TOGETHER):
            together = ids[first : first + _READ_TOGETHER]
            for issuer in await asyncio.gather(*(self._issuer(one, details) for one in together)):
                found[issuer.id] = issuer
        return Issuers(str((default.data or {}).get("issuer_id") or ""), found)

    async def _issuer(self, issuer_id: str, details: Any) -> Issuer:  # noqa: ANN401 - as Vault answers
        try:
            check_path(issuer_id)
        except ValueError as error:
            raise AwayError(f"an issuer's id that is none: {error}") from None
        answer = await self._ask("get", f"issuer/{issuer_id}/json")
        own = chain.parse((answer.data or {}).get("certificate"))
        above = chain.parse_all((answer.data or {}).get("ca_chain"))
        if not answer.ok or own is None or above is None:
            raise AwayError(answer.reason)
        return Issuer(issuer_id, chain.der([own])[0], chain.der(above or [own]), _signs(details, issuer_id))

    async def _ask(self, method: str, path: str, **parts: Any) -> Answer:  # noqa: ANN401 - those of `VaultClient.ask`
        try:
            return await self._client.ask(method, f"{self._mount}/{path}", **parts)
        except (UnsentError, LostError) as error:
            raise AwayError(str(error)) from None


def _refusal(answer: Answer) -> AwayError:
    if answer.status in _OF_ONE_THING and not serves_nobody(answer):
        return UnfitError(answer.reason)
    return AwayError(answer.reason)


def _signs(details: Any, issuer_id: str) -> bool:  # noqa: ANN401 - as Vault answers
    """Tell whether the mount has an issuer's key; where Vault does not say so, it may have."""
    detail = details.get(issuer_id) if isinstance(details, dict) else None
    return not (isinstance(detail, dict) and detail.get("key_id") == "")
