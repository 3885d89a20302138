"""Certificates that were stored before they could be revoked are read as ever."""

import msgspec

from acmeproxy.core.certificate import Certificate
from acmeproxy.core.order import Order

YESTERDAY = b"""{
  "id": "c1", "account_id": "0a", "order_id": "b1", "names": [{"type": "dns", "value": "www.example.org"}],
  "serial": "0a:0b", "chain": ["AQ==", "Ag=="], "not_before": "2026-03-01T12:00:00Z",
  "not_after": "2026-03-31T12:00:00Z", "issued_at": "2026-03-01T12:00:30Z"
}"""


def test_a_certificate_of_yesterday_is_neither_revoked_nor_replaced() -> None:
    found = msgspec.json.decode(YESTERDAY, type=Certificate)
    assert found.chain == (b"\x01", b"\x02")
    assert (found.alternates, found.revoking_at, found.revoked_at, found.reason) == ((), None, None, None)
    assert found.replaced_by is None
    assert msgspec.json.decode(msgspec.json.encode(found), type=Certificate) == found


def test_an_order_of_yesterday_replaces_nothing() -> None:
    document = b"""{"id": "b1", "account_id": "0a", "identifiers": [], "authorizations": [],
      "created_at": "2026-03-01T12:00:00Z", "expires": "2026-03-02T12:00:00Z"}"""
    assert msgspec.json.decode(document, type=Order).replaces is None
