"""C1: when to renew a certificate, for anybody who asks (RFC 9773 §4)."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.redis.connection import Durability, connect
from acmeproxy.adapters.redis.ledger import RedisCampaigns, RedisLedger
from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.services.certificates import Certificates, Renewals
from tests.support.acme_client import Answer
from tests.support.acme_keys import b64url, unb64url
from tests.support.held import Held, hold
from tests.support.problems import assert_refused
from tests.support.proxy import Proxy
from tests.support.state import last_part

BASE = "https://acme.example/acme/alpha/renewal-info"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def held(issuing: Proxy) -> Held:
    """Return a certificate of 30 days, which nobody revokes."""
    return await hold(issuing, "www.alpha.example")


async def ask(proxy: Proxy, identifier: str, method: str = "GET") -> Answer:
    return await proxy.client().send(method, f"{BASE}/{identifier}")


def window(answer: Answer) -> tuple[datetime, datetime]:
    assert answer.status == 200, answer.body
    shown: dict[str, Any] = answer.json()["suggestedWindow"]
    assert set(shown) == {"start", "end"}
    assert all(text.endswith("Z") and len(text) == 20 for text in shown.values())
    return datetime.fromisoformat(shown["start"]), datetime.fromisoformat(shown["end"])


async def test_a_certificate_has_its_window_at_once(issuing: Proxy, held: Held) -> None:
    """ARI-01, ARI-04, ARI-08, ARI-10, ARI-12, ARI-16, ARI-18, DIR-09."""
    assert (await held.client.directory())["renewalInfo"] == BASE
    answer = await ask(issuing, held.identifier)
    start, end = window(answer)
    leaf = x509.load_der_x509_certificate(held.leaf)
    # Two thirds of 30 days, and 7.2 hours to both sides.
    ideal = leaf.not_valid_after_utc - timedelta(days=10)
    assert ideal - timedelta(hours=7.3) <= start < end <= ideal + timedelta(hours=7.3)
    assert list(answer.json()) == ["suggestedWindow"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Retry-After"] == "21600"
    assert answer.headers["Cache-Control"] == "public, max-age=600"
    assert answer.headers["Link"] == '<https://acme.example/acme/alpha/directory>;rel="index"'
    assert "Replay-Nonce" not in answer.headers


async def test_it_is_the_same_whenever_and_however_it_is_asked_for(issuing: Proxy, held: Held) -> None:
    """ARI-03, ARI-04, ARI-14, ARI-16, CLI-33."""
    first = await ask(issuing, held.identifier)
    head = await ask(issuing, held.identifier, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Retry-After"] == "21600"
    issuer, serial = held.identifier.split(".")
    bare = b64url(unb64url(serial).lstrip(b"\0"))
    padded = b64url(b"\0" + unb64url(serial))
    for other in (f"{issuer}.{bare}", f"{issuer}.{padded}", f"{held.identifier}?x=1"):
        assert (await ask(issuing, other)).body == first.body


async def test_other_methods_are_refused(issuing: Proxy, held: Held) -> None:
    """ARI-04."""
    for answer in (
        await held.client.post(f"{BASE}/{held.identifier}", None),
        await held.client.post(f"{BASE}/{held.identifier}", {}),
    ):
        assert_refused(answer, 405, "malformed")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}
    assert_refused(await ask(issuing, held.identifier, "DELETE"), 405, "malformed", posted=False)


@pytest.mark.parametrize(
    "identifier",
    ["AQ", "AQ.", ".AQ", "AQ.AQ.AQ", "AQ=.AQ=", "A+.AQ", "A/.AQ", "AQ.AR", "A" * 98 + ".AQ", ".", "..x"],
)
async def test_what_names_no_certificate_is_malformed(issuing: Proxy, identifier: str) -> None:
    """ARI-05."""
    answer = await ask(issuing, identifier)
    assert_refused(answer, 400, "malformed", posted=False)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_unknown_ones_are_unknown_in_one_text(issuing: Proxy, held: Held) -> None:
    """ARI-06, ARI-07, ARI-01 (abuse), TEN-04."""
    issuer, serial = held.identifier.split(".")
    beta = await hold(issuing, "www.beta.example", tenant="beta")
    foreign = [
        f"{b64url(secrets.token_bytes(20))}.{serial}",
        f"{issuer}.{b64url(secrets.token_bytes(20))}",
        beta.identifier,
        "AQ.AQ",
    ]
    answers = [await ask(issuing, identifier) for identifier in foreign]
    for answer in answers:
        assert_refused(answer, 404, "malformed", posted=False)
    assert len({answer.body for answer in answers}) == 1
    assert_refused(await issuing.client().send("GET", BASE), 404, "malformed", posted=False)


async def test_asking_changes_nothing(issuing: Proxy, held: Held) -> None:
    """ARI-01 (abuse)."""
    before = await issuing.state.names()
    await ask(issuing, held.identifier)
    await ask(issuing, "AQ.AQ")
    assert await issuing.state.names() - before == set()


async def test_a_revoked_certificate_is_renewed_now(issuing: Proxy) -> None:
    """ARI-13, ARI-14."""
    revoked = await hold(issuing, "www.alpha.example")
    assert (await revoked.client.revoke(revoked.leaf)).status == 200
    first = await ask(issuing, revoked.identifier)
    start, end = window(first)
    now = datetime.now(UTC)
    assert start < end < now - timedelta(minutes=25)
    assert start > now - timedelta(minutes=65)
    assert (await ask(issuing, revoked.identifier)).body == first.body


async def test_neither_expiry_nor_a_closed_account_hides_it(issuing: Proxy) -> None:
    """ARI-15, ARI-19."""
    old = await hold(issuing, "www.alpha.example")
    await old.client.deactivate()
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    await issuing.state.change("certificate", old.id, not_after=past)
    start, end = window(await ask(issuing, old.identifier))
    assert start < end < datetime.now(UTC)


async def test_an_operator_has_certificates_renewed_and_says_why(
    issuing: Proxy, valkey_server: Valkey
) -> None:
    """ARI-09, ARI-13, ARI-06 (abuse): those of one account, not its neighbour's, not its successors."""
    mine, other = await hold(issuing, "a.alpha.example"), await hold(issuing, "b.alpha.example")
    before = await ask(issuing, other.identifier)
    account = AccountId(last_part(str(mine.client.kid)))
    begun = datetime.now(UTC).replace(microsecond=0)
    async with connect(valkey_server.url, None, timedelta(seconds=2), Durability.AUTO) as connection:
        operator = Certificates(
            RedisLedger(connection, lambda: datetime.now(UTC)),
            RedisCampaigns(connection),
            lambda: datetime.now(UTC),
        )
        wanted = Renewals(timedelta(hours=1), "https://ca.example/incident", account=account)
        assert await operator.renew(TenantName("alpha"), wanted) == 1
    answer = await ask(issuing, mine.identifier)
    start, end = window(answer)
    assert begun <= start < end <= begun + timedelta(hours=1, seconds=30)
    assert answer.json()["explanationURL"] == "https://ca.example/incident"
    assert (await ask(issuing, other.identifier)).body == before.body
    renewed = Held(mine.client, await mine.client.obtain(["a.alpha.example"], issuing.responder))
    assert window(await ask(issuing, renewed.identifier))[0] > begun + timedelta(days=19)
