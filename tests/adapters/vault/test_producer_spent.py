"""Keys whose certificate is of no use any more, because the settings changed while a run was cut off."""

import asyncio
import uuid
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.producer.namespace import AwayError
from acmeproxy.adapters.vault.producer.rotation import Rotation
from tests.support.cutting_proxy import Cut, cutting_proxy
from tests.support.openbao import as_root
from tests.support.producing import BARE, applied, planned, producing, settings_file


async def authorities(server: OpenBao, namespace: str) -> dict[str, tuple[str, bool]]:
    """Return the issuers with a key by name: of what their key is, and whether each is the default."""
    keys = (await as_root(server, "LIST", "pki/keys", namespace))["data"]["key_info"]
    listed = (await as_root(server, "LIST", "pki/issuers", namespace))["data"]["key_info"]
    return {
        one["issuer_name"]: (keys[one["key_id"]]["key_name"].partition(".")[0], one["is_default"])
        for one in listed.values()
        if one["key_id"]
    }


def rotated(file: Path, token: str) -> None:
    with producing(file, token) as made:
        rotation = Rotation(made, "shop")
        rotation.retire(rotation.switch(lambda _: None), lambda _: None)


@pytest.mark.parametrize(
    ("write", "times"),
    [(b"pki/key/issuing-1", 1), (b"pki/intermediate/set-signed", 2)],
    ids=["claimed", "imported"],
)
async def test_other_names_have_another_key_and_the_next_rotation_one_more(
    openbao: OpenBao, tmp_path: Path, write: bytes, times: int
) -> None:
    """What was signed for the names of before is not used, and no authority has another's number."""
    admin, token = f"n{uuid.uuid4().hex}", openbao.root_token
    vault = f'namespace = "{admin}"'
    async with cutting_proxy(openbao.port) as proxy:
        file = settings_file(tmp_path, f"http://127.0.0.1:{proxy.port}", BARE, vault)
        # The reply is lost: it was done. The signing CA's mount is the first to import.
        proxy.cut(write, Cut.REPLY, times)
        for _ in range(times):
            with pytest.raises(AwayError):
                await asyncio.to_thread(applied, file, token)
    file = settings_file(tmp_path, openbao.address, BARE.replace("*.shop.example", "*.other.example"), vault)
    applied(file, token)
    found = await authorities(openbao, f"{admin}/shop")
    assert found.pop("issuing-2") == ("issuing-2", True)
    assert found == ({} if times == 1 else {"": ("issuing-1", False)})
    assert planned(file, token) == []
    rotated(file, token)
    found = await authorities(openbao, f"{admin}/shop")
    assert (found["issuing-2"], found["issuing-3"]) == (("issuing-2", False), ("issuing-3", True))
