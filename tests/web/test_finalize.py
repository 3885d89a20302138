"""A15: finalize (RFC 8555 §7.4)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from cryptography import x509

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.core.inspection import serial_text
from acmeproxy.wiring.serving import Role
from tests.support.acme_client import AcmeClient, Answer
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.acme_keys import b64url
from tests.support.eventually import eventually
from tests.support.openbao import as_root
from tests.support.problems import assert_problem, assert_refused
from tests.support.proxies import AT_ONCE, BRISK, NAMES, TENANTS, WITHOUT_VAULT, Launch
from tests.support.proxy import Plan, Proxy, tenant
from tests.support.state import last_part

NAME = "www.alpha.example"
PLACE = "admin/alpha"


async def in_state(state: str, proxy: Proxy) -> tuple[AcmeClient, Answer]:
    """Return a client and one of its orders, which is in a state by now."""
    client = await proxy.account()
    if state == "invalid":
        order = await proxy.order(client, NAME)
        challenge = await proxy.challenge(client, order)
        await client.settled(challenge["url"], await client.answer(challenge["url"]))
    elif state == "pending":
        order = await proxy.order(client, NAME)
    else:
        order = await proxy.ready(client, NAME)
    if state == "processing":
        await client.finalize(order.json()["finalize"], certificate_request([NAME]))
    shown = await client.get(order.location)
    assert shown.json()["status"] == state
    return client, shown


@pytest.mark.parametrize("state", ["pending", "processing", "invalid"])
async def test_what_is_not_ready(state: str, validating: Proxy) -> None:
    """FIN-01, OS-12, OS-14, STA-02 (abuse), CLI-22: 403, and the order is as it was."""
    client, order = await in_state(state, validating)
    answer = await client.finalize(order.json()["finalize"], certificate_request([NAME]))
    document = assert_refused(answer, 403, "orderNotReady")
    assert state in document["detail"]
    assert (await client.get(order.location)).body == order.body


async def test_what_is_valid(issuing: Proxy) -> None:
    """FIN-01, OS-13: another CSR makes no second certificate; the very same one is the same request (K18)."""
    client = await issuing.account()
    order = await issuing.ready(client, NAME)
    csr = certificate_request([NAME])
    first = await client.settled(order.location, await client.finalize(order.json()["finalize"], csr))
    other = await client.finalize(order.json()["finalize"], certificate_request([NAME]))
    assert_refused(other, 403, "orderNotReady")
    again = await client.finalize(order.json()["finalize"], csr)
    assert (again.status, again.json()) == (200, first.json())


async def test_early_and_then_in_time(issuing: Proxy) -> None:
    """STA-02 (abuse), FIN-01, FIN-02, OS-3: who finalizes too early has lost nothing."""
    client = await issuing.account()
    order = await issuing.order(client, NAME)
    csr = certificate_request([NAME])
    assert_refused(await client.finalize(order.json()["finalize"], csr), 403, "orderNotReady")
    challenge = await issuing.challenge(client, order)
    issuing.responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
    await client.settled(challenge["url"], await client.answer(challenge["url"]))
    finalized = await client.finalize(order.json()["finalize"], csr)
    assert finalized.status == 200
    assert finalized.json()["status"] in {"processing", "valid"}
    assert (await client.settled(order.location, finalized)).json()["status"] == "valid"


async def test_a_refused_csr_leaves_the_order_ready(issuing: Proxy) -> None:
    """FIN-16, OS-8: the next one is taken."""
    client = await issuing.account()
    order = await issuing.ready(client, NAME)
    async with issuing.state.unchanged():
        for names in (["other.alpha.example"], [NAME, "other.alpha.example"]):
            answer = await client.finalize(order.json()["finalize"], certificate_request(names))
            assert_refused(answer, 400, "badCSR")
            assert (await client.get(order.location)).json()["status"] == "ready"
    finalized = await client.finalize(order.json()["finalize"], certificate_request([NAME]))
    assert (await client.settled(order.location, finalized)).json()["status"] == "valid"


async def test_nobody_finalizes_for_others(validating: Proxy) -> None:
    """FIN-17, D4: neither ready orders nor missing ones."""
    alice, order = await in_state("ready", validating)
    bob = await validating.account()
    url = order.json()["finalize"]
    missing = url.replace(last_part(order.location), "0" * 32)
    csr = certificate_request([NAME])
    async with validating.state.unchanged():
        for payload in ({"csr": b64url(csr)}, {}, None):
            foreign, nobodys = await bob.post(url, payload), await bob.post(missing, payload)
            assert_refused(foreign, 404, "malformed")
            assert foreign.body == nobodys.body
    assert (await alice.get(order.location)).json()["status"] == "ready"


def names_of(certificate: x509.Certificate) -> set[str]:
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in san}


async def test_the_certificate_is_what_was_ordered(issuing: Proxy) -> None:
    """FIN-19, INV-2: the names, the key, nothing else."""
    client = await issuing.account()
    names = [NAME, "alpha.example", "a.b.c.alpha.example"]
    issued = await client.obtain(names, issuing.responder)
    leaf = x509.load_pem_x509_certificate(issued.chain)
    assert names_of(leaf) == set(names)
    assert leaf.public_key() == issued.key.public_key()
    constraints = [e.value for e in leaf.extensions if isinstance(e.value, x509.BasicConstraints)]
    assert not any(constraint.ca for constraint in constraints)
    assert leaf.subject == x509.Name([])


async def test_what_vault_adds_is_not_delivered(issuing: Proxy, openbao: OpenBao) -> None:
    """FIN-19, OS-11, INV-2: the order ends as our fault, and the certificate is revoked."""
    role = {"allowed_domains": ["alpha.example"], "allow_subdomains": True, "allow_bare_domains": True}
    role |= {"organization": ["Evil Corp"], "key_type": "any", "require_cn": False, "use_csr_sans": False}
    await as_root(openbao, "POST", "pki/roles/talkative", PLACE, {**role, "use_csr_common_name": False})
    before = set((await as_root(openbao, "LIST", "pki/certs", PLACE))["data"]["keys"])
    client = await issuing.account("talkative")
    order = await issuing.ready(client, NAME)
    finalized = await client.finalize(order.json()["finalize"], certificate_request([NAME]))
    ended = (await client.settled(order.location, finalized)).json()
    assert ended["status"] == "invalid"
    assert "certificate" not in ended
    assert_problem(ended["error"])
    assert ended["error"]["type"] == "urn:ietf:params:acme:error:serverInternal"
    assert "Evil" not in ended["error"]["detail"]
    after = set((await as_root(openbao, "LIST", "pki/certs", PLACE))["data"]["keys"])
    shown = [(await as_root(openbao, "GET", f"pki/cert/{one}", PLACE))["data"] for one in after - before]
    leaves = [x509.load_pem_x509_certificate(one["certificate"].encode()) for one in shown]
    # Orders of other tests may have been signed meanwhile.
    [ours] = [leaf for leaf in leaves if "Evil Corp" in leaf.subject.rfc4514_string()]
    serial = serial_text(ours.serial_number)

    async def revoked() -> bool:
        found = await as_root(openbao, "GET", f"pki/cert/{serial}", PLACE)
        return int(found["data"]["revocation_time"]) > 0

    await eventually(revoked)


@pytest_asyncio.fixture(loop_scope="session")
async def narrowed(launch: Launch) -> AsyncIterator[Proxy]:
    """Run a process whose operator has taken a name from a tenant since."""
    policy = TENANTS["alpha"] + f'\nnames.deny = ["{NAME}"]'
    async with launch(Plan({"alpha": tenant(policy)}, more=AT_ONCE, database=WITHOUT_VAULT)) as running:
        yield running


async def test_names_that_were_taken_away_since(validating: Proxy, narrowed: Proxy) -> None:
    """STA-08 (abuse), NOR-03, PRB-05, PRB-07: the policy of now counts, and the name is in a subproblem."""
    client, order = await in_state("ready", validating)
    there = narrowed.client(key=client.key)
    there.kid = client.kid
    async with narrowed.state.unchanged():
        answer = await there.finalize(order.json()["finalize"], certificate_request([NAME]))
        document = assert_refused(answer, 400, "rejectedIdentifier")
    assert [sub["identifier"]["value"] for sub in document["subproblems"]] == [NAME]
    assert (await there.get(order.location)).json()["status"] == "ready"


async def test_a_profile_that_was_withdrawn_since(launch: Launch, name_server: int) -> None:
    """FIN-21, ORD-12, STA-08 (abuse): told as such, and the order waits for its return."""
    profile = '[tenants.alpha.profiles.short]\ndescription = "six hours"\nlifetime = "6h"\n'
    before = Plan({"alpha": tenant(NAMES) + profile}, Role.ALL, dns=name_server, more=BRISK, database=4)
    async with launch(before) as first:
        client = await first.account()
        order = await client.new_order([NAME], profile="short")
        await first.prove(client, order)
    async with launch(Plan({"alpha": tenant(NAMES)}, more=AT_ONCE, database=4)) as second:
        there = second.client(key=client.key)
        there.kid = client.kid
        async with second.state.unchanged():
            answer = await there.finalize(order.json()["finalize"], certificate_request([NAME]))
            assert_refused(answer, 400, "invalidProfile")
            shown = (await there.get(order.location)).json()
            assert (shown["status"], shown["profile"]) == ("ready", "short")


async def test_an_answer_that_takes_long_says_so(validating: Proxy) -> None:
    """FIN-02, FIN-22, CLI-20, CLI-21: never ready or pending, with the way to ask again."""
    client, order = await in_state("ready", validating)
    key = certificate_key()
    answer = await client.finalize(order.json()["finalize"], certificate_request([NAME], key))
    assert (answer.status, answer.json()["status"]) == (200, "processing")
    assert (answer.location, answer.headers["Retry-After"]) == (order.location, "1")
    assert "error" not in answer.json()


def test_serials_are_written_as_vault_writes_them() -> None:
    """FIN-19: or the wrong certificate would be looked at."""
    assert serial_text(0x0AFF) == "0a:ff"


async def test_the_intent_says_where_it_will_be_signed_and_whose_it_is(web: Proxy) -> None:
    """K10: from here on it is known what Vault may have been asked for, and where; nobody works here."""
    client = await web.account()
    order = await web.order(client, NAME)
    id_ = last_part(order.json()["authorizations"][0])
    [challenge, *others] = (await web.state.document("authorization", id_))["challenges"]
    proved = {**challenge, "status": "valid", "validated_at": "2026-03-01T12:00:00Z"}
    await web.state.change("authorization", id_, challenges=[proved, *others])
    answer = await client.finalize(order.json()["finalize"], certificate_request([NAME]))
    assert answer.json()["status"] == "processing"
    intent = (await web.state.document("order", last_part(order.location)))["progress"]["intent"]
    assert intent["mount"] == "pki"
    assert intent["provenance"] == {
        "tenant": "alpha",
        "account": last_part(client.kid or ""),
        "order": last_part(order.location),
        "methods": ["http-01"],
    }
