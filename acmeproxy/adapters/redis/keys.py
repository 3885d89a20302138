"""All key names. What one script touches shares a hash tag, so that a cluster can hold it (design §5).

`{tenant/shard}` is the tag of an account and all that is its own; the shard is the first digit of the
account's id and comes from its first key's thumbprint, so that the key's entry lies beside the account.
"""

import hashlib
from typing import Final

from acmeproxy.core.identifier import Identifier
from acmeproxy.core.ids import AccountId, TenantName, random_id
from acmeproxy.core.tenant import VaultPlace
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


def valid(owner: Owner, identifier: Identifier) -> str:
    """Name what leads from an identifier to the authorization that an account has for it, wildcards apart."""
    return f"{tag(owner)}:valid:{owner.account}:{identifier.type.value}:{identifier.value}"


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


def eab_tag(tenant: TenantName) -> str:
    """Return the prefix of a tenant's EAB keys."""
    return f"{{{tenant}/eab}}"


def eab(tenant: TenantName, kid: str) -> str:
    """Name an EAB key's document."""
    return f"{eab_tag(tenant)}:{kid}"


def eab_keys(tenant: TenantName) -> str:
    """Name the list of a tenant's EAB keys."""
    return f"{eab_tag(tenant)}:keys"


def blocked_key(tenant: TenantName, thumbprint: str) -> str:
    """Name the mark of a key that is said to be compromised."""
    return f"{shard_tag(tenant, shard_of_key(thumbprint))}:blocked:{thumbprint}"


def ledger(tenant: TenantName, digest: str) -> str:
    """Name what leads from a certificate's own name to its order, in a slot of its own."""
    return f"{{{tenant}/ledger/{digest}}}:order"


def certificates(tag_: str) -> str:
    """Name the list of a shard's certificates, scored by when they expire."""
    return f"{tag_}:certificates"


def listed(owner: Owner, certificate_id: str) -> str:
    """Return how a certificate stands in the list of its shard."""
    return f"{owner.account}/{certificate_id}"


def parse_listed(tenant: TenantName, member: str) -> tuple[Owner, str]:
    """Return whose certificate a member of such a list is, and its id."""
    account_id, _, certificate_id = member.partition("/")
    return Owner(tenant, AccountId(account_id)), certificate_id


def campaigns(tenant: TenantName) -> str:
    """Name the list of what operators want renewed."""
    return f"{{{tenant}/renewal}}:campaigns"


def role(tenant: TenantName, place: VaultPlace) -> str:
    """Name what is known of the Vault role of a place; the parts of a place have no colon."""
    return f"{{{tenant}/roles}}:{place.namespace}:{place.mount}:{place.role}"


def role_wish(tenant: TenantName, place: VaultPlace) -> str:
    """Name the mark that somebody waits for a role to be read."""
    return f"{role(tenant, place)}:wish"


def limit(owner: Owner, name: str, subject: str) -> str:
    """Name a budget of an account's own."""
    return f"{tag(owner)}:limit:{name}:{owner.account}:{subject}"


def limits_tag(tenant: TenantName) -> str:
    """Return the prefix of the budgets that a tenant's accounts have together."""
    return f"{{{tenant}/limits}}"


def shared_limit(tenant: TenantName, name: str, subject: str) -> str:
    """Name such a budget."""
    return f"{limits_tag(tenant)}:{name}:{subject}"
