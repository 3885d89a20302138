"""Jobs: hints to the workers. The documents are the truth; every job is safe to run twice."""

import enum

import msgspec

from acmeproxy.core.ids import AccountId, TenantName


class JobKind(enum.StrEnum):
    """What is to be done."""

    VALIDATE = "validate"
    ISSUE = "issue"
    REVOKE_SURPLUS = "revoke-surplus"
    REVOKE = "revoke"
    READ_ROLE = "read-role"


class Job(msgspec.Struct, frozen=True):
    """One thing to look at.

    `subject` is the id of an authorization, an order, a surplus record or a certificate, or the name of a
    role.
    """

    kind: JobKind
    tenant: TenantName
    account: AccountId
    subject: str
