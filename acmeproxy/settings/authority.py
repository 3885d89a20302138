"""The tables `[vault.authority]` and `[tenants.NAME.vault.authority]`: what `acmeproxy vault` builds."""

from datetime import timedelta
from typing import Annotated, Literal

from acmeproxy.settings.section import Section
from acmeproxy.settings.values import AuthorityLifetime, CommonName, Link, Present, VaultNames


class AuthoritySettings(Section):
    """`[vault.authority]`: the CA that signs the tenants' issuing CAs, in the namespace `vault.namespace`.

    `aia_url` is where the URLs in certificates lead; without it, the server's public URL.
    """

    mount: Annotated[VaultNames, Present] = "pki"
    common_name: CommonName = "acmeproxy signing CA"
    lifetime: AuthorityLifetime = timedelta(days=2190)
    aia_url: Link | None = None
    policy: Literal["plain", "templated"] = "plain"


class IssuingSettings(Section):
    """`[tenants.NAME.vault.authority]`: the tenant's issuing CA; without a name, the tenant's."""

    common_name: CommonName | None = None
    lifetime: AuthorityLifetime = timedelta(days=1095)
