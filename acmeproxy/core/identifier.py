"""Identifiers: what a certificate names (RFC 8555 §7.1.3, §9.7.7; RFC 8738)."""

import enum
import ipaddress
import re
from typing import Final

import idna
import msgspec

from acmeproxy.core.problem import AcmeError, Subject, problem
from acmeproxy.core.reference import Reference

_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MAX_NAME: Final = 253


class IdentifierType(enum.StrEnum):
    """The identifier types that we know (RFC 8555 §9.7.7, RFC 8738 §3)."""

    DNS = "dns"
    IP = "ip"


class Identifier(msgspec.Struct, frozen=True, order=True):
    """A name in its one form: lower-case A-labels, or the canonical text of an address.

    A wildcard keeps its `*.` here; an authorization shows it without (RFC 8555 §7.1.4).
    """

    type: IdentifierType
    value: str

    @property
    def wildcard(self) -> bool:
        """Whether the name is `*.` and a base name."""
        return self.value.startswith("*.")

    @property
    def base(self) -> "Identifier":
        """The name that must be proved: without the `*.`."""
        return Identifier(self.type, self.value.removeprefix("*."))

    @property
    def subject(self) -> Subject:
        """The form in which problems show it (RFC 8555 §6.7.1)."""
        return Subject(self.type.value, self.value)


def parse(type_: str, value: str) -> Identifier:
    """Parse one identifier of a request.

    Raises:
        AcmeError: `unsupportedIdentifier` for another type, `malformed` for a value that is not the name of
            a host or the canonical text of an address.
    """
    subject = Subject(type_, value)
    if type_ == IdentifierType.DNS:
        return Identifier(IdentifierType.DNS, _dns_name(value, subject))
    if type_ == IdentifierType.IP:
        return Identifier(IdentifierType.IP, _address(value, subject))
    raise AcmeError(
        problem(
            Reference.NAME_TYPE, f"identifier type {type_[:30]} is not supported here", identifier=subject
        )
    )


def dns_name(value: str) -> str:
    """Return a host name, perhaps with one leading `*.`, in lower case.

    Raises:
        ValueError: With the reason, if it is not a name that a certificate can hold.
    """
    if not value.isascii():
        raise ValueError("write the name in A-label form (xn--)")
    name = value.lower()
    host = name.removeprefix("*.")
    if not host or len(name) > _MAX_NAME:
        raise ValueError("the name is empty or longer than 253 characters")
    labels = host.split(".")
    for label in labels:
        _check_label(label)
    if len(labels) == 1:
        raise ValueError("a name of one label is not taken")
    # A last label of digits, or a hexadecimal number, is an address to getaddrinfo (RFC 8738 §3).
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        raise ValueError("an address is not a dns name: ask for type ip")
    return name


def _check_label(label: str) -> None:
    if not _LABEL.fullmatch(label):
        raise ValueError("labels are 1 to 63 letters, digits and inner hyphens")
    if label.startswith("xn--"):
        _check_a_label(label)
    elif label[2:4] == "--":
        raise ValueError("a label with hyphens in third and fourth place must be an A-label")


def _check_a_label(label: str) -> None:
    try:
        unicode_form = idna.decode(label)
        canonical = idna.encode(unicode_form).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError("not a valid A-label (IDNA 2008)") from error
    if canonical != label or unicode_form.isascii():
        raise ValueError("not the canonical A-label of its name")


def _dns_name(value: str, subject: Subject) -> str:
    try:
        return dns_name(value)
    except ValueError as error:
        text = f"{value[:80]} cannot be in a certificate: {error}"
        raise AcmeError(problem(Reference.NAME_SHAPE, text, identifier=subject)) from error


def _address(value: str, subject: Subject) -> str:
    try:
        canonical = str(ipaddress.ip_address(value))
    except ValueError:
        canonical = ""
    # An IPv4-mapped address and a zone have other or no canonical text (RFC 5952 §5, RFC 8738 §3).
    if not canonical or canonical != value or "%" in value or value.startswith("::ffff:"):
        text = f"{value[:80]} is not the canonical text of an address: see RFC 5952"
        raise AcmeError(problem(Reference.NAME_SHAPE, text, identifier=subject))
    return canonical
