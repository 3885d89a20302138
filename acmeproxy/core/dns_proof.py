"""What the DNS methods look for and where: owner names, and values of records (RFC 8555 §8.4)."""

import base64
import hashlib
from typing import Final

from acmeproxy.core.encoding import b64url_encode

_CHALLENGE: Final = "_acme-challenge."
_PERSISTENT: Final = "_validation-persist."
_LABEL_OCTETS: Final = 10
_LONGEST_NAME: Final = 253

#: The longest names, in octets, that leave room for the owner name before them (D01-10).
LONGEST_DNS01: Final = _LONGEST_NAME - len(_CHALLENGE)
LONGEST_DNS_ACCOUNT01: Final = LONGEST_DNS01 - 18
LONGEST_DNS_PERSIST01: Final = _LONGEST_NAME - len(_PERSISTENT)


def digest(key_authorization: str) -> bytes:
    """Return the 32 octets that dns-01 and tls-alpn-01 publish (RFC 8555 §8.4, RFC 8737 §3)."""
    return hashlib.sha256(key_authorization.encode("ascii")).digest()


def record_value(key_authorization: str) -> str:
    """Return the content of the TXT record, 43 characters (RFC 8555 §8.4)."""
    return b64url_encode(digest(key_authorization))


def owner(name: str) -> str:
    """Return where dns-01 looks for a name without its `*.` (RFC 8555 §8.4)."""
    return _CHALLENGE + name


def account_owner(name: str, account_url: str) -> str:
    """Return where dns-account-01 looks: below a label of the account (draft-ietf-acme-dns-account-label §3).

    The label is made of the URL to the byte, so that no rollover of the key changes it (DAC-02, DAC-05).
    """
    octets = hashlib.sha256(account_url.encode("ascii")).digest()[:_LABEL_OCTETS]
    return f"_{base64.b32encode(octets).decode('ascii').lower()}.{owner(name)}"


def persistent_owner(name: str) -> str:
    """Return where dns-persist-01 looks for a name without its `*.` (draft-ietf-acme-dns-persist §4)."""
    return _PERSISTENT + name
