"""A proxy of two tenants whose Vault is asked through what can be spoilt: one of each a module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.provisioning import Hierarchy
from tests.support.faulty_vault import FaultyVault, faulty_vault
from tests.support.proxies import Launch
from tests.support.proxy import Proxy, hosted
from tests.support.waiting import Waiting, plan_of_two, serves

#: What the sign calls of the tenant alpha have in them.
SIGN = ("/sign/acme", "admin/alpha")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def faulty(openbao: OpenBao) -> AsyncIterator[FaultyVault]:
    """Run a way to the session's OpenBao, on which everything is passed on until it is told otherwise."""
    async with hosted(faulty_vault(openbao.port)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def spoilt(
    launch: Launch, hierarchy: Hierarchy, faulty: FaultyVault, name_server: int
) -> AsyncIterator[Proxy]:
    """Run a proxy that goes that way."""
    async with launch(plan_of_two(faulty.port, hierarchy, name_server)) as proxy:
        yield proxy


async def waits_until_mended(wanted: Waiting, spoilt: Proxy, faulty: FaultyVault) -> None:
    """Finalize while Vault is spoilt for alpha: the order waits, beta is served, and then it is issued."""
    await wanted.finalized()
    await serves(spoilt, "www.beta.example")
    await wanted.still_waits()
    faulty.mend()
    await wanted.issued()


@pytest.fixture
def mended(faulty: FaultyVault) -> None:
    """Begin without a fault."""
    faulty.mend()
