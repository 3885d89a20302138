"""Accounts (RFC 8555 §7.1.2)."""

import enum
from datetime import datetime
from typing import Any

import msgspec

from acmeproxy.core.ids import AccountId
from acmeproxy.core.problem import AcmeError, problem
from acmeproxy.core.reference import Reference

MAX_CONTACTS = 10
_MAX_CONTACT_LENGTH = 320
_ADDRESS_ALPHABET = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$&'*+-/=^_`{|}~@"
)


class AccountStatus(enum.StrEnum):
    """The states of an account; the last two are for good (RFC 8555 §7.1.6)."""

    VALID = "valid"
    DEACTIVATED = "deactivated"
    REVOKED = "revoked"


class Account(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key and who is behind it.

    `key` is the public JWK with its required members only; `thumbprint` is that key's (RFC 7638).
    `external_account_binding` is the client's own object, kept word for word (EAB-10); `eab_kid` is its kid,
    `eab_names` and `eab_profiles` what that key narrows the tenant's policy to, `eab_tags` its tags.
    `terms_agreed` is the URL of the terms that were agreed to.
    """

    id: AccountId
    key: dict[str, str]
    thumbprint: str
    created_at: datetime
    status: AccountStatus = AccountStatus.VALID
    contact: tuple[str, ...] = ()
    terms_agreed_at: datetime | None = None
    external_account_binding: dict[str, Any] | None = None
    eab_kid: str | None = None
    eab_names: tuple[str, ...] = ()
    eab_profiles: tuple[str, ...] = ()
    terms_agreed: str | None = None
    closed_at: datetime | None = None
    eab_tags: dict[str, str] = {}

    def with_contact(self, contact: tuple[str, ...]) -> "Account":
        """Return the account with another contact list (RFC 8555 §7.3.2)."""
        return msgspec.structs.replace(self, contact=contact)

    def with_key(self, key: dict[str, str], thumbprint: str) -> "Account":
        """Return the account under another key; nothing else changes (RFC 8555 §7.3.5)."""
        return msgspec.structs.replace(self, key=key, thumbprint=thumbprint)

    def deactivate(self, now: datetime) -> "Account":
        """Close the account at its owner's wish, for good (RFC 8555 §7.3.6)."""
        if self.status is not AccountStatus.VALID:
            return self
        return msgspec.structs.replace(self, status=AccountStatus.DEACTIVATED, closed_at=now)

    def revoke(self, now: datetime) -> "Account":
        """Close the account at an operator's wish, for good (RFC 8555 §7.1.2, ACC-12)."""
        if self.status is not AccountStatus.VALID:
            return self
        return msgspec.structs.replace(self, status=AccountStatus.REVOKED, closed_at=now)

    def agree(self, terms: str, now: datetime) -> "Account":
        """Record that the owner agreed to terms of service."""
        return msgspec.structs.replace(self, terms_agreed=terms, terms_agreed_at=now)


def check_contact(contact: tuple[str, ...]) -> tuple[str, ...]:
    """Return the contacts if all can be kept (RFC 8555 §7.3).

    Raises:
        AcmeError: `unsupportedContact` for another scheme than mailto, `invalidContact` for a value that is
            not one plain address (RFC 6068 header fields and lists are refused), or too many of them.
    """
    if len(contact) > MAX_CONTACTS:
        raise AcmeError(problem(Reference.CONTACT, f"at most {MAX_CONTACTS} contacts are taken"))
    for url in contact:
        scheme, _, address = url.partition(":")
        if scheme.lower() != "mailto":
            raise AcmeError(
                problem(
                    Reference.CONTACT_SCHEME, f"contact scheme {scheme[:20]} is not supported: use mailto"
                )
            )
        if not _is_address(address):
            raise AcmeError(
                problem(Reference.CONTACT, "a contact is not mailto: and one plain e-mail address")
            )
    return contact


def _is_address(address: str) -> bool:
    local, at, domain = address.rpartition("@")
    return bool(
        at
        and local
        and "@" not in local
        and len(address) <= _MAX_CONTACT_LENGTH
        and _ADDRESS_ALPHABET.issuperset(address)
        and all(part and part[0] != "-" and part[-1] != "-" for part in domain.split("."))
        and domain.replace(".", "").replace("-", "").isalnum()
    )
