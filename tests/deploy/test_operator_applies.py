"""The commands themselves, with no more than `operator.hcl`: apply, after a cut too, and both rotations."""

import asyncio
import uuid
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.producer.namespace import AwayError
from acmeproxy.adapters.vault.producer.rotation import Rotation
from acmeproxy.adapters.vault.producer.signing_rotation import SigningRotation
from tests.support.cutting_proxy import Cut, cutting_proxy
from tests.support.policies import Caller, holder, ruler, text, without_namespaces
from tests.support.producing import ONE, applied, planned, producing, settings_file

#: Every tenant has a login of its own, so that this one is the reader's.
LOGIN = 'login = { role_id_file = "look.role-id", secret_id_file = "look.secret-id" }'


def operator(openbao: OpenBao, layout: str, name: str) -> Caller:
    if layout == "paths":
        # As a second installation has it, with a prefix of its own.
        policy = without_namespaces("operator", name).replace("acmeproxy", name)
        return holder(ruler(openbao), f"{name}-operator", policy)
    ruler(openbao).does("POST", f"sys/namespaces/{name}", {})
    return holder(ruler(openbao, name), "acmeproxy-operator", text("operator"))


def rotated(file: Path, token: str) -> list[str]:
    told: list[str] = []
    with producing(file, token) as made:
        SigningRotation(made).carry(told.append)
    with producing(file, token) as made:
        rotation = Rotation(made, "shop")
        rotation.retire(rotation.switch(told.append), told.append)
    return told


@pytest.mark.parametrize("layout", ["namespaces", "paths"])
async def test_everything_is_built_and_rotated_by_who_may_no_more(
    openbao: OpenBao, tmp_path: Path, layout: str
) -> None:
    """INV-14: least privilege for whoever builds, too."""
    name = f"o{uuid.uuid4().hex[:16]}"
    prefix = name if layout == "paths" else "acmeproxy"
    token = operator(openbao, layout, name).token
    async with cutting_proxy(openbao.port) as proxy:
        vault = f'namespace = "{name}"\nlayout = "{layout}"\nauthority.prefix = "{prefix}"\n{LOGIN}'
        file = settings_file(tmp_path, f"http://127.0.0.1:{proxy.port}", ONE, vault)
        # What was claimed for another run is read where it was signed.
        proxy.cut(b"pki/intermediate/set-signed", Cut.REQUEST)
        proxy.cut(b"pki/key/issuing-1", Cut.REPLY)
        for _ in range(2):
            with pytest.raises(AwayError):
                await asyncio.to_thread(applied, file, token)
        await asyncio.to_thread(applied, file, token)
        assert await asyncio.to_thread(planned, file, token) == []
        told = await asyncio.to_thread(rotated, file, token)
        assert [line.split()[:2] for line in told if line.startswith("retired")] == [
            ["retired", "signing-1:"],
            ["retired", "issuing-1:"],
        ]
        assert await asyncio.to_thread(planned, file, token) == []
