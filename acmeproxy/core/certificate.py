"""Certificates as we keep and hand them out (RFC 8555 §7.4.2, §7.6, §9.1)."""

from datetime import datetime
from typing import Final

import msgspec

from acmeproxy.core.identifier import Identifier
from acmeproxy.core.ids import AccountId, CertificateId, OrderId
from acmeproxy.core.provenance import Provenance

#: The reason of RFC 5280 §5.3.1 that says that somebody else has the key.
KEY_COMPROMISE: Final = 1
#: The reason for certificates whose names went over to another account.
CESSATION_OF_OPERATION: Final = 5


class Certificate(msgspec.Struct, frozen=True, omit_defaults=True):
    """An issued certificate: DER of the leaf and of its issuers upwards, without the root.

    `serial` is lower-case hex bytes joined by colons, as Vault writes it; `vault_request_id` joins our record
    with Vault's audit log. `alternates` are other chains of the same leaf, the leaf first in each.

    `revoking_at` is when somebody with the right to it asked for the revocation, and `reason` what was given;
    `revoked_at` is when Vault had said yes. `replaced_by` is the order that claims to replace it, and counts
    while that order is not invalid (RFC 9773 §5). `mount` is where it was signed, empty for those of older
    versions, and `provenance` how it came about.
    """

    id: CertificateId
    account_id: AccountId
    order_id: OrderId
    names: tuple[Identifier, ...]
    serial: str
    chain: tuple[bytes, ...]
    not_before: datetime
    not_after: datetime
    issued_at: datetime
    vault_request_id: str = ""
    adopted: bool = False
    alternates: tuple[tuple[bytes, ...], ...] = ()
    revoking_at: datetime | None = None
    revoked_at: datetime | None = None
    reason: int | None = None
    replaced_by: OrderId | None = None
    mount: str = ""
    provenance: Provenance | None = None

    def revoke(self, reason: int | None, now: datetime) -> "Certificate":
        """Write down that it is to be revoked; the first wish stands (K22)."""
        if self.revoking_at is not None:
            return self
        return msgspec.structs.replace(self, revoking_at=now, reason=reason)

    def confirm_revoked(self, now: datetime) -> "Certificate":
        """Write down that Vault said yes."""
        if self.revoking_at is None or self.revoked_at is not None:
            return self
        return msgspec.structs.replace(self, revoked_at=now)

    def replace_by(self, order_id: OrderId) -> "Certificate":
        """Let an order claim to replace it."""
        return msgspec.structs.replace(self, replaced_by=order_id)
