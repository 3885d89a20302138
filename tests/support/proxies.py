"""The proxies that the tests of the protocol talk to: one of each kind a module, on one state store."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.validation.testdns import serve_test_dns
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.wiring.serving import Role
from tests.support.http01_responder import Http01Responder
from tests.support.openbao import ALPHA, BETA
from tests.support.proxy import Plan, Proxy, Vault, hosted, proxy, tenant
from tests.support.valkey import ask

Launch = Callable[[Plan], AbstractAsyncContextManager[Proxy]]

TERMS = "https://ca.example/terms"
WEBSITE = "https://ca.example/"

NAMES = 'names.allow = ["alpha.example", "*.alpha.example", "shared.example"]'
TENANTS = {
    "alpha": NAMES,
    "beta": 'names.allow = ["beta.example", "*.beta.example", "shared.example"]',
    "terms": f'{NAMES}\nterms_of_service = "{TERMS}"\nwebsite = "{WEBSITE}"',
    "bound": f"{NAMES}\neab_required = true",
    "net": 'names.allow = ["*"]\nnames.deny = ["denied.example"]\n'
    'names.ip_ranges = ["10.0.0.0/8", "127.0.0.0/8", "2001:db8::/32", "fe80::/10", "::/8"]\nwildcards = true',
}
#: A worker without Vault must not take the jobs of one that has it.
WITHOUT_VAULT = 1
#: Nobody works: what a client asks for stays as it is.
AT_ONCE = {"server": "challenge_wait = 0\nfinalize_wait = 0\n"}
#: Somebody works, and gives up soon.
BRISK = {
    "server": "challenge_wait = 0.3\nfinalize_wait = 0.1\n",
    "validation": "timeout = 5\nattempts = 1\n",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def empty_valkey(valkey_server: Valkey) -> Valkey:
    """Return the session's Valkey, which was empty when the module began."""
    assert await ask(valkey_server, "FLUSHALL") == b"+OK"
    return valkey_server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def responder() -> AsyncIterator[Http01Responder]:
    """Run the web server of every name that there is."""
    async with Http01Responder() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def name_server() -> AsyncIterator[int]:
    """Run a name server for which every name is 127.0.0.1, and return its port."""
    async with serve_test_dns() as port:
        yield port


@pytest.fixture(scope="module")
def launch(
    tmp_path_factory: pytest.TempPathFactory, empty_valkey: Valkey, responder: Http01Responder
) -> Launch:
    """Return what runs a proxy by a plan, while a context lasts."""
    return lambda plan: hosted(proxy(tmp_path_factory.mktemp("proxy"), empty_valkey, responder, plan))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def web(launch: Launch) -> AsyncIterator[Proxy]:
    """Run a proxy that answers clients and does nothing for them."""
    plan = Plan({name: tenant(policy) for name, policy in TENANTS.items()}, more=AT_ONCE)
    async with launch(plan) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def validating(launch: Launch, name_server: int) -> AsyncIterator[Proxy]:
    """Run a proxy that validates; its Vault is away for good."""
    tenants = {name: tenant(policy) for name, policy in TENANTS.items()}
    plan = Plan(tenants, Role.ALL, dns=name_server, more=BRISK, database=WITHOUT_VAULT)
    async with launch(plan) as running:
        yield running


@pytest.fixture(scope="module")
def issuing_plan(openbao: OpenBao, hierarchy: Hierarchy, name_server: int) -> Plan:
    """Return what a proxy is made of that signs for the session's PKI."""
    alpha, beta = hierarchy.tenants[ALPHA], hierarchy.tenants[BETA]
    tenants = {
        "alpha": tenant(NAMES, alpha),
        "beta": tenant(TENANTS["beta"], beta),
        # More is promised here than the role has signed, which nobody can tell before Vault is asked.
        "promising": tenant('names.allow = ["*.elsewhere.example"]', alpha, "templated", openbao.root_token),
        # The role adds to the subject what nobody ordered.
        "talkative": tenant(NAMES, alpha, "talkative", openbao.root_token),
    }
    patient = {"server": "challenge_wait = 2\nfinalize_wait = 5\n", "validation": BRISK["validation"]}
    return Plan(tenants, Role.ALL, Vault(openbao.address, hierarchy.root), name_server, patient)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def issuing(launch: Launch, issuing_plan: Plan) -> AsyncIterator[Proxy]:
    """Run a proxy that validates and has a real OpenBao sign."""
    async with launch(issuing_plan) as running:
        yield running
