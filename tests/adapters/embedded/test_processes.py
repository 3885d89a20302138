import asyncio
import os
import signal
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded import processes
from acmeproxy.adapters.embedded.processes import EmbeddedServerError, Process, ready, running

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); "
FOREVER = "time.sleep(600)"
DEADLINE = 60


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", code)


async def says(process: Process, text: str) -> bool:
    return text in process.log.read_text()


async def test_a_sudden_end_is_seen(tmp_path: Path) -> None:
    async with running(python("import time; time.sleep(600)"), tmp_path / "log") as process:
        assert process.running
        dying = asyncio.ensure_future(process.died())
        os.kill(process.pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            assert await dying == -signal.SIGKILL
        assert not process.running


async def test_an_exit_code_is_told(tmp_path: Path) -> None:
    async with running(python("raise SystemExit(7)"), tmp_path / "log") as process:
        async with asyncio.timeout(DEADLINE):
            assert await process.died() == 7


async def test_who_does_not_listen_to_sigterm_is_killed(tmp_path: Path) -> None:
    async with running(python(STUBBORN + FOREVER), tmp_path / "log") as process:
        await ready(process, lambda: says(process, "up"))
        assert await process.stop(timedelta(seconds=0.1)) == -signal.SIGKILL


async def test_who_ends_before_it_is_ready_is_told_with_its_log(tmp_path: Path) -> None:
    async with running(python("print('no port', flush=True)"), tmp_path / "log") as process:
        with pytest.raises(EmbeddedServerError, match=f"ended before it was ready: see {tmp_path}/log"):
            await ready(process, lambda: says(process, "never"))
    assert (tmp_path / "log").read_text() == "no port\n"


async def test_who_never_gets_ready_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "READY_WITHIN", timedelta(seconds=0.3))
    async with running(python("import time; time.sleep(600)"), tmp_path / "log") as process:
        with pytest.raises(EmbeddedServerError, match="did not get ready in time"):
            await ready(process, lambda: says(process, "never"))


async def test_a_child_sees_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INV-13."""
    monkeypatch.setenv("VAULT_TOKEN", "s.canary")
    code = "import os; print(sorted(os.environ), flush=True)"
    async with running(python(code), tmp_path / "log") as process:
        await process.died()
    names = (tmp_path / "log").read_text()
    assert "VAULT_TOKEN" not in names
    assert "HOME" in names


@pytest.mark.parametrize("when", ["up", ""])
async def test_a_child_ends_with_a_parent_that_is_killed(when: str, tmp_path: Path) -> None:
    """A parent that is killed can end nothing itself: the system does, or the leash if it is that early."""
    parent = textwrap.dedent("""
        import asyncio, pathlib, sys
        from acmeproxy.adapters.embedded.processes import ready, running

        async def main():
            log = pathlib.Path(sys.argv[1])

            async def up():
                return sys.argv[2] in log.read_text()

            code = "import time; print('up', flush=True); time.sleep(600)"
            async with running((sys.executable, "-I", "-S", "-c", code), log) as process:
                await ready(process, up)
                print(process.pid, flush=True)
                await process.died()

        asyncio.run(main())
    """)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", parent, str(tmp_path / "log"), when), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        pid = int(await process.stdout.readline())
        # The end of a process that is not ours, without a race for its number.
        child = os.pidfd_open(pid)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(child, ended.set)
        process.kill()
        await process.wait()
        await ended.wait()
    asyncio.get_running_loop().remove_reader(child)
    os.close(child)
