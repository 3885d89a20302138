"""Payloads of requests, by resource: strict about what is known, silent about what is not (JWS-32)."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from acmeproxy.core.encoding import NotCanonicalError, json_object
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference

P = TypeVar("P", bound=msgspec.Struct)


class NewAccount(msgspec.Struct, frozen=True, rename="camel"):
    """RFC 8555 §7.3. `terms_of_service_agreed` is untyped: anything but `true` is no consent (NAC-07)."""

    contact: tuple[str, ...] | None = None
    terms_of_service_agreed: Any = None
    only_return_existing: bool = False
    external_account_binding: Any = None


class AccountUpdate(msgspec.Struct, frozen=True):
    """RFC 8555 §7.3.2. A status other than `deactivated` is ignored (ACC-05)."""

    contact: tuple[str, ...] | None = None
    status: str | None = None


class RequestedIdentifier(msgspec.Struct, frozen=True):
    """One element of `identifiers`, as sent."""

    type: str
    value: str


class NewOrder(msgspec.Struct, frozen=True, rename="camel"):
    """RFC 8555 §7.4. `null` and the empty text are no date (CLI-14)."""

    identifiers: tuple[RequestedIdentifier, ...]
    not_before: str | None = None
    not_after: str | None = None
    profile: str | None = None
    replaces: str | None = None
    auto_renewal: Any = msgspec.field(name="auto-renewal", default=None)


class NewAuthorization(msgspec.Struct, frozen=True):
    """RFC 8555 §7.4.1."""

    identifier: RequestedIdentifier


class Finalize(msgspec.Struct, frozen=True):
    """RFC 8555 §7.4."""

    csr: str


class RevokeCert(msgspec.Struct, frozen=True):
    """RFC 8555 §7.6. `reason` is untyped, since msgspec takes 1.0 for an integer (REV-11)."""

    certificate: str
    reason: Any = None


class AuthorizationUpdate(msgspec.Struct, frozen=True):
    """RFC 8555 §7.5.2."""

    status: str


class ChallengeResponse(msgspec.Struct, frozen=True):
    """RFC 8555 §7.5.1: an object, and none of its members mean anything to us (CHL-04)."""


def parse(payload: bytes, shape: type[P], reference: Reference = Reference.JWS_PAYLOAD) -> P:
    """Parse the payload of a request that has one.

    Raises:
        AcmeError: `malformed`, for an empty payload, anything but one JSON object, or a known member of a
            wrong type; nothing is coerced (JWS-30, JWS-31, JWS-33).
    """
    if not payload:
        raise refuse(reference, "this resource needs a JSON object as payload, not POST-as-GET")
    try:
        return msgspec.convert(json_object(payload), shape, strict=True)
    except NotCanonicalError as error:
        raise refuse(reference, f"the payload is refused: {error}") from error
    except msgspec.ValidationError as error:
        raise refuse(reference, f"the payload is refused: {_without_values(error)}") from error


def require_empty(payload: bytes) -> None:
    """Make sure that a resource is only read (RFC 8555 §6.3).

    Raises:
        AcmeError: `malformed`, for any payload, `{}` too (JWS-29).
    """
    if payload:
        raise refuse(Reference.NOT_EMPTY, "this resource is read by POST-as-GET: send an empty payload")


def moment(text: str | None, member: str) -> datetime | None:
    """Parse an RFC 3339 date with an offset, in whole seconds; `null` and the empty text are none (CLI-14).

    Raises:
        AcmeError: `malformed`, for any other text and for fractions, which no certificate has (NOR-05).
    """
    if not text:
        return None
    try:
        when = msgspec.convert(text, datetime, strict=False)
    except msgspec.ValidationError as error:
        raise refuse(Reference.ORDER_DATES, f"{member} is not an RFC 3339 date with an offset") from error
    if when.tzinfo is None or when.microsecond or not text[:1].isdecimal() or "-" not in text[:8]:
        raise refuse(
            Reference.ORDER_DATES, f"{member} is not an RFC 3339 date with an offset, in whole seconds"
        )
    try:
        return when.astimezone(UTC)
    except OverflowError as error:
        raise refuse(Reference.ORDER_DATES, f"{member} is beyond the years that there are") from error


def _without_values(error: msgspec.ValidationError) -> str:
    return str(error).replace("`", "")
