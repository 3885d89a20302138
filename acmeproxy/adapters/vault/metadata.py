"""Certificate metadata (Vault Enterprise from 1.17): sent only where the server says that it takes it."""

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
_REFUSED_SECONDS: Final = 3600


class Metadata:
    """What one tenant's `sign` endpoints take, by their own help, which is read beside their roles."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._taken: dict[VaultPlace, bool] = {}
        self._until: dict[VaultPlace, float] = {}

    def of(self, place: VaultPlace, intent: Intent) -> dict[str, str]:
        """Return the parameter to send with an intent, base64 of JSON; nothing where it is not taken."""
        if intent.provenance is None or not self._taken.get(place):
            return {}
        return {_PARAMETER: base64.b64encode(msgspec.json.encode(intent.provenance)).decode()}

    def refused(self, place: VaultPlace, answer: Answer) -> bool:
        """Note a refusal that may be due to the parameter: nothing was signed, and it is left out then."""
        text = " ".join(answer.errors)
        forbidden = answer.status == HTTPStatus.FORBIDDEN
        if not forbidden and not (answer.status == HTTPStatus.BAD_REQUEST and "metadata" in text):
            return False
        self._note(place, _REFUSED_SECONDS, taken=False)
        mend = "let the policy of the login have cert_metadata, and the role store it (no_store_metadata)"
        _LOG.warning("vault refused metadata", mount=place.mount, role=place.role, mend=mend)
        return True

    async def learn(self, place: VaultPlace) -> None:
        """Ask the endpoint of a place for its help, unless it said a while ago; silence changes nothing."""
        if time.monotonic() < self._until.get(place, 0):
            return
        try:
            answer = await self._login.ask("get", sign_path(place), query={"help": "1"})
        except (UnsentError, LostError, SigningDeferredError):
            return
        if answer.status == HTTPStatus.OK:
            self._note(place, _KNOWN_SECONDS, taken=bool(_LISTED.search(answer.help)))

    def _note(self, place: VaultPlace, seconds: int, *, taken: bool) -> None:
        self._taken[place], self._until[place] = taken, time.monotonic() + seconds
