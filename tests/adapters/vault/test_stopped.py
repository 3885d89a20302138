"""A worker that is stopped between the mark of its attempt and the request (K20)."""

import asyncio
import signal
import sys
import time

from tests.adapters.vault.canned_vault import CannedVault, http_answer
from tests.support.connections import connections
from tests.support.eventually import eventually


async def test_who_was_stopped_beyond_its_time_does_not_send_any_more() -> None:
    """Another worker has looked by then, and signs: the certificate of this one would be one more."""
    vault = CannedVault(http_answer(400, {"errors": ["no"]}), 0)
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def held(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await go_on.wait()
        await vault.serve(reader, writer)

    async with connections(held) as port:
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.signing_alone", str(port), stdout=asyncio.subprocess.PIPE
        )
        try:
            assert worker.stdout is not None
            leave_by = float(await worker.stdout.readline())
            await asked.wait()
            worker.send_signal(signal.SIGSTOP)

            async def over() -> bool:
                return time.monotonic() >= leave_by

            await eventually(over)
            go_on.set()
            worker.send_signal(signal.SIGCONT)
            said, _ = await worker.communicate()
        finally:
            if worker.returncode is None:
                worker.kill()
    assert said == (
        b"SigningDeferredError: the request did not leave: "
        b"too late to be sent: another worker may do it now\n"
    )
    assert not any(b"sign/acme" in request for request in vault.requests)
