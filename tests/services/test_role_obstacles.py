"""What the role of Vault would refuse is not sent to Vault, as late as can be told."""

from typing import Any, Final

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from acmeproxy.adapters.redis import keys
from acmeproxy.core.order import Abandoned, Order, Processing
from acmeproxy.core.problem import Problem
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Profile, VaultPlace
from acmeproxy.services.ports import SigningDeferredError
from acmeproxy.services.stores import Owner
from tests.support.stored import DAY, START, TENANT, answer
from tests.support.workshop import Workshop

NAMES: Final = ("www.alpha.example", "alpha.example")
GENEROUS: Final[dict[str, Any]] = {
    "allowed_domains": ("alpha.example",),
    "allow_bare_domains": True,
    "allow_subdomains": True,
    "allow_any_name": False,
    "allow_localhost": False,
    "allow_token_displayname": False,
    "key_type": "ec",
    "key_bits": 256,
}


async def learn(workshop: Workshop, place: VaultPlace | None = None, **change: object) -> None:
    """Let a role become known: a worker published it, and this process read it."""
    role = Role("acme", **{**GENEROUS, **change})
    await workshop.published.publish(TENANT, place or workshop.tenants[TENANT].vault, role)
    await workshop.roles.learn()


async def age(workshop: Workshop) -> None:
    """Let what is known of the role be ten seconds old."""
    await answer(workshop.state, "EXPIRE", keys.role(TENANT, workshop.tenants[TENANT].vault), 3590)
    await workshop.roles.learn()


async def ended(workshop: Workshop, owner: Owner, order: Order) -> Problem:
    report = await workshop.issue(owner, order)
    assert (report.outcome, report.alarm) == ("abandoned", False)
    assert workshop.signer.calls == []
    progress = (await workshop.order(owner, order)).progress
    assert isinstance(progress, Abandoned)
    return progress.error


async def test_what_the_role_allows_is_signed(workshop: Workshop) -> None:
    owner, order = await workshop.finalized(NAMES)
    await learn(workshop)
    assert (await workshop.issue(owner, order)).outcome == "issued"


async def test_names_that_a_narrowed_role_refuses(workshop: Workshop) -> None:
    """NOR-03, STA-08: it was narrowed since finalize; each name in its own subproblem."""
    owner, order = await workshop.finalized(NAMES)
    await learn(workshop, allow_bare_domains=False)
    error = await ended(workshop, owner, order)
    assert error.type == "urn:ietf:params:acme:error:rejectedIdentifier"
    [sub] = error.subproblems
    assert sub.identifier is not None
    assert sub.identifier.value == "alpha.example"
    assert sub.detail == (
        "alpha.example would not be signed: vault role acme "
        "does not allow bare domains (allow_bare_domains = false) [ref ROLE-NAME]"
    )


@pytest.mark.parametrize("answers", [{"acme": Role("acme", **GENEROUS)}, {}, {"acme": None}])
async def test_a_role_of_a_while_ago_ends_no_order(
    answers: dict[str, Role | SigningDeferredError | None], workshop: Workshop
) -> None:
    """INV-12: it was widened since; or nobody can tell, and then Vault itself decides."""
    owner, order = await workshop.finalized(NAMES)
    await learn(workshop, allow_bare_domains=False)
    await age(workshop)
    workshop.reader.answers = answers
    assert (await workshop.issue(owner, order)).outcome == "issued"
    assert len(workshop.reader.asked) == 1


async def test_a_role_that_still_refuses_ends_the_order(workshop: Workshop) -> None:
    """By the rule that holds now."""
    owner, order = await workshop.finalized(NAMES)
    await learn(workshop, allow_bare_domains=False)
    await age(workshop)
    narrower = {**GENEROUS, "allowed_domains": ("other.example",)}
    workshop.reader.answers = {"acme": Role("acme", **narrower)}
    error = await ended(workshop, owner, order)
    assert "allows other domains only (allowed_domains = other.example)" in error.subproblems[0].detail


async def test_a_key_that_a_narrowed_role_refuses(workshop: Workshop) -> None:
    owner, order = await workshop.finalized(NAMES, ec.generate_private_key(ec.SECP256R1()))
    await learn(workshop, key_bits=384)
    error = await ended(workshop, owner, order)
    assert error.type == "urn:ietf:params:acme:error:badCSR"
    assert error.detail == (
        "the CSR's key would not be signed: vault role acme "
        "takes ec keys of at least 384 bits (key_bits = 384) [ref ROLE-KEY]"
    )


async def test_an_end_that_a_narrowed_role_refuses(workshop: Workshop) -> None:
    owner, order = await workshop.finalized(NAMES)
    assert isinstance(order.progress, Processing)
    end = START + DAY
    intent = msgspec.structs.replace(order.progress.intent, not_after=end)
    document = msgspec.structs.replace(order, not_after=end, progress=Processing(intent))
    await answer(workshop.state, "SET", keys.order(owner, order.id), msgspec.json.encode(document))
    await learn(workshop, not_after_bound="ttl-limited", max_ttl=3600)
    error = await ended(workshop, owner, order)
    assert error.type == "urn:ietf:params:acme:error:malformed"
    assert "[ref ROLE-LIFETIME]" in error.detail


async def test_what_was_signed_before_the_role_was_narrowed_is_revoked(workshop: Workshop) -> None:
    """INV-5: a lost answer held a certificate that must not be delivered any more."""
    owner, order = await workshop.finalized(NAMES)
    workshop.signer.script.append(workshop.signer.loses(signed=True))
    await workshop.issue(owner, order)
    [(_, signed)] = workshop.signer.store
    await learn(workshop, allow_bare_domains=False)
    assert (await workshop.issue(owner, order)).outcome == "settling"
    assert await workshop.surplus(owner) == [signed.leaf]


@pytest.mark.parametrize("profile", ["strict", None])
async def test_the_role_of_the_orders_profile_counts(profile: str | None, workshop: Workshop) -> None:
    strict = VaultPlace("pki", "strict")
    profiles = (Profile("strict", "", role="strict"),)
    workshop.tenants[TENANT] = msgspec.structs.replace(workshop.tenants[TENANT], profiles=profiles)
    owner, order = await workshop.finalized(NAMES)
    document = msgspec.structs.replace(order, profile=profile)
    await answer(workshop.state, "SET", keys.order(owner, order.id), msgspec.json.encode(document))
    await learn(workshop)
    await learn(workshop, strict, allow_bare_domains=False)
    outcome = (await workshop.issue(owner, order)).outcome
    assert outcome == ("abandoned" if profile else "issued")
