"""Payloads: strict about what is known, silent about what is not (JWS-29..33; abuse JWS-11, ACC-05, 15)."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core import payload
from acmeproxy.core.payload import (
    AccountUpdate,
    AuthorizationUpdate,
    ChallengeResponse,
    Finalize,
    NewAccount,
    NewAuthorization,
    NewOrder,
    RequestedIdentifier,
    RevokeCert,
)
from acmeproxy.core.problem import AcmeError
from acmeproxy.core.reference import Reference
from tests.support.refusals import refused

SHAPES: list[type[msgspec.Struct]] = [
    NewAccount,
    AccountUpdate,
    NewOrder,
    NewAuthorization,
    Finalize,
    RevokeCert,
    AuthorizationUpdate,
    ChallengeResponse,
]
SHORT = NewOrder((), profile="short", replaces="a.b")


@pytest.mark.parametrize(
    ("shape", "sent", "expected"),
    [
        (NewAccount, {}, NewAccount()),
        (
            NewAccount,
            {"contact": ["mailto:a@b.example"], "termsOfServiceAgreed": True, "onlyReturnExisting": True},
            NewAccount(("mailto:a@b.example",), terms_of_service_agreed=True, only_return_existing=True),
        ),
        # Unknown members, those of clients for older drafts among them (JWS-32, NAC-08).
        (NewAccount, {"resource": "new-reg", "orders": "https://evil.example", "x": {"y": 1}}, NewAccount()),
        # Only `true` is a yes, and whether it is one is not decided here (NAC-07).
        (NewAccount, {"termsOfServiceAgreed": "true"}, NewAccount(terms_of_service_agreed="true")),
        (AccountUpdate, {}, AccountUpdate()),
        (AccountUpdate, {"contact": []}, AccountUpdate(contact=())),
        (AccountUpdate, {"contact": None}, AccountUpdate()),
        # Any status may be sent; all but `deactivated` mean nothing (ACC-05).
        (AccountUpdate, {"status": "valid"}, AccountUpdate(status="valid")),
        (AccountUpdate, {"externalAccountBinding": {}, "id": "x", "tenant": "b"}, AccountUpdate()),
        (
            NewOrder,
            # As acmez sends it: all members of an order, empty (NOR-07, IDN-17).
            {
                "identifiers": [{"type": "dns", "value": "a.example", "x": 1}],
                "status": "",
                "expires": "0001-01-01T00:00:00Z",
                "notBefore": None,
                "notAfter": "",
                "error": None,
                "authorizations": None,
            },
            NewOrder((RequestedIdentifier("dns", "a.example"),), None, ""),
        ),
        (NewOrder, {"identifiers": []}, NewOrder(())),
        (NewOrder, {"identifiers": [], "profile": "short", "replaces": "a.b"}, SHORT),
        (
            NewAuthorization,
            {"identifier": {"type": "dns", "value": "a.example"}, "resource": "new-authz"},
            NewAuthorization(RequestedIdentifier("dns", "a.example")),
        ),
        (Finalize, {"csr": "AA", "resource": "finalize"}, Finalize("AA")),
        # What a reason is worth is decided where reasons are known (REV-11).
        (RevokeCert, {"certificate": "AA", "reason": True}, RevokeCert("AA", reason=True)),
        (RevokeCert, {"certificate": "AA"}, RevokeCert("AA")),
        # As lego deactivates (AUZ-09).
        (
            AuthorizationUpdate,
            {"status": "deactivated", "identifier": {}},
            AuthorizationUpdate("deactivated"),
        ),
        (ChallengeResponse, {}, ChallengeResponse()),
        (ChallengeResponse, {"keyAuthorization": "x", "resource": "challenge"}, ChallengeResponse()),
    ],
)
def test_a_payload_is_read(
    shape: type[msgspec.Struct], sent: dict[str, Any], expected: msgspec.Struct
) -> None:
    assert payload.parse(json.dumps(sent).encode(), shape) == expected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "octets", [b"[]", b"null", b'"x"', b"1", b"true", b"{", b"\xff", b'{"csr":"AA","csr":"AB"}', b" "]
)
def test_a_payload_is_one_json_object(shape: type[msgspec.Struct], octets: bytes) -> None:
    """JWS-31."""
    with refused("malformed", "JWS-PAYLOAD"):
        payload.parse(octets, shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_empty_payload_is_none(shape: type[msgspec.Struct]) -> None:
    """JWS-30, FIN-23: POST-as-GET where something must be said."""
    with refused("malformed", "JWS-PAYLOAD"):
        payload.parse(b"", shape)


@pytest.mark.parametrize(
    ("shape", "sent"),
    [
        (NewAccount, {"contact": "mailto:a@b.example"}),
        (NewAccount, {"contact": {"0": "mailto:a@b.example"}}),
        (NewAccount, {"contact": [1]}),
        (NewAccount, {"contact": [None]}),
        (NewAccount, {"onlyReturnExisting": 1}),
        (NewAccount, {"onlyReturnExisting": "true"}),
        (NewAccount, {"onlyReturnExisting": None}),
        (AccountUpdate, {"contact": "mailto:a@b.example"}),
        # NOR-02, abuse IDN-09
        (NewOrder, {}),
        (NewOrder, {"identifiers": {}}),
        (NewOrder, {"identifiers": None}),
        (NewOrder, {"identifiers": "a.example"}),
        (NewOrder, {"identifiers": ["a.example"]}),
        (NewOrder, {"identifiers": [{"type": "dns"}]}),
        (NewOrder, {"identifiers": [{"value": "a.example"}]}),
        (NewOrder, {"identifiers": [{"type": "dns", "value": 1}]}),
        (NewOrder, {"identifiers": [{"type": "dns", "value": None}]}),
        (NewOrder, {"identifiers": [{"type": ["dns"], "value": "a.example"}]}),
        (NewOrder, {"identifiers": [{"type": None, "value": "a.example"}]}),
        (NewOrder, {"identifiers": [], "notBefore": 1}),
        # FIN-03
        (Finalize, {}),
        (Finalize, {"csr": None}),
        (Finalize, {"csr": 1}),
        (Finalize, {"csr": ["AA"]}),
        (NewOrder, {"identifiers": [], "profile": 1}),
        (NewOrder, {"identifiers": [], "replaces": ["x"]}),
        (NewAuthorization, {}),
        (NewAuthorization, {"identifier": "a.example"}),
        (NewAuthorization, {"identifier": [{"type": "dns", "value": "a.example"}]}),
        (RevokeCert, {}),
        (RevokeCert, {"certificate": None, "reason": 1}),
        # AUZ-09
        (AuthorizationUpdate, {}),
        (AuthorizationUpdate, {"status": None}),
        (AuthorizationUpdate, {"status": ["deactivated"]}),
    ],
)
def test_a_known_member_of_another_type_is_refused(shape: type[msgspec.Struct], sent: dict[str, Any]) -> None:
    """JWS-33: nothing is coerced, and true is not 1."""
    with refused("malformed", "JWS-PAYLOAD"):
        payload.parse(json.dumps(sent).encode(), shape)


def test_a_refusal_says_where_and_repeats_nothing() -> None:
    sent = {"identifiers": [{"type": "dns", "value": "a"}, {"type": "dns", "value": {"s3cret": 1}}]}

    with refused("malformed", "ORDER-SHAPE") as refusal:
        payload.parse(json.dumps(sent).encode(), NewOrder, Reference.ORDER_SHAPE)

    assert refusal.detail == (
        "the payload is refused: Expected str, got object - at $.identifiers[1].value [ref ORDER-SHAPE]"
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_MEMBERS = [
    "contact",
    "certificate",
    "reason",
    "identifier",
    "profile",
    "onlyReturnExisting",
    "status",
    "identifiers",
    "notBefore",
    "csr",
    "type",
    "value",
]


@given(st.sampled_from(SHAPES), st.dictionaries(st.sampled_from(_MEMBERS), _JSON))
def test_any_json_is_read_or_refused(shape: type[msgspec.Struct], sent: dict[str, Any]) -> None:
    """Abuse JWS-11: every member with every type."""
    try:
        read = payload.parse(json.dumps(sent).encode(), shape)
    except AcmeError as error:
        assert error.problem.type.endswith(":malformed")  # noqa: PT017 - being read is as good
        return
    assert isinstance(read, shape)


def test_a_resource_that_is_only_read_takes_an_empty_payload() -> None:
    payload.require_empty(b"")


@pytest.mark.parametrize("octets", [b"{}", b'""', b"null", b" ", b'{"status":"canceled"}'])
def test_a_resource_that_is_only_read_takes_no_other(octets: bytes) -> None:
    """JWS-29, ORD-07."""
    with refused("malformed", "NOT-EMPTY"):
        payload.require_empty(octets)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        ("2026-02-01T00:00:00Z", datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-02-01T04:00:00+04:00", datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-01-31T23:30:00-00:30", datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-02-01T00:00:00.000Z", datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_a_date_is_a_moment_of_utc(text: str | None, expected: datetime | None) -> None:
    """NOR-05, NOR-06."""
    assert payload.moment(text, "notAfter") == expected


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "2026-02-01",
        "2026-02-01T00:00:00",
        "2026-02-30T00:00:00Z",
        "2026-02-01T25:00:00Z",
        "2026-02-01T00:00:00.5Z",
        "20260201T000000Z",
        "1769904000",
        "1769904000.0",
        "-1",
        "99999-01-01T00:00:00Z",
        "2026-02-01T00:00:00Z\n",
        "\u0662026-02-01T00:00:00Z",
    ],
)
def test_another_text_is_no_date(text: str) -> None:
    """NOR-05: whatever is not to be honoured exactly is refused."""
    with refused("malformed", "ORDER-DATES") as refusal:
        payload.moment(text, "notAfter")

    assert refusal.detail.startswith("notAfter ")
