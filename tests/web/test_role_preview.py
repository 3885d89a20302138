"""What the Vault role would refuse is refused before anything is proved or signed (NOR-03, FIN-16)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.redis.connection import Durability, connect
from acmeproxy.adapters.redis.roles import RedisRoles
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.encoding import json_bytes
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.roles import KnownRoles, RoleReading
from acmeproxy.wiring.serving import Role
from tests.support.acme_csr import certificate_request
from tests.support.acme_keys import PrivateKey
from tests.support.eventually import eventually
from tests.support.openbao import ALPHA, as_root
from tests.support.problems import assert_refused
from tests.support.proxies import AT_ONCE, Launch
from tests.support.proxy import Plan, Proxy, Vault, tenant
from tests.support.state import last_part

PLACE: Final = "admin/alpha"
#: One state store for the worker and for the process that has no login to Vault.
DATABASE: Final = 6
POLICY: Final = """
names.allow = ["*"]
names.ip_ranges = ["10.0.0.0/8"]
wildcards = true
"""
PROFILES: Final = """
[tenants.alpha.profiles.plain]
description = "servers"
role = "previewed"
[tenants.alpha.profiles.wild]
description = "wildcards too"
role = "wild"
[tenants.alpha.profiles.passing]
description = "kept nowhere"
role = "passing"
store = false
[tenants.alpha.profiles.stale]
description = "by a role that was published a while ago"
role = "stale"
[tenants.alpha.profiles.aged]
description = "likewise, and Vault has another one by now"
role = "aged"
[tenants.alpha.profiles.unread]
description = "by another role"
role = "nowhere"
"""
ROLE: Final[dict[str, Any]] = {
    "allowed_domains": ["alpha.example", "b*.example"],
    "allow_subdomains": True,
    "allow_localhost": False,
    "allow_ip_sans": True,
    "allowed_ip_sans_cidr": ["10.1.0.0/16"],
    "allow_wildcard_certificates": False,
    "require_cn": False,
    "use_csr_sans": False,
    "use_csr_common_name": False,
    "key_type": "ec",
    "key_bits": 384,
    "max_ttl": "48h",
    "not_after_bound": "ttl-limited",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def roles(openbao: OpenBao, hierarchy: Hierarchy) -> Hierarchy:
    await as_root(openbao, "POST", "pki/roles/previewed", PLACE, ROLE)
    wild = {**ROLE, "allow_wildcard_certificates": True, "key_type": "any", "key_bits": 0}
    await as_root(openbao, "POST", "pki/roles/wild", PLACE, wild)
    await as_root(openbao, "POST", "pki/roles/aged", PLACE, wild)
    await as_root(openbao, "POST", "pki/roles/passing", PLACE, {**wild, "no_store": True})
    return hierarchy


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def working(
    launch: Launch, openbao: OpenBao, roles: Hierarchy, name_server: int
) -> AsyncIterator[Proxy]:
    """Run a process that does everything."""
    pki = tenant(POLICY, roles.tenants[ALPHA], "previewed", openbao.root_token)
    more = {"server": "challenge_wait = 2\nfinalize_wait = 5\n"}
    vault = Vault(openbao.address, roles.root)
    plan = Plan({"alpha": pki + PROFILES}, Role.ALL, vault, name_server, more, DATABASE)
    async with launch(plan) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(launch: Launch, working: Proxy, roles: Hierarchy) -> AsyncIterator[Proxy]:
    """Run a process without any login beside it, and wait until it knows the roles."""
    namespace = roles.tenants[ALPHA].place.namespace
    bare = f'{POLICY}vault.namespace = "{namespace}"\nvault.role = "previewed"\n{PROFILES}'
    assert len(working.settings.tenants) == 1
    for name, rule in (("stale", {"allow_wildcard_certificates": False}), ("aged", {"key_type": "rsa"})):
        key, published = f"{{alpha/roles}}:admin/alpha:pki:{name}", json_bytes({"name": name, **rule})
        await working.state.put(key, published, 3590)
    async with launch(Plan({"alpha": bare}, more=AT_ONCE, database=DATABASE)) as running:
        client = await running.account()

        async def known() -> bool:
            answers = [
                await client.new_order(["x.test"], profile=name) for name in ("plain", "wild", "passing")
            ]
            return {answer.status for answer in answers} == {400}

        await eventually(known)
        yield running


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("alpha.example", "does not allow bare domains (allow_bare_domains = false)"),
        ("*.alpha.example", "does not allow wildcards (allow_wildcard_certificates = false)"),
        ("beta.example", "does not take its domains as patterns (allow_glob_domains = false)"),
        ("x.localhost", "does not allow localhost (allow_localhost = false)"),
        ("x.gamma.test", "allows other domains only (allowed_domains = alpha.example, b*.example)"),
        ("10.2.0.1", "allows addresses in 10.1.0.0/16 only"),
    ],
)
async def test_a_name_is_refused_with_the_rule(name: str, rule: str, place: Proxy) -> None:
    """NOR-03: nothing is written, and the client reads which rule of which role it is."""
    client = await place.account()
    async with place.state.unchanged():
        answer = await client.new_order([name])
        document = assert_refused(answer, 400, "rejectedIdentifier")
    text = f"{name} would not be signed: vault role previewed {rule} [ref ROLE-NAME]"
    assert document["detail"] == text
    [sub] = document["subproblems"]
    assert (sub["identifier"]["value"], sub["detail"]) == (name, text)


async def test_a_role_that_is_changed_is_seen_by_whoever_has_no_login(
    openbao: OpenBao, roles: Hierarchy, empty_valkey: Valkey
) -> None:
    """From Vault through a worker and the state store to a web process, with pauses of less than a minute."""
    often = timedelta(milliseconds=20)
    place = VaultPlace("pki", "changing", "admin/alpha")
    tenants = {ALPHA: Tenant(ALPHA, place, Names())}
    login = TokenLogin(Secret(openbao.root_token))
    assert ALPHA in roles.tenants
    await as_root(openbao, "POST", "pki/roles/changing", PLACE, ROLE)
    async with (
        connect(empty_valkey.url, None, timedelta(seconds=2), Durability.NONE) as state,
        VaultSigner({ALPHA: VaultConnection(openbao.address, login, "admin/alpha")}) as signer,
        asyncio.TaskGroup() as tasks,
    ):
        reading = RoleReading(signer, RedisRoles(state), tenants, often)
        known = KnownRoles(RedisRoles(state), tenants, reading, often)
        chores = [tasks.create_task(chore()) for chore in (reading.keep_reading, known.keep_learning)]
        for bare in (False, True):
            await as_root(openbao, "POST", "pki/roles/changing", PLACE, {**ROLE, "allow_bare_domains": bare})

            async def seen(expected: bool = bare) -> bool:  # noqa: FBT001 - bound as the loop goes
                found = known.of(ALPHA, place)
                return found is not None and found.allow_bare_domains is expected

            await eventually(seen)
        for chore in chores:
            chore.cancel()


async def test_a_role_that_was_widened_refuses_nobody_any_more(
    openbao: OpenBao, roles: Hierarchy, place: Proxy
) -> None:
    """INV-12: who has no login asks a worker before it refuses; while nobody knows, it is no 4xx."""
    assert ALPHA in roles.tenants
    client = await place.account()
    async with place.state.unchanged():
        answer = await client.new_order(["*.alpha.example"], profile="stale")
        document = assert_refused(answer, 503, "serverInternal")
    assert "[ref ROLE-AWAY]" in document["detail"]
    assert answer.headers["Retry-After"] == "5"

    await as_root(openbao, "POST", "pki/roles/stale", PLACE, {**ROLE, "allow_wildcard_certificates": True})

    async def taken() -> bool:
        return (await client.new_order(["*.alpha.example"], profile="stale")).status == 201

    await eventually(taken)


async def test_every_refused_name_has_its_own_subproblem(place: Proxy) -> None:
    """PRB-06, PRB-07: in the client's spelling, beside those that the tenant's own policy refuses."""
    client = await place.account()
    names = ["www.alpha.example", "Alpha.Example", "10.2.0.1", "192.0.2.1", "*.alpha.example"]
    document = assert_refused(await client.new_order(names), 400, "rejectedIdentifier")
    refused = {
        sub["identifier"]["value"]: sub["detail"].rpartition("[ref ")[2] for sub in document["subproblems"]
    }
    assert refused == {
        "Alpha.Example": "ROLE-NAME]",
        "10.2.0.1": "ROLE-NAME]",
        "192.0.2.1": "NAME-NOT-ALLOWED]",
        "*.alpha.example": "ROLE-NAME]",
    }


async def test_what_the_role_allows_is_taken(place: Proxy) -> None:
    client = await place.account()
    await place.order(client, "www.alpha.example", "a.b.c.alpha.example", "10.1.2.3")


async def test_the_role_of_the_profile_counts(place: Proxy) -> None:
    """PRF-09; of a role that nobody could read there is no preview."""
    client = await place.account()
    assert (await client.new_order(["*.alpha.example"], profile="wild")).status == 201
    assert (await client.new_order(["x.gamma.test"], profile="unread")).status == 201
    refused = await client.new_order(["x.gamma.test"], profile="wild")
    assert "vault role wild " in assert_refused(refused, 400, "rejectedIdentifier")["detail"]


async def test_an_end_beyond_the_roles_is_refused(place: Proxy) -> None:
    """NOR-05."""
    client = await place.account()
    now = datetime.now(UTC).replace(microsecond=0)
    for hours, status in ((47, 201), (49, 400)):
        end = (now + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
        answer = await client.new_order(["www.alpha.example"], notAfter=end)
        assert answer.status == status, answer.body
    assert assert_refused(answer, 400, "malformed")["detail"] == (
        "notAfter would not be signed: vault role previewed has certificates for at most 172800 seconds "
        "(not_after_bound = ttl-limited) [ref ROLE-LIFETIME]"
    )


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "takes ec keys of at least 384 bits (key_bits = 384)"),
        (rsa.generate_private_key(65537, 2048), "takes keys of type ec only (key_type = ec)"),
    ],
)
async def test_a_key_that_the_role_does_not_take_leaves_the_order_ready(
    key: PrivateKey, rule: str, working: Proxy, place: Proxy
) -> None:
    """FIN-16, RFC 8555 §7.4 (unacceptable, e.g. due to a short key): a better key is taken then."""
    client = await working.account()
    order = await working.ready(client, "www.alpha.example")
    there = place.client(key=client.key)
    there.kid = client.kid
    async with place.state.unchanged():
        request = certificate_request(["www.alpha.example"], key)
        document = assert_refused(await there.finalize(order.json()["finalize"], request), 400, "badCSR")
    assert document["detail"] == (
        f"the CSR's key would not be signed: vault role previewed {rule} [ref ROLE-KEY]"
    )
    assert (await there.get(order.location)).json()["status"] == "ready"
    better = certificate_request(["www.alpha.example"], ec.generate_private_key(ec.SECP384R1()))
    finalized = await client.finalize(order.json()["finalize"], better)
    assert (await client.settled(order.location, finalized)).json()["status"] == "valid"


async def test_a_key_that_the_role_did_not_take_a_while_ago_is_taken(working: Proxy, place: Proxy) -> None:
    """INV-12: at finalize as at newOrder."""
    client = await working.account()
    answer = await client.new_order(["aged.alpha.example"], profile="aged")
    await working.prove(client, answer)
    there = place.client(key=client.key)
    there.kid = client.kid
    finalized = await there.finalize(answer.json()["finalize"], certificate_request(["aged.alpha.example"]))
    assert finalized.status == 200, finalized.body
    assert (await client.settled(answer.location, finalized)).json()["status"] == "valid"


async def test_what_is_kept_nowhere_is_delivered_and_revoked(working: Proxy) -> None:
    """Issued, downloaded and revoked by a role without store; the record says by what way it was proved."""
    client = await working.account()
    answer = await client.new_order(["passing.alpha.example"], profile="passing")
    assert answer.status == 201, answer.body
    await working.prove(client, answer)
    request = certificate_request(["passing.alpha.example"])
    finalized = await client.finalize(answer.json()["finalize"], request)
    done = await client.settled(answer.location, finalized)
    assert done.json()["status"] == "valid"
    chain = await client.get(done.json()["certificate"])
    leaf = x509.load_pem_x509_certificate(chain.body).public_bytes(Encoding.DER)
    record = await working.state.document("certificate", last_part(done.json()["certificate"]))
    assert record["mount"] == "pki"
    assert record["provenance"]["methods"] == ["http-01"]
    assert record["provenance"]["tenant"] == "alpha"
    revoked = await client.revoke(leaf, 4)
    assert revoked.status == 200, revoked.body
    again = await client.revoke(leaf, 4)
    assert_refused(again, 400, "alreadyRevoked")
