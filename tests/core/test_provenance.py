"""What is kept of how a certificate came about."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import pytest

from acmeproxy.core import provenance
from acmeproxy.core.account import Account
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.challenge import Challenge, ChallengeStatus, ChallengeType
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.ids import AccountId, AuthorizationId, OrderId, TenantName
from acmeproxy.core.provenance import Provenance
from acmeproxy.core.tenant import Names, Tenant, VaultPlace

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANT: Final = Tenant(
    TenantName("alpha"), VaultPlace("pki", "web"), Names(), tags={"team": "all", "site": "x"}
)
ACCOUNT: Final = Account(
    AccountId("0a"), {}, "", NOON, eab_kid="eab_1", eab_tags={"team": "checkout", "cost": "1"}
)
ORDER: Final = OrderId("0b")


def proved(*challenges: tuple[ChallengeType, ChallengeStatus]) -> Authorization:
    return Authorization(
        AuthorizationId("0c"),
        ACCOUNT.id,
        ORDER,
        Identifier(IdentifierType.DNS, "a.example"),
        NOON + timedelta(days=1),
        tuple(Challenge(kind, "token", status) for kind, status in challenges),
    )


def test_it_says_whose_it_is_and_which_methods_proved_the_names() -> None:
    """Each method once, and not those that were offered only; the EAB key's word wins over the tenant's."""
    valid, pending = ChallengeStatus.VALID, ChallengeStatus.PENDING
    authorizations = [
        proved((ChallengeType.HTTP01, valid), (ChallengeType.DNS01, pending)),
        proved((ChallengeType.DNS01, valid)),
        proved((ChallengeType.HTTP01, valid), (ChallengeType.TLSALPN01, ChallengeStatus.INVALID)),
    ]
    assert provenance.of(TENANT, ACCOUNT, ORDER, authorizations) == Provenance(
        TENANT.name,
        ACCOUNT.id,
        ORDER,
        "eab_1",
        (ChallengeType.DNS01, ChallengeType.HTTP01),
        {"team": "checkout", "site": "x", "cost": "1"},
    )


def test_it_is_written_without_what_there_is_not() -> None:
    plain = provenance.of(
        msgspec.structs.replace(TENANT, tags={}),
        msgspec.structs.replace(ACCOUNT, eab_kid=None, eab_tags={}),
        ORDER,
        [],
    )
    assert msgspec.json.encode(plain) == b'{"tenant":"alpha","account":"0a","order":"0b"}'


@pytest.mark.parametrize("tags", [{}, {"a": "b"}, {"example.org/a_b-c": "~ =" * 80}])
def test_tags_that_can_be_kept(tags: dict[str, str]) -> None:
    assert provenance.check_tags(tags) == tags


@pytest.mark.parametrize(
    "tags",
    [
        {str(n): "x" for n in range(17)},
        {"": "x"},
        {"-a": "x"},
        {"a b": "x"},
        {"a" * 64: "x"},
        {"a\n": "x"},
        {"\u00e4": "x"},
        {"a": ""},
        {"a": "x" * 257},
        {"a": "\u00e4"},
        {"a": "x\ny"},
    ],
    ids=str,
)
def test_tags_that_cannot(tags: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="tag"):
        provenance.check_tags(tags)
