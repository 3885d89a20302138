"""Three OpenBaos behind a balancer, as `vault.address` expects them: one is killed, one steps down."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import requests
import structlog

from acmeproxy.adapters.vault.producer.step import Change
from acmeproxy.adapters.vault.provisioning import provision
from tests.support.eventually import eventually
from tests.support.openbao import SUFFIXES, as_root
from tests.support.openbao_nodes import Cluster, cluster
from tests.support.producing import applied, planned, settings_file
from tests.support.proxies import Launch
from tests.support.proxy import Proxy, hosted
from tests.support.waiting import plan_of_two, ready, serves


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def nodes(directory: Path) -> AsyncIterator[Cluster]:
    async with hosted(cluster(directory)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(launch: Launch, nodes: Cluster, directory: Path, name_server: int) -> AsyncIterator[Proxy]:
    leader = await nodes.leader()
    pki = await asyncio.to_thread(provision, leader.address, leader.root_token, directory, SUFFIXES)
    async with launch(plan_of_two(nodes.port, pki, name_server)) as proxy:
        yield proxy


async def test_a_standby_says_that_it_is_behind(nodes: Cluster) -> None:
    """VLT-10: a search for a lost answer names the index of a write, and relies on this."""
    leader = await nodes.leader()
    standby = next(node for node in nodes.nodes if node is not leader)

    def asked(method: str, path: str, index: str = "") -> requests.Response:
        headers = {"X-Vault-Token": standby.root_token, **({"X-Vault-Index": index} if index else {})}
        url = f"{standby.address}/v1/{path}"
        return requests.request(method, url, headers=headers, json={"at": "now"}, timeout=30)

    written = await asyncio.to_thread(asked, "POST", "cubbyhole/acmeproxy")
    known = json.loads(base64.b64decode(written.headers["X-Vault-Index"]))
    later = {**known, "value": str(int(known["value"]) + 100_000)}
    ahead = base64.b64encode(json.dumps(later).encode()).decode()
    behind = await asyncio.to_thread(asked, "GET", "cubbyhole/acmeproxy", ahead)
    # Vault's own answer is 412.
    assert (behind.status_code, behind.json()) == (429, {"errors": []})

    async def level() -> bool:
        index = written.headers["X-Vault-Index"]
        return (await asyncio.to_thread(asked, "GET", "cubbyhole/acmeproxy", index)).status_code == 200

    await eventually(level)


async def test_a_pki_is_built_through_a_standby(nodes: Cluster, tmp_path: Path) -> None:
    """VLT-10: it reads from a copy that is a moment behind, and the mount just made is not there yet."""
    leader = await nodes.leader()
    standby = next(node for node in nodes.nodes if node is not leader)
    file = settings_file(tmp_path, standby.address, vault='namespace = "standby"')
    done = await asyncio.to_thread(applied, file, standby.root_token)
    assert Change.ADD in {step.change for step in done.steps}

    async def nothing_to_do() -> bool:
        # Another run knows nothing of what this one wrote last.
        return await asyncio.to_thread(planned, file, standby.root_token) == []

    await eventually(nothing_to_do)
    issuers = (await as_root(leader, "LIST", "pki/issuers", "standby/shop"))["data"]["key_info"]
    assert [one["issuer_name"] for one in issuers.values()].count("issuing-1") == 1


async def test_a_leader_that_is_killed(
    running: Proxy, nodes: Cluster, log: structlog.testing.LogCapture
) -> None:
    """VLT-06: the others send us to the dead one, by a 307 that is waited out, until they have elected."""
    wanted = [await ready(running, f"{name}.alpha.example") for name in "efgh"]
    await (await nodes.leader()).process.kill()
    for one in wanted:
        await one.finalized()
    for one in wanted:
        await one.issued(within=60)
    await serves(running, "www.beta.example")
    delayed = [entry for entry in log.entries if entry["event"] in {"job.deferred", "job.uncertain"}]
    assert delayed


async def test_a_leader_that_steps_down(running: Proxy, nodes: Cluster) -> None:
    """FIN-22: whatever node is asked meanwhile, and whatever it says."""
    wanted = [await ready(running, f"{name}.alpha.example") for name in "abcd"]
    await as_root(await nodes.leader(), "PUT", "sys/step-down")
    for one in wanted:
        await one.sent()
    await serves(running, "www.beta.example")
    for one in wanted:
        await one.issued(within=60)
