"""A worker's sign call in a process of its own: `python -m tests.support.signing_alone PORT`.

Says until when, of the monotonic clock, the request may leave, and then what came of it.
"""

import asyncio
import sys
import time

from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError, SigningUncertainError
from tests.support.openbao import intent

ALONE = Tenant(TenantName("alone"), VaultPlace("pki", "acme"), Names())


async def main(port: int) -> None:
    """Sign once at a port of loopback."""
    connection = VaultConnection(f"http://127.0.0.1:{port}", TokenLogin(Secret("s.token")))
    async with VaultSigner({ALONE.name: connection}) as signer:
        leave_by = time.monotonic() + 0.5
        sys.stdout.write(f"{leave_by}\n")
        sys.stdout.flush()
        try:
            await signer.sign(ALONE, intent(["a.example.org"]), leave_by=leave_by)
        except (SigningDeferredError, SigningUncertainError) as error:
            sys.stdout.write(f"{type(error).__name__}: {error}\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
