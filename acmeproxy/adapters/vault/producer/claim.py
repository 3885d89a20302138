"""One key for each authority, and one certificate for each key, however many runs make them at once.

Vault has no lock. But no two keys of a mount have one name, and a name that was changed leads nowhere: of
those who make a key of one name one succeeds, and of those who change its name too. So a certificate is
claimed before it is imported, by writing its serial number into the name of its key: `issuing-2` becomes
`issuing-2.<serial>`. Whoever comes later, at the same time or after the first was cut off, imports the
certificate of that number and no other.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from cryptography import x509

from acmeproxy.adapters.vault.producer.issuers import keys
from acmeproxy.adapters.vault.producer.namespace import AwayError, ForbiddenError, Namespace, ProducerError

_KIND: Final = {"key_type": "ec", "key_bits": 384}


class Key(msgspec.Struct, frozen=True):
    """A key of a mount by its id: of which authority, and for which certificate (serial in hex, or empty)."""

    id: str
    authority: str
    serial: str


def begin(namespace: Namespace, mount: str, authority: str, common_name: str) -> Key:
    """Return the key of an authority to be: begun by whom ever, or a new P-384 one made inside.

    Raises:
        ProducerError: It cannot be made.
    """
    found = _find(namespace, mount, authority)
    if found is not None:
        return found
    refused: ProducerError | None = None
    try:
        _generate(namespace, mount, "internal", common_name, {"key_name": authority, **_KIND})
    except (AwayError, ForbiddenError):
        raise
    except ProducerError as error:
        refused = error
    # Somebody may have taken the name at the same time, or claimed a certificate under it since we looked.
    found = _find(namespace, mount, authority)
    if found is None:
        # At a standby, what another run has made may come a moment later.
        wrong = f" ({refused})" if refused else ""
        raise ProducerError(f"{mount} does not show the key {authority}{wrong}: run the command again")
    return found


def request(namespace: Namespace, mount: str, key: Key, common_name: str) -> x509.CertificateSigningRequest:
    """Return a request for the certificate of a key."""
    return _generate(namespace, mount, "existing", common_name, {"key_ref": key.id})


def claim(namespace: Namespace, mount: str, key: Key, certificate: x509.Certificate) -> Key:
    """Claim that a certificate is the one of a key; return the key with the serial that it is claimed for.

    Raises:
        ProducerError: The key is another one by now.
    """
    wanted = f"{key.authority}.{serial_of(certificate)}"
    refused: ProducerError | None = None
    try:
        namespace.write(f"{mount}/key/{key.authority}", {"key_name": wanted})
    except (AwayError, ForbiddenError):
        raise
    except ProducerError as error:
        refused = error
    found = _find(namespace, mount, key.authority)
    if found is None or not found.serial or found.id != key.id:
        raise refused or ProducerError(
            f"another run has made {key.authority} of {mount}: run the command again"
        )
    return found


def authority_of(name: str) -> str:
    """Return the authority of a key by the key's name."""
    return name.partition(".")[0]


def serial_of(certificate: x509.Certificate) -> str:
    """Return a serial number as names of keys have it."""
    return f"{certificate.serial_number:x}"


def serial_path(serial: str) -> str:
    """Return a serial number of a key's name as paths below `cert/` have it: `1a-02`."""
    return bytes.fromhex(serial.rjust(len(serial) + len(serial) % 2, "0")).hex("-")


def _find(namespace: Namespace, mount: str, authority: str) -> Key | None:
    """Return the key of an authority: one that is claimed before one that is not."""
    found = [
        Key(key, authority_of(name), name.partition(".")[2]) for key, name in keys(namespace, mount).items()
    ]
    ours = sorted(
        (key for key in found if key.authority == authority), key=lambda key: (not key.serial, key.id)
    )
    return ours[0] if ours else None


def _generate(
    namespace: Namespace, mount: str, kind: str, common_name: str, key: Mapping[str, Any]
) -> x509.CertificateSigningRequest:
    body = {"common_name": common_name, "exclude_cn_from_sans": True, **key}
    written = namespace.write(f"{mount}/intermediate/generate/{kind}", body)
    return x509.load_pem_x509_csr(str(written.data.get("csr")).encode())
