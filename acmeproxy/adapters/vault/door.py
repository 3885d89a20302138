"""Where a login is asked for: everything that happens before there is a token, and to keep one."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from acmeproxy.adapters.vault.client import Answer, Gate, VaultClient
from acmeproxy.adapters.vault.connection import Reveal, Secret, UnreadableSecretError, VaultConnection
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.services.ports import SigningDeferredError


class LostLoginError(SigningDeferredError):
    """A request may have arrived, and there is no answer to it."""


class Door:
    """Asks for logins, renewals and unwrapping, in the namespace where the login lives.

    Whatever goes wrong here, the request that needs the token was not made: that is a `SigningDeferredError`.
    """

    def __init__(self, connection: VaultConnection, gate: Gate) -> None:
        namespace: str | None = getattr(connection.login, "namespace", None)
        if namespace is not None:
            connection = msgspec.structs.replace(connection, namespace=namespace)
        self._connection = connection
        self._gate = gate
        self._client = VaultClient(connection, gate)

    async def ask(
        self, method: str, path: str, *, token: Reveal | None = None, body: Mapping[str, Any] | None = None
    ) -> Answer:
        """Ask once.

        Raises:
            LostLoginError: The request may have arrived.
            SigningDeferredError: It did not leave.
        """
        try:
            return await self._client.ask(method, path, token=token, body=body)
        except LostError as error:
            raise LostLoginError(f"no answer to the login: {error}", error.retry_after) from None
        except UnsentError as error:
            raise SigningDeferredError(f"no answer to the login: {error}", error.retry_after) from None

    async def reveal(self, secret: Reveal) -> Secret:
        """Call for a secret, which may be in a file.

        Raises:
            SigningDeferredError: It is not to be had, or not in time.
        """
        try:
            async with asyncio.timeout(self._connection.deadline.total_seconds()):
                return Secret(await self._gate.reveal(secret))
        except UnreadableSecretError as error:
            why = str(error)
        except TimeoutError:
            why = "it was not read in time"
        # Raised out here, for the traceback of the first error may know what was in the file (INV-13).
        raise SigningDeferredError(f"no login without its secret: {why}")

    async def present(self, certificate: Path, key: Path) -> None:
        """Show a client certificate from now on: the one that is in these files now, at new connections.

        Raises:
            SigningDeferredError: The files are no certificate and its key.
        """
        await self.reveal(lambda: _matching(certificate, key))
        self._client.close()
        self._client = VaultClient(self._connection, self._gate, (str(certificate), str(key)))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _matching(certificate: Path, key: Path) -> str:
    """See that the files can be used, here where there is a sentence for it."""
    try:
        # A password is given so that nobody is asked for one at a terminal.
        ssl.create_default_context().load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        why = error.reason or "not PEM, or not a key without a password"
    except OSError as error:
        why = str(error.strerror)
    else:
        return str(certificate)
    raise UnreadableSecretError(f"the certificate {certificate} with the key {key} cannot be used: {why}")
