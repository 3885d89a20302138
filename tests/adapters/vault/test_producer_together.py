"""Runs at the same time: no lock is there to be had, and all the same no authority is made twice."""

import asyncio
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.adapters.vault.producer.rotation import Rotation
from tests.support.cutting_proxy import Hold, cutting_proxy
from tests.support.installation import ACMEPROXY
from tests.support.openbao import as_root
from tests.support.producing import applied, planned, producing, root_of, settings_file, signed, verify


@pytest.fixture
def admin() -> str:
    """Return a namespace that no other test has."""
    return f"n{uuid.uuid4().hex}"


async def authorities(server: OpenBao, namespace: str) -> dict[str, bool]:
    """Return the issuers with a key by their names, and whether each is the default."""
    listed = (await as_root(server, "LIST", "pki/issuers", namespace))["data"]["key_info"]
    return {one["issuer_name"]: one["is_default"] for one in listed.values() if one["key_id"]}


def settings_twice(directory: Path, server: OpenBao, port: int, admin: str) -> tuple[Path, Path]:
    """Write the settings of two runs in one directory: one through a proxy, and one without."""
    file = settings_file(directory, server.address, vault=f'namespace = "{admin}"')
    through = directory / "through.toml"
    shutil.copy(file, through)
    through.write_text(file.read_text().replace(server.address, f"http://127.0.0.1:{port}"))
    return through, file


async def test_two_processes_that_apply_make_one_of_each(
    openbao: OpenBao, tmp_path: Path, admin: str
) -> None:
    """Each is a run of the command; whoever comes second at a part finds it made."""
    settings_file(tmp_path, openbao.address, vault=f'namespace = "{admin}"')
    command = (ACMEPROXY, "vault", "apply", "--yes", "--local-root", "--directory", "pki")
    runs = [
        await asyncio.create_subprocess_exec(
            *command,
            cwd=tmp_path,
            env={**os.environ, "BAO_TOKEN": openbao.root_token},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        for _ in range(2)
    ]
    told = [(await run.communicate())[0].decode() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert await authorities(openbao, admin) == {"signing-1": True}
    assert await authorities(openbao, f"{admin}/shop") == {"issuing-1": True}
    file = settings_file(tmp_path, openbao.address, vault=f'namespace = "{admin}"')
    assert planned(file, openbao.root_token) == []
    leaf, above = await signed(openbao, f"{admin}/shop", "pki/sign/web", "www.shop.example")
    assert verify(leaf, above, root_of(tmp_path), "www.shop.example") == 4


async def overtaken(hold: Hold, first: Callable[[], object], second: Callable[[], object]) -> None:
    """Have a run held at a request until another run has ended; raises what the first one does."""
    run = asyncio.create_task(asyncio.to_thread(first))
    await hold.until_arrived()
    await asyncio.to_thread(second)
    hold.released.set()
    await run


@pytest.mark.parametrize(
    ("write", "below"),
    [
        (b"POST /v1/sys/mounts/pki", ""),
        (b"POST /v1/pki/intermediate/generate/internal", ""),
        (b"POST /v1/pki/key/signing-1", ""),
        (b"POST /v1/pki/intermediate/set-signed", ""),
        (b"POST /v1/pki/key/issuing-1", "/shop"),
        (b"POST /v1/pki/intermediate/set-signed", "/shop"),
    ],
)
async def test_a_run_that_is_overtaken_at_a_write_makes_no_second_authority(
    openbao: OpenBao, tmp_path: Path, admin: str, write: bytes, below: str
) -> None:
    """It has looked, and before it writes, another run does everything."""
    async with cutting_proxy(openbao.port) as proxy:
        through, direct = settings_twice(tmp_path, openbao, proxy.port, admin)
        held = proxy.hold(write, f"X-Vault-Namespace: {admin}{below}\r\n".encode())
        token = openbao.root_token
        await overtaken(held, lambda: applied(through, token), lambda: applied(direct, token))
    assert await authorities(openbao, admin) == {"signing-1": True}
    assert await authorities(openbao, f"{admin}/shop") == {"issuing-1": True}
    # The proxy is the address of one of them, and is written there.
    left = await asyncio.to_thread(planned, direct, openbao.root_token)
    assert {step.what for step in left} <= {"URLs of the cluster"}


def rotated(file: Path, token: str) -> None:
    with producing(file, token) as made:
        rotation = Rotation(made, "shop")
        rotation.retire(rotation.switch(lambda _: None), lambda _: None)


@pytest.mark.parametrize(
    "write",
    [
        b"POST /v1/pki/intermediate/generate/internal",
        b"POST /v1/pki/key/issuing-2",
        b"POST /v1/pki/intermediate/set-signed",
    ],
)
async def test_a_rotation_that_is_overtaken_ends_as_the_same(
    openbao: OpenBao, tmp_path: Path, admin: str, write: bytes
) -> None:
    async with cutting_proxy(openbao.port) as proxy:
        through, direct = settings_twice(tmp_path, openbao, proxy.port, admin)
        await asyncio.to_thread(applied, direct, openbao.root_token)
        held = proxy.hold(write, f"X-Vault-Namespace: {admin}/shop\r\n".encode())
        token = openbao.root_token
        await overtaken(held, lambda: rotated(through, token), lambda: rotated(direct, token))
    assert await authorities(openbao, f"{admin}/shop") == {"issuing-1": False, "issuing-2": True}


async def test_a_rotation_begins_no_second_one_after_another_has_ended(
    openbao: OpenBao, tmp_path: Path, admin: str
) -> None:
    """What it has seen as the default no longer is it: that is told, whatever was done in between."""
    async with cutting_proxy(openbao.port) as proxy:
        through, direct = settings_twice(tmp_path, openbao, proxy.port, admin)
        await asyncio.to_thread(applied, direct, openbao.root_token)
        namespace = f"X-Vault-Namespace: {admin}/shop\r\n".encode()
        held = proxy.hold(b"LIST /v1/pki/issuers", namespace, passing=1)
        token = openbao.root_token
        with pytest.raises(ProducerError, match="another run has made issuing-2 the default of pki"):
            await overtaken(held, lambda: rotated(through, token), lambda: rotated(direct, token))
    assert await authorities(openbao, f"{admin}/shop") == {"issuing-1": False, "issuing-2": True}
