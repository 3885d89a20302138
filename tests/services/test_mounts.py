"""A certificate belongs to the mount that signed it, wherever its tenant signs now; some are kept nowhere."""

from datetime import timedelta
from typing import Final

import msgspec
import pytest

from acmeproxy.adapters.redis import keys
from acmeproxy.adapters.redis.ledger import RedisLedger
from acmeproxy.adapters.redis.surplus import RedisSurplus, subject_of
from acmeproxy.core.job import JobKind
from acmeproxy.core.order import Abandoned, Order, Processing
from acmeproxy.core.problem import problem
from acmeproxy.core.provenance import Provenance
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import VaultPlace
from acmeproxy.services.stores import Owner, Undelivered
from tests.support.certificate_authority import Wish
from tests.support.stored import SECOND, START, TENANT, answer
from tests.support.workshop import SETTLING, Workshop, killed_during_the_call

LEASE: Final = timedelta(seconds=30)


def move(workshop: Workshop, place: VaultPlace) -> None:
    """Have the tenant's certificates signed elsewhere from now on."""
    workshop.tenants[TENANT] = workshop.tenants[TENANT].at(place)


def mounts(workshop: Workshop) -> list[tuple[str, str]]:
    return [
        (call, place.mount) for call, place in zip(workshop.signer.calls, workshop.signer.places, strict=True)
    ]


async def processing(workshop: Workshop, owner: Owner, order: Order) -> Processing:
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Processing), progress
    return progress


async def test_a_certificate_says_where_it_was_signed(workshop: Workshop) -> None:
    owner, order = await workshop.finalized()
    await workshop.issue(owner, order)
    assert (await workshop.certificate(owner, order)).mount == "pki"


async def test_a_certificate_keeps_its_provenance(workshop: Workshop) -> None:
    """What finalize wrote into the intent, with the id of the request in Vault's audit log."""
    owner, order = await workshop.finalized()
    found = Provenance(TENANT, owner.account, order.id, "eab_1", (), {"team": "web"})
    assert isinstance(order.progress, Processing)
    intent = msgspec.structs.replace(order.progress.intent, provenance=found)
    document = msgspec.structs.replace(order, progress=Processing(intent))
    await answer(workshop.state, "SET", keys.order(owner, order.id), msgspec.json.encode(document))
    await workshop.issue(owner, order)
    certificate = await workshop.certificate(owner, order)
    assert certificate.provenance == found
    assert certificate.vault_request_id == "request-0"


async def test_it_is_revoked_where_it_was_signed(workshop: Workshop) -> None:
    owner, order = await workshop.finalized()
    await workshop.issue(owner, order)
    move(workshop, VaultPlace("pki-new", "web", issuer="issuing-2"))
    await revoked(workshop, owner, order)
    assert mounts(workshop) == [("sign", "pki"), ("revoke", "pki")]


async def test_one_of_an_older_version_is_revoked_where_the_tenant_signs(workshop: Workshop) -> None:
    owner, order = await workshop.finalized()
    await workshop.issue(owner, order)
    certificate = msgspec.structs.replace(await workshop.certificate(owner, order), mount="")
    await answer(
        workshop.state, "SET", keys.certificate(owner, certificate.id), msgspec.json.encode(certificate)
    )
    move(workshop, VaultPlace("pki-new", "web"))
    await revoked(workshop, owner, order)
    assert mounts(workshop) == [("sign", "pki"), ("revoke", "pki-new")]


async def revoked(workshop: Workshop, owner: Owner, order: Order) -> None:
    ledger = RedisLedger(workshop.state, workshop.clock)
    stored = await ledger.load(owner, (await workshop.certificate(owner, order)).id)
    assert stored is not None
    await ledger.begin(owner, stored, stored.value.revoke(4, workshop.clock()))
    assert JobKind.REVOKE in await workshop.drained()
    assert (await workshop.certificate(owner, order)).revoked_at is not None


async def test_a_lost_answer_is_looked_for_where_it_was_asked_for(workshop: Workshop) -> None:
    """K14: the tenant moved before anybody looked; what was found is adopted, and revoked there too."""
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.loses(signed=True))
    await workshop.issue(owner, order)
    assert (await processing(workshop, owner, order)).intent.mount == "pki"
    move(workshop, VaultPlace("pki-new", "web"))
    assert (await workshop.issue(owner, order)).outcome == "adopted"
    assert mounts(workshop) == [("sign", "pki"), ("find", "pki")]
    certificate = await workshop.certificate(owner, order)
    assert (certificate.mount, certificate.adopted) == ("pki", True)


async def test_what_was_not_signed_there_is_signed_where_the_tenant_is_now(workshop: Workshop) -> None:
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.loses(signed=False))
    await workshop.issue(owner, order)
    move(workshop, VaultPlace("pki-new", "web"))
    workshop.clock.move(SETTLING)
    assert (await workshop.issue(owner, order)).outcome == "issued"
    assert mounts(workshop) == [("sign", "pki"), ("find", "pki"), ("sign", "pki-new")]
    assert (await workshop.certificate(owner, order)).mount == "pki-new"


async def test_what_was_not_delivered_is_revoked_where_it_was_signed(workshop: Workshop) -> None:
    """INV-5."""
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.signs(Wish(ca=True)))
    assert (await workshop.issue(owner, order)).outcome == "mismatch"
    [(_, signed)] = workshop.signer.store
    assert await workshop.undelivered(owner) == [Undelivered(signed.leaf, "pki")]
    move(workshop, VaultPlace("pki-new", "web"))
    assert JobKind.REVOKE_SURPLUS in await workshop.drained()
    assert mounts(workshop) == [("sign", "pki"), ("revoke", "pki")]


async def test_surplus_of_an_older_version_is_revoked_where_the_tenant_signs(workshop: Workshop) -> None:
    """It was stored as bare DER."""
    owner, order = await workshop.finalized()
    assert isinstance(order.progress, Processing)
    leaf = workshop.signer.keep(order.progress.intent).leaf
    surplus = RedisSurplus(workshop.state, workshop.clock)
    await surplus.add(owner, leaf)
    await answer(workshop.state, "SET", keys.surplus(owner, subject_of(leaf)), leaf)
    assert await surplus.get(owner, subject_of(leaf)) == Undelivered(leaf)
    assert JobKind.REVOKE_SURPLUS in await workshop.drained()
    assert workshop.signer.revoked == [leaf]


# --- where Vault keeps nothing --------------------------------------------------------------------------

NO_STORE: Final = VaultPlace("pki", "passing", store=False)


async def test_what_is_kept_nowhere_is_not_looked_for(workshop: Workshop) -> None:
    """A lost answer may have held a certificate that nobody holds: an alarm says which."""
    move(workshop, NO_STORE)
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.loses(signed=True))
    report = await workshop.issue(owner, order)
    assert isinstance(order.progress, Processing)
    assert (report.outcome, report.alarm) == ("lost", True)
    assert report.fields == {"order": order.id, "intent": order.progress.intent.id, "reason": "reset"}
    assert (await processing(workshop, owner, order)).intent.attempted_at is None
    assert await workshop.due(owner) == {JobKind.ISSUE: 2}

    workshop.clock.move(2 * SECOND)
    assert set(await workshop.drained()) == {JobKind.ISSUE}
    assert workshop.signer.calls == ["sign", "sign"]
    certificate = await workshop.certificate(owner, order)
    assert (certificate.chain[0], certificate.adopted) == (workshop.signer.store[1][1].leaf, False)


async def test_a_worker_that_died_during_the_call_is_waited_for(workshop: Workshop) -> None:
    """It may only be slow: nobody else begins while its attempt lasts, and then an alarm tells of it."""
    move(workshop, NO_STORE)
    owner, order = await workshop.finalized()
    workshop.signer.script.append(workshop.signer.loses(signed=False))
    attempted = order.attempt(START, "pki")
    await answer(workshop.state, "SET", keys.order(owner, order.id), msgspec.json.encode(attempted))
    workshop.clock.move(LEASE - SECOND)
    assert (await workshop.issue(owner, order)).outcome == "settling"
    workshop.clock.move(SECOND)
    report = await workshop.issue(owner, order)
    assert (report.outcome, report.alarm) == ("lost", True)
    assert workshop.signer.calls == []
    workshop.signer.script.clear()
    assert (await workshop.issue(owner, order)).outcome == "issued"
    assert workshop.signer.calls == ["sign"]


@pytest.mark.parametrize(("then", "now", "outcome"), [(True, False, "adopted"), (False, True, "lost")])
async def test_how_it_was_sent_counts_and_not_what_the_settings_say_since(
    then: bool,  # noqa: FBT001 - of the settings
    now: bool,  # noqa: FBT001 - likewise
    outcome: str,
    workshop: Workshop,
) -> None:
    """K14, K16: `store` was changed between the call of a worker that died and the next look."""
    move(workshop, VaultPlace("pki", "acme", store=then))
    owner, order = await workshop.finalized()
    await killed_during_the_call(workshop, owner, order)
    move(workshop, VaultPlace("pki", "acme", store=now))
    workshop.clock.move(LEASE)
    assert (await workshop.issue(owner, order)).outcome == outcome


async def test_what_was_delivered_is_revoked_by_itself(workshop: Workshop) -> None:
    """The chain is ours: nothing in Vault is needed for it."""
    move(workshop, NO_STORE)
    owner, order = await workshop.finalized()
    await workshop.issue(owner, order)
    await revoked(workshop, owner, order)
    assert workshop.signer.revoked == [(await workshop.certificate(owner, order)).chain[0]]


# --- what Vault refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", [Reference.ROLE_NAME, Reference.ROLE_KEY, Reference.ROLE_LIFETIME])
async def test_what_vault_refused_is_told_in_the_words_of_its_problem(
    reference: Reference, workshop: Workshop
) -> None:
    """The order ends: its finalize was acknowledged, and it cannot be ready again."""
    owner, order = await workshop.finalized()
    told = problem(reference, "the vault role does not sign it: do this or that")
    workshop.signer.script.append(workshop.signer.refuses(told))
    report = await workshop.issue(owner, order)
    assert (report.outcome, report.alarm) == ("refused", True)
    assert report.fields["reason"] == "the role does not allow the name"
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Abandoned)
    assert progress.error == told
