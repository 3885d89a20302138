"""Certificates that accounts of a proxy have."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.acme_client import AcmeClient, Issued
from tests.support.acme_keys import AccountKey, b64url
from tests.support.proxy import Proxy
from tests.support.state import last_part


class Held:
    """A certificate of an account: `leaf` and `chain` in DER, `key` its own."""

    def __init__(self, client: AcmeClient, issued: Issued) -> None:
        self.client = client
        self.issued = issued
        self.chain = der_chain(issued.chain)
        self.leaf = self.chain[0]
        self.url: str = issued.order.json()["certificate"]
        self.id = last_part(self.url)
        self.key = AccountKey(issued.key)

    @property
    def identifier(self) -> str:
        """Its name in RFC 9773, put together from its extensions."""
        certificate = x509.load_der_x509_certificate(self.leaf)
        extension = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
        octets = extension.value.key_identifier
        assert octets is not None
        number = certificate.serial_number
        # Two's complement, as a DER INTEGER is: a high first bit needs an octet before it.
        serial = number.to_bytes(number.bit_length() // 8 + 1, signed=True)
        return f"{b64url(octets)}.{b64url(serial)}"


async def hold(proxy: Proxy, *names: str, tenant: str = "alpha") -> Held:
    """Get a certificate for a new account."""
    client = await proxy.account(tenant)
    return Held(client, await client.obtain(names, proxy.responder))


def der_chain(pem: bytes) -> list[bytes]:
    """Return the certificates of a chain as it was downloaded."""
    return [c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates(pem)]
