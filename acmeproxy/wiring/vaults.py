"""Every tenant's way to Vault, and the roots that its certificates must lead to."""

from collections.abc import Mapping, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy import settings
from acmeproxy.adapters.vault.connection import VaultConnection
from acmeproxy.core.ids import TenantName
from acmeproxy.wiring.logins import login_of


def vaults(given: settings.Settings) -> Mapping[TenantName, VaultConnection]:
    """Return every tenant's way to Vault."""
    vault = given.vault
    return {
        name: VaultConnection(
            address=given.login(name).address or vault.address,
            login=login_of(given.login(name)),
            namespace=tenant.vault.namespace,
            ca=str(vault.ca) if vault.ca else None,
            connect_timeout=vault.timeout / 5,
            read_timeout=vault.timeout * 4 / 5,
            deadline=vault.timeout,
            plain_http=vault.allow_insecure,
        )
        for name, tenant in given.tenant_values().items()
    }


def anchors(given: settings.Settings) -> Mapping[TenantName, Sequence[bytes]]:
    """Return every tenant's roots in DER; without any, certificates are only held against their own chain."""
    if given.vault.roots is None:
        return {}
    roots = x509.load_pem_x509_certificates(given.vault.roots.read_bytes())
    ders = tuple(root.public_bytes(Encoding.DER) for root in roots)
    return dict.fromkeys(given.tenant_values(), ders)
