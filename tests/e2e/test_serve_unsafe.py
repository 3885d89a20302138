"""`acmeproxy serve` looks at what its tokens and roles may do before it serves with them (TEN-08, VLT-08)."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import ClientSession

from acmeproxy.adapters.embedded.openbao import OpenBao, openbao
from acmeproxy.adapters.embedded.valkey import valkey
from acmeproxy.adapters.vault.provisioning import provision
from tests.support.eventually import eventually
from tests.support.hostile_http import hostile_http, say_and_stay
from tests.support.openbao import as_root
from tests.support.serving import SUFFIXES, Place, serving

ROLE = "pki/roles/acme"
FOUND = "use_csr_sans=true: it takes the names from the request and not from the order"


class Installation:
    """A Valkey, an OpenBao whose role signs what requests say, and settings that name both."""

    def __init__(self, place: Place, settings: Path, vault: OpenBao, namespace: str) -> None:
        self.place = place
        self.settings = settings
        self._vault = vault
        self._namespace = namespace

    async def change_role(self, **fields: Any) -> None:  # noqa: ANN401 - a role has fields of every kind
        role = (await as_root(self._vault, "GET", ROLE, self._namespace))["data"]
        await as_root(self._vault, "POST", ROLE, self._namespace, {**role, **fields})

    def say(self, lines: str, at: int | None = None) -> None:
        """Set something of the table `vault`, and its port."""
        text = self.settings.read_text().replace("[vault]\n", f"[vault]\n{lines}\n")
        port = self.place.openbao
        self.settings.write_text(text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{at or port}"))


@pytest_asyncio.fixture
async def unsafe(tmp_path: Path) -> AsyncIterator[Installation]:
    place = Place.chosen(tmp_path)
    async with valkey(tmp_path, port=place.valkey), openbao(tmp_path, port=place.openbao) as vault:
        hierarchy = await asyncio.to_thread(provision, vault.address, vault.root_token, tmp_path, SUFFIXES)
        (pki,) = hierarchy.tenants.values()
        made = Installation(place, place.settings(hierarchy, dns=1), vault, pki.place.namespace)
        await made.change_role(use_csr_sans=True)
        yield made


async def test_it_warns_and_serves_unless_told_otherwise(unsafe: Installation) -> None:
    async with ClientSession() as http:
        with serving(unsafe.settings) as server:
            await server.until("vault.unsafe")
            assert (await unsafe.place.readiness(http))[0] == 200
            lines = [json.loads(line) for line in server.log.read_text().splitlines()]
            [told] = [line for line in lines if line["event"] == "vault.unsafe"]
            async with http.get(f"{unsafe.place.origin}/metrics") as metrics:
                assert "acmeproxy_vault_unsafe 1.0" in await metrics.text()
    assert (told["subject"], told["why"]) == ("tenant team-a: role pki/acme", FOUND)
    assert told["mend"].startswith("bao patch -namespace=admin/team-a pki/roles/acme use_csr_sans=false")


async def test_it_refuses_to_start_if_told_to_and_starts_once_mended(unsafe: Installation) -> None:
    unsafe.say('unsafe = "refuse"')
    with serving(unsafe.settings) as server:
        assert await asyncio.to_thread(server.program.ended) == 1
        assert f"FAIL  tenant team-a: role pki/acme  {FOUND}\n      mend: bao patch" in server.program.told
        assert "serve.started" not in server.events
    await unsafe.change_role(use_csr_sans=False)
    with serving(unsafe.settings) as server:
        await server.until("serve.started")


async def test_a_vault_that_tells_nothing_is_no_proof(unsafe: Installation) -> None:
    async with hostile_http(say_and_stay()) as hung:
        unsafe.say('unsafe = "refuse"\ntimeout = 1', at=hung.port)
        with serving(unsafe.settings) as server:
            assert await asyncio.to_thread(server.program.ended) == 5
            assert "it gives no answer" in server.program.told


async def test_a_signal_ends_the_wait_for_the_proof(unsafe: Installation) -> None:
    async with hostile_http(say_and_stay()) as hung:
        unsafe.say('unsafe = "refuse"\ntimeout = 60', at=hung.port)
        with serving(unsafe.settings) as server:

            async def asked() -> bool:
                return bool(hung.requests)

            await eventually(asked)
            assert await asyncio.to_thread(server.program.stop) == 0
