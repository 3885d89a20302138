"""Certificate metadata (Vault Enterprise from 1.17): sent only where the server says that it takes it."""

import asyncio
import base64
import re
import time
from http import HTTPStatus
from typing import Final

import msgspec
import structlog

from acmeproxy.adapters.vault.client import Answer
from acmeproxy.adapters.vault.login import Login
from acmeproxy.adapters.vault.place import sign_path
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.core.order import Intent
from acmeproxy.core.tenant import VaultPlace
from acmeproxy.services.ports import SigningDeferredError

_LOG: Final = structlog.get_logger()
_PARAMETER: Final = "cert_metadata"
_LISTED: Final = re.compile(rf"^\s+{_PARAMETER} \(", re.MULTILINE)
_KNOWN_SECONDS: Final = 600
_UNKNOWN_SECONDS: Final = 60


class Metadata:
    """What one tenant's `sign` endpoints take; asked once in ten minutes, by their own help."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._taken: dict[VaultPlace, bool] = {}
        self._until: dict[VaultPlace, float] = {}
        self._turn = asyncio.Lock()

    async def of(self, place: VaultPlace, intent: Intent) -> dict[str, str]:
        """Return the parameter to send with an intent, base64 of JSON; nothing where it is not taken."""
        if intent.provenance is None or not await self._takes(place):
            return {}
        return {_PARAMETER: base64.b64encode(msgspec.json.encode(intent.provenance)).decode()}

    def refused(self, place: VaultPlace, answer: Answer) -> bool:
        """Note a refusal that may be due to the parameter; nothing was signed, and from now on it is left out."""
        text = " ".join(answer.errors)
        forbidden = answer.status == HTTPStatus.FORBIDDEN
        if not forbidden and not (answer.status == HTTPStatus.BAD_REQUEST and "metadata" in text):
            return False
        self._taken[place], self._until[place] = False, time.monotonic() + _KNOWN_SECONDS
        mend = "let the policy of the login have cert_metadata, and the role store it (no_store_metadata)"
        _LOG.warning("vault refused metadata", mount=place.mount, role=place.role, mend=mend)
        return True

    async def _takes(self, place: VaultPlace) -> bool:
        async with self._turn:
            if time.monotonic() >= self._until.get(place, 0):
                await self._ask(place)
            return self._taken.get(place, False)

    async def _ask(self, place: VaultPlace) -> None:
        try:
            answer = await self._login.ask("get", sign_path(place), query={"help": "1"})
        except (UnsentError, LostError, SigningDeferredError):
            answer = Answer(0)
        known = answer.status == HTTPStatus.OK
        self._taken[place] = known and bool(_LISTED.search(answer.help))
        self._until[place] = time.monotonic() + (_KNOWN_SECONDS if known else _UNKNOWN_SECONDS)
