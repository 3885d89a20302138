"""Killed at any point and started again on what it kept: every order ends, and is signed once (K7, K11..K16).

How long each recovery took is logged (`pytest -rP --log-level=info`), and bounded here.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession
from cryptography import x509

from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.hostile_http import HostileHttp, hostile_http, say_and_stay
from tests.support.http01_responder import Http01Responder
from tests.support.installation import Development, development, gone, openssl_verifies
from tests.support.programs import steady_port
from tests.support.registered import registered

NAME = "x.team-a.test"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Site:
    """Where an installation keeps its data, and the ports that it comes back to."""

    directory: Path
    listen: str
    http01_port: int

    @contextmanager
    def running(self) -> Iterator[Development]:
        """Start it, for the first time or again."""
        options = ("--no-tls", "--listen", self.listen, "--data", str(self.directory / "data"))
        with development(self.directory, self.http01_port, *options) as found:
            yield found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, f"127.0.0.1:{steady_port()}", steady_port())


@asynccontextmanager
async def slow_target(port: int) -> AsyncIterator[HostileHttp]:
    """Run a web server that takes every request and says nothing."""
    async with hostile_http(say_and_stay(), port=port) as target:
        yield target


async def ready_order(client: AcmeClient, site: Site) -> Answer:
    """Place an order and prove its name."""
    async with Http01Responder(site.http01_port) as responder:
        order = await client.new_order([NAME])
        challenge = await http01(client, order)
        responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
        settled = await client.settled(challenge["url"], await client.answer(challenge["url"]))
        assert settled.json()["status"] == "valid", settled.body
    return order


async def http01(client: AcmeClient, order: Answer) -> dict[str, str]:
    [url] = order.json()["authorizations"]
    [found] = [one for one in (await client.get(url)).json()["challenges"] if one["type"] == "http-01"]
    return dict(found)


async def fresh(client: AcmeClient) -> None:
    """Forget nonces of before, and wait until the server has heard of the store's new epoch."""
    async with asyncio.timeout(10):
        client.nonces.clear()
        while (await client.get(str(client.kid))).error == "badNonce":
            client.nonces.clear()


async def delivered(client: AcmeClient, order: Answer, found: Development) -> None:
    """Wait for the certificate, and count what OpenBao has signed for the name."""
    done = await client.settled(order.location, within=120)
    assert done.json()["status"] == "valid", done.body
    chain = (await client.get(done.json()["certificate"])).body
    assert openssl_verifies(found.root, chain).endswith("OK")
    assert found.certificates(NAME) == [x509.load_pem_x509_certificates(chain)[0]]


def kill_server(found: Development) -> None:
    """Kill `acmeproxy serve` with SIGKILL; `dev` tells of it and stops the rest."""
    os.kill(found.pid("acmeproxy"), signal.SIGKILL)
    assert found.program.ended() == 1
    assert "acmeproxy serve ended by itself with code -9" in found.program.told


async def test_between_a_challenge_and_its_verdict(site: Site, http: ClientSession) -> None:
    """K7: the look that was under way costs the client nothing."""
    with site.running() as first:
        client = await registered(http, first.directory())
        order = await client.new_order([NAME])
        challenge = await http01(client, order)
        async with slow_target(site.http01_port) as target:
            shown = await client.answer(challenge["url"])
            assert shown.json()["status"] == "processing"
            assert len(target.requests) == 1
            kill_server(first)
    with site.running() as second:
        begun = time.monotonic()
        async with Http01Responder(site.http01_port) as responder:
            responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
            await fresh(client)
            settled = await client.settled(challenge["url"], within=30)
            took = time.monotonic() - begun
        assert settled.json()["status"] == "valid", settled.body
        _LOG.info("a killed look was repeated and ended %.1f s after the start", took)
        # Not with the lease of half a minute, of which some seconds are over by then.
        assert took < 20
        csr = certificate_request([NAME], certificate_key())
        await client.finalize(order.json()["finalize"], csr)
        await delivered(client, order, second)


async def test_between_finalize_and_signing_while_openbao_is_sealed(site: Site, http: ClientSession) -> None:
    """K11, FIN-22: nothing was signed, and it is known."""
    with site.running() as first:
        client = await registered(http, first.directory())
        order = await ready_order(client, site)
        first.vault("PUT", "sys/seal", tenant="")
        csr = certificate_request([NAME], certificate_key())
        finalized = await client.finalize(order.json()["finalize"], csr)
        assert (finalized.status, finalized.json()["status"]) == (200, "processing")
        kill_server(first)
    with site.running() as second:
        begun = time.monotonic()
        await fresh(client)
        await delivered(client, order, second)
        took = time.monotonic() - begun
        _LOG.info("a deferred order was issued %.1f s after the start", took)
        assert took < 60
        # The very same request again, whose answer had said processing (K18).
        again = await client.finalize(order.json()["finalize"], csr)
        assert (again.status, again.json()["status"]) == (200, "valid")


async def test_everything_at_once_while_openbao_holds_the_request(site: Site, http: ClientSession) -> None:
    """K12, K13, K32: whether it was signed is not known; after a while it cannot be any more."""
    with site.running() as first:
        client = await registered(http, first.directory())
        order = await ready_order(client, site)
        os.kill(first.pid("openbao"), signal.SIGSTOP)
        csr = certificate_request([NAME], certificate_key())
        finalized = await client.finalize(order.json()["finalize"], csr)
        assert (finalized.status, finalized.json()["status"]) == (200, "processing")
        first.program.process.kill()
        first.program.ended()
        for what in ("acmeproxy", "valkey", "openbao"):
            assert gone(first.pid(what)), f"{what} outlived its parent"
    with site.running() as second:
        begun = time.monotonic()
        await fresh(client)
        await delivered(client, order, second)
        took = time.monotonic() - begun
        _LOG.info("an order of which nothing was known was issued %.1f s after the start", took)
        assert took < 90
