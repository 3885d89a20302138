"""What every problem document must be like, whatever it is about (RFC 8555 §6.7, RFC 9457)."""

import re
from typing import Any

from tests.support.acme_client import Answer

URN = "urn:ietf:params:acme:error:"

#: The registered types and the statuses that each is sent with (RFC 8555 §9.7.4 and its successors).
#: No other is sent (PRB-04).
TYPES: dict[str, set[int]] = {
    "accountDoesNotExist": {400},
    "alreadyReplaced": {409},
    "alreadyRevoked": {400},
    "badCSR": {400},
    "badNonce": {400},
    "badPublicKey": {400},
    "badRevocationReason": {400},
    "badSignatureAlgorithm": {400},
    "caa": {403},
    "connection": {400},
    "dns": {400},
    "externalAccountRequired": {403},
    "incorrectResponse": {403},
    "invalidContact": {400},
    "invalidProfile": {400},
    "malformed": {400, 404, 405, 409, 413, 415},
    "orderNotReady": {403},
    # 503 is for a server that is busy with others, as the largest CA answers it.
    "rateLimited": {429, 503},
    # 403 is for a pre-authorization (RFC 8555 §7.4.1).
    "rejectedIdentifier": {400, 403},
    "serverInternal": {500, 503},
    "tls": {400},
    "unauthorized": {401, 403},
    "unsupportedContact": {400},
    "unsupportedIdentifier": {400},
    "userActionRequired": {403},
}
_MEMBERS = {"type", "status", "detail", "title", "instance", "subproblems", "identifier", "algorithms"}


def assert_refused(answer: Answer, status: int, type_: str, *, posted: bool = True) -> dict[str, Any]:
    """Check a refusal and return its problem.

    Holds PRB-01 to PRB-05, PRB-08, NON-13, HTTP-07 and HTTP-12 for whatever is refused.

    Args:
        answer: What came back.
        status: The status that it must have.
        type_: The type of its problem, without the namespace.
        posted: Whether it answers a POST, which must then bring a nonce.
    """
    assert (answer.status, answer.error) == (status, type_), answer.body
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert_problem(document)
    if posted:
        assert re.fullmatch(r"[A-Za-z0-9_-]{22,}", answer.headers["Replay-Nonce"])
    if status in {429, 500, 503}:
        assert int(answer.headers["Retry-After"]) >= 1
    return document


def assert_problem(document: dict[str, Any], *, inside: bool = False) -> None:
    """Check a problem document, also one inside another resource."""
    kind = document["type"].removeprefix(URN)
    assert document["type"] == URN + kind
    assert type(document["status"]) is int
    assert document["status"] in TYPES[kind]
    assert set(document) <= _MEMBERS
    detail = document["detail"]
    assert re.fullmatch(r"[ !#-~]{10,500} \[ref [A-Z0-9-]+\]", detail), detail
    assert ("algorithms" in document) == (kind == "badSignatureAlgorithm")
    assert ("instance" in document) == (kind == "userActionRequired")
    assert inside or "identifier" not in document
    for subproblem in document.get("subproblems", ()):
        assert_problem(subproblem, inside=True)
        assert {"type", "value"} == set(subproblem["identifier"])
        assert "subproblems" not in subproblem
