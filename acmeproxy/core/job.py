"""Jobs: hints to the workers. The documents are the truth; every job is safe to run twice."""

import enum

import msgspec

from acmeproxy.core.ids import AccountId, TenantName


class JobKind(enum.StrEnum):
    """What is to be done."""

    VALIDATE = "validate"
    ISSUE = "issue"
    REVOKE_SURPLUS = "revoke-surplus"


class Job(msgspec.Struct, frozen=True):
    """One thing to look at: `subject` is an authorization id, an order id, or a surplus record's id."""

    kind: JobKind
    tenant: TenantName
    account: AccountId
    subject: str
