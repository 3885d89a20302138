"""`acmeproxy serve`: says what is wrong, waits for what is away, splits into roles, and drains."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from acmeproxy.adapters.embedded.openbao import openbao
from acmeproxy.adapters.embedded.valkey import valkey
from acmeproxy.adapters.validation.testdns import serve_test_dns
from acmeproxy.adapters.vault.provisioning import provision
from tests.support.hostile_http import hostile_http, response
from tests.support.http01_responder import Http01Responder
from tests.support.installation import ACMEPROXY, openssl_verifies
from tests.support.registered import registered
from tests.support.serving import SUFFIXES, Place, serving

NAME = "x.team-a.test"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.chosen(tmp_path)


@pytest_asyncio.fixture
async def settings(place: Place) -> AsyncIterator[Path]:
    """Write settings for a PKI that was set up and is away now, as the state store is."""
    async with serve_test_dns() as dns:
        async with openbao(place.directory, persistent=True, port=place.openbao) as vault:
            hierarchy = await asyncio.to_thread(
                provision, vault.address, vault.root_token, place.directory, SUFFIXES
            )
        yield place.settings(hierarchy, dns)


def test_bad_settings_are_listed_and_end_it(tmp_path: Path) -> None:
    """CFG-04: all of them, with code 6."""
    bad = tmp_path / "acmeproxy.toml"
    bad.touch(mode=0o600)
    bad.write_text('[server]\npublic_url = "ftp://x"\n[redis]\nurl = "redis://h"\n[vault]\nadress = "x"\n')
    done = subprocess.run(  # noqa: S603 - our own command
        (ACMEPROXY, "serve", "--config", str(bad)),
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (6, "")
    keys = {line.split(": ")[1] for line in done.stderr.splitlines()}
    assert keys == {"server.public_url", "redis.url", "vault.address", "vault.adress", "tenants"}


def test_a_taken_port_ends_it_with_a_sentence(tmp_path: Path) -> None:
    text = """
[server]
public_url = "https://acme.example"
listen = "192.0.2.1:8443"
allow_insecure_listen = true
[redis]
url = "redis://127.0.0.1:1/0"
[vault]
address = "https://127.0.0.1:1"
login.token = "nobody-knows-it"
[tenants.t.vault]
role = "web"
"""
    path = tmp_path / "acmeproxy.toml"
    path.touch(mode=0o600)
    path.write_text(text)
    with serving(path) as server:
        assert server.program.ended() == 1
        assert server.program.told.startswith("Cannot listen on 192.0.2.1:8443: ")
        assert "Traceback" not in server.program.told


async def test_what_is_away_at_the_start_is_waited_for(
    place: Place, settings: Path, http: ClientSession
) -> None:
    """INV-12: and /readyz tells, all the time, what is away."""
    with serving(settings) as server:
        said = await place.until(http, ready=False, serving="ok")
        assert "the state store failed: ConnectionError" in said["redis"]
        assert said["vault team-a"] != "ok"
        assert (await place.readiness(http))[0] == 503

        async with valkey(place.directory, port=place.valkey):
            # Without Vault clients are served all the same: their orders wait.
            said = await place.until(http, ready=True, redis="ok")
            assert said["vault team-a"] != "ok"
            assert (await place.readiness(http))[0] == 200
            client = await registered(http, place.acme)
            async with openbao(place.directory, persistent=True, port=place.openbao) as vault:
                await place.until(http, **{"vault team-a": "ok"})
                async with Http01Responder(place.http01) as responder:
                    issued = await client.obtain([NAME], responder)
                assert openssl_verifies(place.directory / "root.pem", issued.chain).endswith("OK")
                # Hanging, which must not hang whoever asks: a replica without Vault still serves.
                os.kill(vault.process.pid, signal.SIGSTOP)
                async with asyncio.timeout(20):
                    status, said = await place.readiness(http)
                assert (status, said["ready"]) == (200, True)
                assert "no answer in time" in said["vault team-a"]
                # Gone again, and told again.
                await vault.process.kill()
                said = await place.until(http, ready=True)
                assert said["vault team-a"] != "ok"
        await place.until(http, ready=False)
        assert server.program.stop() == 0
        assert server.program.told == ""


async def test_web_and_worker_are_two_processes_and_drain(
    place: Place, settings: Path, http: ClientSession
) -> None:
    """RES-12, design §3: the web role needs no Vault; SIGTERM lets a worker finish what it looks at."""
    async with (
        valkey(place.directory, port=place.valkey),
        openbao(place.directory, persistent=True, port=place.openbao),
    ):
        with serving(settings, "web") as web, serving(settings, "worker") as worker:
            said = await place.until(http, ready=True)
            assert not [name for name in said if name.startswith("vault")]
            client = await registered(http, place.acme)
            async with Http01Responder(place.http01) as responder:
                issued = await client.obtain([NAME], responder)
            assert openssl_verifies(place.directory / "root.pem", issued.chain).endswith("OK")

            order = await client.new_order(["slow.team-a.test"])
            [url] = order.json()["authorizations"]
            challenges = (await client.get(url)).json()["challenges"]
            [challenge] = [one for one in challenges if one["type"] == "http-01"]
            asked, go_on = asyncio.Event(), asyncio.Event()

            async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                asked.set()
                await go_on.wait()
                proof = client.key.key_authorization(challenge["token"]).encode()
                writer.write(response(200, proof))
                await writer.drain()

            async with hostile_http(slow, port=place.http01):
                shown = await client.answer(challenge["url"])
                assert shown.json()["status"] == "processing"
                await asked.wait()
                worker.program.process.send_signal(signal.SIGTERM)
                await worker.until("serve.draining")
                assert worker.program.process.poll() is None
                go_on.set()
                assert await asyncio.to_thread(worker.program.ended) == 0
            assert (await client.get(url)).json()["status"] == "valid", worker.events
            assert worker.events[-3:] == ["serve.draining", "job.valid", "serve.stopped"]
            assert await asyncio.to_thread(web.program.stop) == 0
            assert web.events[0] == "serve.started"
            assert web.events[-2:] == ["serve.draining", "serve.stopped"]
            assert (web.program.told, worker.program.told) == ("", "")
