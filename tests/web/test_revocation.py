"""A17: who may have a certificate revoked, and what comes of it (RFC 8555 §7.6)."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from acmeproxy.adapters.embedded.openbao import OpenBao
from tests.support.acme_client import AcmeClient
from tests.support.acme_csr import certificate_request
from tests.support.acme_keys import AccountKey, b64url, generate
from tests.support.held import Held, der_chain, hold
from tests.support.openbao import as_root
from tests.support.problems import assert_refused
from tests.support.proxy import Proxy
from tests.support.state import last_part
from tests.support.vault_looks import revoked_in_store, status_by_ocsp

PKI = "admin/alpha/pki"
REASONS = "0 (unspecified), 1 (keyCompromise), 3 (affiliationChanged), 4 (superseded), "


@pytest_asyncio.fixture(loop_scope="session")
async def held(issuing: Proxy) -> Held:
    """Return a certificate for www.alpha.example of a new account."""
    return await hold(issuing, "www.alpha.example")


async def revoke(client: AcmeClient, payload: object, signer: AccountKey | None = None) -> Any:  # noqa: ANN401 - an answer
    return await client.post((await client.directory())["revokeCert"], payload, signer=signer)


async def test_the_account_that_ordered_it_has_it_revoked(openbao: OpenBao, held: Held) -> None:
    """REV-01, REV-13, REV-20, CRT-12, INV-6: and relying parties see it before the client does."""
    assert await status_by_ocsp(openbao, PKI, held.chain) is ocsp.OCSPCertStatus.GOOD
    answer = await held.client.revoke(held.leaf)
    assert (answer.status, answer.body) == (200, b"")
    assert "Replay-Nonce" in answer.headers
    assert await status_by_ocsp(openbao, PKI, held.chain) is ocsp.OCSPCertStatus.REVOKED
    assert await revoked_in_store(openbao, PKI, held.leaf)
    again = await held.client.get(held.url)
    assert (again.status, again.body) == (200, held.issued.chain)
    assert (await held.client.get(held.issued.order.location)).json()["status"] == "valid"


async def test_a_certificate_without_a_reason_has_none_on_the_list(openbao: OpenBao, held: Held) -> None:
    """REV-12."""
    await held.client.revoke(held.leaf)
    await as_root(openbao, "GET", "pki/crl/rotate", "admin/alpha")
    pem = (await as_root(openbao, "GET", "pki/cert/crl", "admin/alpha"))["data"]["certificate"]
    crl = x509.load_pem_x509_crl(pem.encode())
    serial = x509.load_der_x509_certificate(held.leaf).serial_number
    entry = crl.get_revoked_certificate_by_serial_number(serial)
    assert entry is not None
    assert [extension.oid.dotted_string for extension in entry.extensions] == []


async def test_twice_is_once_and_told(issuing: Proxy, held: Held) -> None:
    """REV-07, REV-20: what Vault cannot keep is kept here."""
    assert (await held.client.revoke(held.leaf, 4)).status == 200
    assert_refused(await held.client.revoke(held.leaf, 4), 400, "alreadyRevoked")
    assert_refused(await held.client.revoke(held.leaf, signer=held.key), 400, "alreadyRevoked")
    stored = await issuing.state.document("certificate", held.id)
    assert stored["reason"] == 4
    assert stored["revoking_at"] <= stored["revoked_at"]


async def test_whoever_has_its_key_has_it_revoked_and_gets_no_account(issuing: Proxy, held: Held) -> None:
    """REV-03."""
    stranger = issuing.client()
    before = await issuing.state.everything()
    answer = await stranger.revoke(held.leaf, signer=held.key)
    assert (answer.status, answer.body) == (200, b"")
    after = await issuing.state.everything()
    assert {key for key in after.keys() - before.keys() if b":account:" in key} == set()
    assert_refused(await stranger.new_account(onlyReturnExisting=True), 400, "accountDoesNotExist")


async def test_another_key_than_its_own_does_not(held: Held) -> None:
    """REV-04, REV-07 (abuse): not even that of its account, nor its issuer's by name."""
    for signer in (held.client.key, generate(), generate("RS256")):
        assert_refused(await held.client.revoke(held.leaf, signer=signer), 403, "unauthorized")


async def test_an_account_with_all_its_names_has_it_revoked_and_one_with_some_does_not(
    issuing: Proxy,
) -> None:
    """REV-02, SYS-06, REV-02 (abuse): the reason is not theirs to give, and no key is blocked by it."""
    names = ("one.alpha.example", "two.alpha.example")
    held = await hold(issuing, *names)
    heir = await issuing.account()
    assert_refused(await heir.revoke(held.leaf), 403, "unauthorized")
    await issuing.ready(heir, names[0])
    assert_refused(await heir.revoke(held.leaf, 1), 403, "unauthorized")
    await issuing.ready(heir, names[1])
    assert (await heir.revoke(held.leaf, 1)).status == 200
    assert (await issuing.state.document("certificate", held.id))["reason"] == 5
    assert [key for key in await issuing.state.everything() if b":blocked:" in key] == []


async def test_authorizations_count_only_while_they_are_valid(issuing: Proxy, held: Held) -> None:
    """REV-02."""
    heir = await issuing.account()
    order = await issuing.ready(heir, "www.alpha.example")
    await heir.deactivate(order.json()["authorizations"][0])
    assert_refused(await heir.revoke(held.leaf), 403, "unauthorized")
    second = await issuing.ready(heir, "www.alpha.example")
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    authorization = last_part(second.json()["authorizations"][0])
    await issuing.state.change("authorization", authorization, expires=past)
    assert_refused(await heir.revoke(held.leaf), 403, "unauthorized")


async def test_a_stranger_does_not_learn_that_it_is_revoked(issuing: Proxy, held: Held) -> None:
    """REV-08, REV-18."""
    stranger = await issuing.account()
    before = await stranger.revoke(held.leaf)
    await held.client.revoke(held.leaf)
    after = await stranger.revoke(held.leaf)
    assert_refused(before, 403, "unauthorized")
    assert after.body == before.body


async def test_a_closed_account_has_nothing_revoked(held: Held) -> None:
    """REV-17."""
    await held.client.deactivate()
    assert_refused(await held.client.revoke(held.leaf), 401, "unauthorized")


def tampered(leaf: bytes) -> bytes:
    """Return a certificate with the same serial and issuer and another signature."""
    return leaf[:-1] + bytes([leaf[-1] ^ 1])


@pytest.mark.parametrize("client", ["own", "key", "stranger"])
async def test_only_what_was_delivered_here_is_revoked(issuing: Proxy, held: Held, client: str) -> None:
    """REV-06, TEN-04, REV-03 (abuse): altered, another tenant's, the CA's own: all unknown, in one text."""
    beta = await issuing.account("beta")
    foreign = Held(beta, await beta.obtain(["www.beta.example"], issuing.responder))
    sender = await issuing.account() if client == "stranger" else held.client
    signer = held.key if client == "key" else None
    answers = [
        await sender.revoke(certificate, signer=signer)
        for certificate in (tampered(held.leaf), foreign.leaf, held.chain[1])
    ]
    for answer in answers:
        assert_refused(answer, 404, "malformed")
    assert len({answer.body for answer in answers}) == 1
    assert_refused(await beta.revoke(held.leaf, signer=held.key), 404, "malformed")
    assert (await held.client.revoke(held.leaf)).status == 200


def pem(leaf: bytes) -> str:
    return x509.load_der_x509_certificate(leaf).public_bytes(Encoding.PEM).decode()


SHAPES: dict[str, Callable[[bytes], object]] = {
    "REV-05 PEM": lambda leaf: {"certificate": pem(leaf)},
    "REV-05 PEM in base64url": lambda leaf: {"certificate": b64url(pem(leaf).encode())},
    "REV-05 padded": lambda leaf: {"certificate": b64url(leaf) + "="},
    "REV-05 cut short": lambda leaf: {"certificate": b64url(leaf[:-1])},
    "REV-05 something behind": lambda leaf: {"certificate": b64url(leaf + b"\0")},
    "REV-05 garbage": lambda _: {"certificate": "AAAA"},
    "REV-05 empty": lambda _: {"certificate": ""},
    "REV-05 missing": lambda _: {},
    "REV-05 null": lambda _: {"certificate": None},
    "REV-05 a list": lambda leaf: {"certificate": [b64url(leaf)]},
    "REV-05 POST-as-GET": lambda _: None,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
async def test_what_is_no_request_for_revocation_is_malformed(
    held: Held, shape: Callable[[bytes], object]
) -> None:
    """REV-05."""
    assert_refused(await revoke(held.client, shape(held.leaf)), 400, "malformed")


@pytest.mark.parametrize("reason", ["1", 1.5, 1.0, True, False, [1], {}])
async def test_a_reason_is_an_integer(held: Held, reason: object) -> None:
    """REV-11."""
    answer = await revoke(held.client, {"certificate": b64url(held.leaf), "reason": reason})
    assert_refused(answer, 400, "malformed")


@pytest.mark.parametrize("reason", [2, 6, 7, 8, 10, 11, -1, 2**63, 10**30])
async def test_reasons_that_a_subscriber_cannot_mean_are_refused(held: Held, reason: int) -> None:
    """REV-09, REV-10: the text lists the others."""
    problem = assert_refused(await held.client.revoke(held.leaf, reason), 400, "badRevocationReason")
    assert REASONS in problem["detail"]


@pytest.mark.parametrize("reason", [0, 1, 3, 4, 5, 9, None])
async def test_the_other_reasons_are_taken(issuing: Proxy, held: Held, reason: int | None) -> None:
    """REV-09, REV-11: null is none."""
    answer = await revoke(held.client, {"certificate": b64url(held.leaf), "reason": reason})
    assert (answer.status, answer.body) == (200, b"")
    assert (await issuing.state.document("certificate", held.id)).get("reason") == reason


async def test_a_key_that_was_given_up_is_not_certified_again(issuing: Proxy, held: Held) -> None:
    """REV-14, KEY-11: nor does it become an account's; it can still revoke what else it is in (REV-15)."""
    other = await issuing.ready(held.client, "two.alpha.example")
    csr = certificate_request(["two.alpha.example"], held.issued.key)
    finalized = await held.client.finalize(other.json()["finalize"], csr)
    done = await held.client.settled(other.location, finalized)
    second = der_chain((await held.client.get(done.json()["certificate"])).body)[0]

    assert (await issuing.client().revoke(held.leaf, 1, signer=held.key)).status == 200

    third = await issuing.ready(held.client, "www.alpha.example")
    again = certificate_request(["www.alpha.example"], held.issued.key)
    assert_refused(await held.client.finalize(third.json()["finalize"], again), 400, "badCSR")
    assert (await held.client.get(third.location)).json()["status"] == "ready"
    assert_refused(await issuing.client(key=held.key).new_account(), 400, "badPublicKey")
    assert (await issuing.client().revoke(second, signer=held.key)).status == 200


async def test_an_expired_certificate_is_not_revoked(issuing: Proxy, held: Held) -> None:
    """REV-16."""
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await issuing.state.change("certificate", held.id, not_after=past)
    assert_refused(await held.client.revoke(held.leaf), 403, "unauthorized")


async def test_of_many_at_once_none_is_told_a_falsehood(openbao: OpenBao, held: Held) -> None:
    """REV-08 (abuse): every 200 comes after Vault's yes."""
    answers = await asyncio.gather(*(held.client.revoke(held.leaf, 4) for _ in range(8)))
    kinds = {(answer.status, answer.error) for answer in answers}
    assert (200, "") in kinds
    assert kinds <= {(200, ""), (400, "alreadyRevoked")}
    assert await revoked_in_store(openbao, PKI, held.leaf)


async def test_it_is_in_the_directory_and_takes_post_only(issuing: Proxy, held: Held) -> None:
    """DIR-07, JWS-18 (abuse)."""
    url = (await held.client.directory())["revokeCert"]
    assert url == "https://acme.example/acme/alpha/revoke-cert"
    answer = await issuing.client().send("GET", url)
    assert_refused(answer, 405, "malformed", posted=False)
