"""The tables `[vault.authority]` and `[tenants.NAME.vault.authority]`: what `acmeproxy vault` builds."""

import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator

from acmeproxy.settings.section import Section
from acmeproxy.settings.values import AuthorityLifetime, CommonName, Link, Present, VaultNames

#: Vault writes the names of policies in small letters, whatever it is given.
_PREFIX: Final = re.compile(r"[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?")


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise ValueError("must be 1 to 32 lower-case letters, digits, hyphens and underscores")
    return value


class AuthoritySettings(Section):
    """`[vault.authority]`: the CA that signs the tenants' issuing CAs, in the namespace `vault.namespace`.

    `aia_url` is where the URLs in certificates lead; without it, the server's public URL. Policies, AppRoles
    and entities are named `prefix`, or `prefix` with a hyphen and more: two installations that share a
    namespace, or a server without namespaces, need two.
    """

    mount: Annotated[VaultNames, Present] = "pki"
    common_name: CommonName = "acmeproxy signing CA"
    lifetime: AuthorityLifetime = timedelta(days=2190)
    aia_url: Link | None = None
    policy: Literal["plain", "templated"] = "plain"
    prefix: Annotated[str, AfterValidator(_prefix)] = "acmeproxy"


class IssuingSettings(Section):
    """`[tenants.NAME.vault.authority]`: the tenant's issuing CA; without a name, the tenant's."""

    common_name: CommonName | None = None
    lifetime: AuthorityLifetime = timedelta(days=1095)
