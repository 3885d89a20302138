"""Certificates as we keep and hand them out (RFC 8555 §7.4.2, §9.1)."""

from datetime import datetime

import msgspec

from acmeproxy.core.identifier import Identifier
from acmeproxy.core.ids import AccountId, CertificateId, OrderId


class Certificate(msgspec.Struct, frozen=True, omit_defaults=True):
    """An issued certificate: DER of the leaf and of its issuers upwards, without the root.

    `serial` is lower-case hex bytes joined by colons, as Vault writes it; `vault_request_id` joins our record
    with Vault's audit log.
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
