"""Orders that wait for Vault, seen as their clients see them: no answer may say that it is their fault."""

from dataclasses import dataclass

from cryptography import x509
from prometheus_client.parser import text_string_to_metric_families

from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.wiring.serving import Role
from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.acme_keys import PrivateKey
from tests.support.openbao import ALPHA, BETA
from tests.support.proxies import BRISK, NAMES, TENANTS
from tests.support.proxy import Plan, Proxy, Vault, tenant


def plan_of_two(port: int, hierarchy: Hierarchy, name_server: int) -> Plan:
    """Return what a proxy is made of that signs for alpha and beta at a port, and waits for nothing long."""
    tenants = {
        "alpha": tenant(NAMES, hierarchy.tenants[ALPHA]),
        "beta": tenant(TENANTS["beta"], hierarchy.tenants[BETA]),
    }
    more = {
        "server": "challenge_wait = 2\nfinalize_wait = 0.3\n",
        "validation": BRISK["validation"],
        "vault": "timeout = 2\n",
    }
    vault = Vault(f"http://127.0.0.1:{port}", hierarchy.root)
    return Plan(tenants, Role.ALL, vault, name_server, more)


@dataclass(frozen=True)
class Waiting:
    """A ready order, and the key of its certificate to be."""

    client: AcmeClient
    order: Answer
    key: PrivateKey
    csr: bytes

    async def finalized(self) -> None:
        """Finalize, and be told that it will take a moment (RFC 8555 §7.4)."""
        _assert_processing(await self.sent())

    async def sent(self) -> Answer:
        """Finalize, and return what is said."""
        return await self.client.finalize(self.order.json()["finalize"], self.csr)

    async def still_waits(self) -> None:
        """Poll, and be told when to come again."""
        _assert_processing(await self.client.get(self.order.location))

    async def issued(self, within: float = 30) -> x509.Certificate:
        """Poll until the order is valid, and see that nothing else was ever said; return the certificate."""
        done = await self.client.settled(self.order.location, within=within)
        assert (done.status, done.json()["status"]) == (200, "valid"), done.body
        chain = await self.client.get(done.json()["certificate"])
        assert {answer.status for answer in self.client.answers} <= {200, 201, 204}
        leaf = x509.load_pem_x509_certificate(chain.body)
        assert leaf.public_key() == self.key.public_key()
        return leaf


async def breaker_of(running: Proxy, what: str, name: str = "") -> float:
    """Return what the metrics say of a breaker: 0 closed, 2 open; of the address, or of a tenant's."""
    return await _measured(running, "acmeproxy_vault_breaker_state", of=what, tenant=name)


async def proven(running: Proxy) -> bool:
    """Tell whether it has looked at its tokens and roles, as it does when it starts."""
    return await _measured(running, "acmeproxy_vault_proven_seconds") > 0


async def ready(running: Proxy, name: str, tenant: str = "alpha") -> Waiting:
    """Prove a name, as a new account of a tenant."""
    client = await running.account(tenant)
    order = await running.ready(client, name)
    key = certificate_key()
    return Waiting(client, order, key, certificate_request([name], key))


async def serves(running: Proxy, name: str, tenant: str = "beta") -> None:
    """Get a certificate, as a new account of a tenant, from new-order to the chain."""
    client = await running.account(tenant)
    issued = await client.obtain([name], running.responder)
    assert x509.load_pem_x509_certificate(issued.chain).public_key() == issued.key.public_key()
    assert {answer.status for answer in client.answers} <= {200, 201, 204}


async def _measured(running: Proxy, name: str, **labels: str) -> float:
    metrics = (await running.client().send("GET", f"{running.origin}/metrics")).body.decode()
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return 0


def _assert_processing(answer: Answer) -> None:
    assert (answer.status, answer.json()["status"]) == (200, "processing"), answer.body
    assert answer.headers["Retry-After"] == "1"
    assert "error" not in answer.json()
