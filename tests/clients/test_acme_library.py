"""The library under certbot: external accounts, chains, revocation, and how errors come out of it."""

from datetime import UTC, datetime, timedelta

import pytest
from acme import errors, messages
from cryptography import x509

from tests.support.acme_library import Library, request
from tests.support.stage import Stage


@pytest.fixture(autouse=True)
def trust(dev: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the library trust the root."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(dev.root))


@pytest.fixture
def library(dev: Stage) -> Library:
    """Return a client with an account at team-a."""
    made = Library(dev)
    made.register()
    return made


@pytest.mark.parametrize("hmac_alg", ["HS256", "HS512"])
def test_it_binds_an_account(dev: Stage, hmac_alg: str) -> None:
    """CLI-31."""
    library = Library(dev, "team-b")
    assert library.acme.external_account_required()

    account = library.register(external_account_binding=library.binding(hmac_alg))

    assert account.body.status == "valid"
    assert account.body.external_account_binding is not None
    assert account.body.external_account_binding["signature"]


def test_it_takes_an_account_that_there_is_for_a_conflict(dev: Stage, library: Library) -> None:
    """CLI-12: 200 and `Location`."""
    url = library.forget_account()
    with pytest.raises(errors.ConflictError) as conflict:
        library.register()
    assert conflict.value.location == url
    assert url.startswith(f"{dev.url}/acme/team-a/account/")


def test_it_fetches_the_alternate_chain(dev: Stage, library: Library) -> None:
    """CLI-25: the same leaf, and another way up to the same root."""
    order = library.obtain("chains.lib.team-a.test", alternates=True)

    (other,) = order.alternative_fullchains_pem
    chains = [x509.load_pem_x509_certificates(pem.encode()) for pem in (order.fullchain_pem, other)]
    root = x509.load_pem_x509_certificate(dev.root.read_bytes())
    assert chains[0][0] == chains[1][0]
    assert sorted(len(chain) for chain in chains) == [2, 3]
    for chain in chains:
        chain[-1].verify_directly_issued_by(root)


@pytest.mark.parametrize("reason", [0, 1, 5])
def test_it_revokes_with_a_reason(dev: Stage, library: Library, reason: int) -> None:
    """CLI-30."""
    name = f"reason{reason}.lib.team-a.test"
    leaf = x509.load_pem_x509_certificate(library.obtain(name).fullchain_pem.encode())

    library.acme.revoke(leaf, reason)

    (revoked,) = dev.certificates("team-a", name)
    assert (revoked["state"], revoked["reason"]) == ("revoked", reason)
    with pytest.raises(messages.Error) as refused:
        library.acme.revoke(leaf, reason)
    assert refused.value.code == "alreadyRevoked"


def test_a_reason_that_is_not_a_subscribers_comes_out_as_such(library: Library) -> None:
    leaf = x509.load_pem_x509_certificate(library.obtain("ca.lib.team-a.test").fullchain_pem.encode())
    with pytest.raises(messages.Error) as refused:
        library.acme.revoke(leaf, 2)
    assert refused.value.code == "badRevocationReason"


def test_it_gives_an_authorization_up(library: Library) -> None:
    """CLI-10, CLI-29; the order that needs it is over."""
    order = library.order("given-up.lib.team-a.test")

    (authorization,) = order.authorizations
    given_up = library.acme.deactivate_authorization(authorization)

    assert given_up.body.status == messages.STATUS_DEACTIVATED
    with pytest.raises(messages.Error) as refused:
        library.acme.begin_finalization(order)
    assert refused.value.code == "orderNotReady"


def test_it_finalizes_too_early_and_is_told_so(library: Library) -> None:
    """CLI-22."""
    order = library.order("early.lib.team-a.test")
    with pytest.raises(messages.Error) as refused:
        library.acme.begin_finalization(order)
    assert refused.value.code == "orderNotReady"


def test_a_request_with_other_names_comes_out_as_bad_csr(library: Library) -> None:
    order = library.order("one.lib.team-a.test")
    with library.proving(order):
        library.answer(order)
        library.acme.poll_authorizations(order, datetime.now() + timedelta(seconds=30))  # noqa: DTZ005 - its own way
    with pytest.raises(messages.Error) as refused:
        library.acme.begin_finalization(order.update(csr_pem=request("two.lib.team-a.test")))
    assert refused.value.code == "badCSR"


def test_refused_names_come_out_one_by_one(library: Library) -> None:
    with pytest.raises(messages.Error) as refused:
        library.order("good.lib.team-a.test", "bad.team-b.test", "worse.team-c.test")
    assert refused.value.code == "rejectedIdentifier"
    names = {one.identifier.value for one in refused.value.subproblems or () if one.identifier}
    assert names == {"bad.team-b.test", "worse.team-c.test"}


def test_it_is_told_when_to_renew(library: Library) -> None:
    """CLI-33: twenty days after the beginning of thirty."""
    pem = library.obtain("ari.lib.team-a.test").fullchain_pem
    when, again = library.acme.renewal_time(pem.encode())
    assert when is not None
    assert timedelta(days=19) < when - datetime.now(UTC) < timedelta(days=21)
    assert timedelta(hours=5) < again - datetime.now() < timedelta(hours=7)  # noqa: DTZ005 - its own way
