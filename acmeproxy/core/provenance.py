"""Provenance: how a certificate came about, kept with it here, and in Vault where Vault can."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from acmeproxy.core.account import Account
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.challenge import ChallengeStatus, ChallengeType
from acmeproxy.core.ids import AccountId, OrderId, TenantName
from acmeproxy.core.tenant import Tenant

MOST_TAGS: Final = 16
LONGEST_TAG: Final = 256
_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")


class Provenance(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose certificate it is, and how the right to its names was proved.

    `methods` are the challenge types that proved them, each once; `tags` are the tenant's and the EAB key's
    own words, of which the EAB key's win.
    """

    tenant: TenantName
    account: AccountId
    order: OrderId
    eab_kid: str | None = None
    methods: tuple[ChallengeType, ...] = ()
    tags: dict[str, str] = {}


def of(
    tenant: Tenant, account: Account, order: OrderId, authorizations: Sequence[Authorization]
) -> Provenance:
    """Return the provenance of what an order's certificate will be."""
    proofs = {
        challenge.type
        for authorization in authorizations
        for challenge in authorization.challenges
        if challenge.status is ChallengeStatus.VALID
    }
    return Provenance(
        tenant=tenant.name,
        account=account.id,
        order=order,
        eab_kid=account.eab_kid,
        methods=tuple(sorted(proofs)),
        tags={**tenant.tags, **account.eab_tags},
    )


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags that can be kept with every certificate.

    Raises:
        ValueError: There are too many, or one is no short printable ASCII.
    """
    if len(tags) > MOST_TAGS:
        raise ValueError(f"at most {MOST_TAGS} tags are taken")
    for key, value in tags.items():
        if not _KEY.fullmatch(key):
            raise ValueError(
                "a tag's name is 1 to 63 letters, digits, dots, hyphens, slashes and underscores"
            )
        if not (value.isascii() and value.isprintable() and 0 < len(value) <= LONGEST_TAG):
            raise ValueError(f"the value of a tag is 1 to {LONGEST_TAG} printable ASCII characters")
    return dict(tags)
