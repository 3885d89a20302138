"""Requests at the same moment, and what changes between one step and the next (STA, FIN-20, ACC-02)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.wiring.serving import Role
from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_csr import certificate_request
from tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.eventually import eventually
from tests.support.openbao import as_root
from tests.support.problems import assert_refused
from tests.support.proxies import Launch
from tests.support.proxy import Plan, Proxy, Vault
from tests.support.state import last_part

NAME = "www.alpha.example"
SIGN = b"/pki/sign/acme HTTP"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def vault(openbao: OpenBao) -> AsyncIterator[CuttingProxy]:
    """Stand between the workers of this module and OpenBao, and count."""
    async with cutting_proxy(openbao.port) as recorded:
        yield recorded


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def all_roles(vault: CuttingProxy, issuing_plan: Plan, launch: Launch) -> AsyncIterator[Proxy]:
    """Run a process that does everything."""
    async with launch(planned(issuing_plan, Role.ALL, vault)) as running:
        yield running


def planned(plan: Plan, role: Role, vault: CuttingProxy, database: int = 0) -> Plan:
    where = Vault(f"http://127.0.0.1:{vault.port}", plan.vault.roots)
    return Plan(plan.tenants, role, where, plan.dns, plan.more, database)


def clones(place: Proxy, client: AcmeClient, count: int) -> list[AcmeClient]:
    """Return the same account many times, each with a nonce of its own at hand."""
    found = [place.client(key=client.key) for _ in range(count)]
    for clone in found:
        clone.kid = client.kid
    return found


async def finalize_all(clients: list[AcmeClient], url: str, csrs: list[bytes]) -> list[Answer]:
    await asyncio.gather(*(client.directory() for client in clients))
    for client in clients:
        await client.send("HEAD", (await client.directory())["newNonce"])
    return await asyncio.gather(
        *(client.finalize(url, csr) for client, csr in zip(clients, csrs, strict=True))
    )


async def test_fifty_wishes_make_one_certificate(
    all_roles: Proxy, vault: CuttingProxy, openbao: OpenBao
) -> None:
    """STA-01 (abuse), FIN-20, K10, INV-5: one is taken, the others are too late, and Vault signs once."""
    client = await all_roles.account()
    order = await all_roles.ready(client, NAME)
    before = await as_root(openbao, "LIST", "pki/certs", "admin/alpha")
    signs = vault.count(SIGN)
    csrs = [certificate_request([NAME]) for _ in range(50)]
    answers = await finalize_all(clones(all_roles, client, 50), order.json()["finalize"], csrs)
    taken = [answer for answer in answers if answer.status == 200]
    assert len(taken) == 1
    for answer in answers:
        if answer not in taken:
            assert_refused(answer, 403, "orderNotReady")
    done = await client.settled(order.location)
    assert done.json()["status"] == "valid"
    assert vault.count(SIGN) - signs == 1
    after = await as_root(openbao, "LIST", "pki/certs", "admin/alpha")
    assert len(after["data"]["keys"]) - len(before["data"]["keys"]) == 1


async def test_one_wish_fifty_times_is_one_wish(all_roles: Proxy, vault: CuttingProxy) -> None:
    """STA-01 (abuse), K18, OS-10: who repeats the very same request is told how far it is."""
    client = await all_roles.account()
    order = await all_roles.ready(client, NAME)
    signs = vault.count(SIGN)
    csrs = [certificate_request([NAME])] * 50
    answers = await finalize_all(clones(all_roles, client, 50), order.json()["finalize"], csrs)
    assert {answer.status for answer in answers} == {200}
    assert {answer.json()["status"] for answer in answers} <= {"processing", "valid"}
    done = await client.settled(order.location)
    assert done.json()["status"] == "valid"
    certificates = {answer.json()["certificate"] for answer in answers if "certificate" in answer.json()}
    assert certificates <= {done.json()["certificate"]}
    assert vault.count(SIGN) - signs == 1


async def test_giving_up_and_finalizing_at_once(all_roles: Proxy, vault: CuttingProxy) -> None:
    """STA-03 (abuse), AUZ-08: one comes first, and both answers fit it."""
    signed = 0
    signs = vault.count(SIGN)
    for _ in range(10):
        client = await all_roles.account()
        order = await all_roles.ready(client, NAME)
        one, other = clones(all_roles, client, 2)
        for clone in (one, other):
            await clone.send("HEAD", (await clone.directory())["newNonce"])
        finalized, given_up = await asyncio.gather(
            one.finalize(order.json()["finalize"], certificate_request([NAME])),
            other.deactivate(order.json()["authorizations"][0]),
        )
        assert given_up.status in {200, 503}
        assert finalized.status in {200, 403}
        ended = (await client.settled(order.location)).json()
        assert ended["status"] in {"valid", "invalid"}
        assert finalized.status == 200 or ended["status"] == "invalid"
        signed += ended["status"] == "valid"
    # An order that was taken is signed only if its authorization was still held then.
    assert vault.count(SIGN) - signs == signed


@pytest.mark.parametrize("lost", ["account", "authorization"])
async def test_what_is_lost_between_finalize_and_signing(
    lost: str, vault: CuttingProxy, issuing_plan: Plan, launch: Launch
) -> None:
    """ACC-02 (abuse), ACC-09, STA-03 (abuse), INV-1: while nobody works; nothing is signed then."""
    signs = vault.count(SIGN)
    away = planned(issuing_plan, Role.ALL, vault, database=5)
    async with launch(away) as first:
        client = await first.account()
        order = await first.ready(client, NAME)
    web = Plan(issuing_plan.tenants, more={"server": "challenge_wait = 0\nfinalize_wait = 0\n"}, database=5)
    async with launch(web) as place:
        [client] = clones(place, client, 1)
        finalized = await client.finalize(order.json()["finalize"], certificate_request([NAME]))
        assert finalized.json()["status"] == "processing"
        closed = await client.deactivate(None if lost == "account" else order.json()["authorizations"][0])
        assert closed.json()["status"] == "deactivated"
    async with launch(away) as last:

        async def ended() -> bool:
            document = await last.state.document("order", last_part(order.location))
            return bool(document["progress"]["type"] == "abandoned")

        await eventually(ended)
        if lost == "authorization":
            [client] = clones(last, client, 1)
            assert (await client.get(order.location)).json()["status"] == "invalid"
    assert vault.count(SIGN) == signs
