"""All key names. What one script touches shares a hash tag, so that a cluster can hold it (design §5).

`{tenant/shard}` is the tag of an account and all that is its own; the shard is the first digit of the
account's id and comes from its first key's thumbprint, so that the key's entry lies beside the account.
"""

import hashlib
from typing import Final

from acmeproxy.core.ids import AccountId, TenantName, random_id
from acmeproxy.services.stores import Owner

SHARDS: Final = 4
OUTCOMES: Final = "acmeproxy:outcomes"
PROBE: Final = "{acmeproxy/probe}"
NONCE_EPOCH: Final = "{acmeproxy/nonce}:epoch"


def used_nonce(nonce: str) -> str:
    """Name the marker of a used nonce."""
    return f"{{acmeproxy/nonce}}:used:{nonce}"


def account_id(thumbprint: str) -> AccountId:
    """Return a new account id in the shard of a key: one hex digit and 128 random bits."""
    return AccountId(shard_of_key(thumbprint) + random_id())


def shard_of_key(thumbprint: str) -> str:
    """Return the shard of a key, as a hex digit."""
    return f"{hashlib.sha256(thumbprint.encode()).digest()[0] % SHARDS:x}"


def shard_tag(tenant: TenantName, shard: str) -> str:
    """Return the prefix of everything in one shard."""
    return f"{{{tenant}/{shard}}}"


def tag(owner: Owner) -> str:
    """Return the prefix of everything that belongs to an account."""
    return shard_tag(owner.tenant, owner.account[:1])


def key_holder(tenant: TenantName, thumbprint: str) -> str:
    """Name the entry that leads from a key to its account."""
    return f"{shard_tag(tenant, shard_of_key(thumbprint))}:key:{thumbprint}"


def certified_key(tenant: TenantName, thumbprint: str) -> str:
    """Name the mark of a key that was certified."""
    return f"{shard_tag(tenant, shard_of_key(thumbprint))}:certified:{thumbprint}"


def account(owner: Owner) -> str:
    """Name an account's document."""
    return f"{tag(owner)}:account:{owner.account}"


def order(owner: Owner, order_id: str) -> str:
    """Name an order's document."""
    return f"{tag(owner)}:order:{owner.account}:{order_id}"


def authorization(owner: Owner, authorization_id: str) -> str:
    """Name an authorization's document."""
    return f"{tag(owner)}:authorization:{owner.account}:{authorization_id}"


def certificate(owner: Owner, certificate_id: str) -> str:
    """Name a certificate's document."""
    return f"{tag(owner)}:certificate:{owner.account}:{certificate_id}"


def surplus(owner: Owner, subject: str) -> str:
    """Name a certificate that is to be revoked because it was not delivered."""
    return f"{tag(owner)}:surplus:{owner.account}:{subject}"


def orders(owner: Owner) -> str:
    """Name the list of an account's orders."""
    return f"{tag(owner)}:orders:{owner.account}"


def jobs(tag_: str) -> str:
    """Name the job stream of a shard."""
    return f"{tag_}:jobs"


def due(tag_: str) -> str:
    """Name the set of what is not finished in a shard, scored by when to look again."""
    return f"{tag_}:due"


def eab(tenant: TenantName, kid: str) -> str:
    """Name an EAB key's document."""
    return f"{{{tenant}/eab}}:{kid}"
