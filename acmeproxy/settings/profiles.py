"""The tables `[tenants.NAME.profiles.PROFILE]`: kinds of certificate that a tenant offers."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, PlainValidator

from acmeproxy.core.profile import KEY_KINDS
from acmeproxy.core.tenant import Profile
from acmeproxy.settings.section import Section
from acmeproxy.settings.values import Flag, Items, Lifetime, Present, VaultName

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def _profile_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("a profile's name is letters, digits, dots, hyphens and underscores")
    return value


def _key_kind(value: object) -> str:
    if value not in KEY_KINDS:
        raise ValueError(f"must be one of: {', '.join(KEY_KINDS)}")
    return str(value)


ProfileName = Annotated[str, AfterValidator(_profile_name)]
Keys = Annotated[tuple[Annotated[str, PlainValidator(_key_kind)], ...], Items]


class ProfileSettings(Section):
    """`[tenants.NAME.profiles.PROFILE]`: what is not set is the tenant's."""

    description: Annotated[str, Present]
    role: VaultName = ""
    issuer: VaultName = ""
    lifetime: Lifetime | None = None
    keys: Keys = ()
    store: Flag = True

    def profile(self, name: str) -> Profile:
        """Return the profile that the use cases know."""
        lifetime: timedelta | None = self.lifetime
        return Profile(name, self.description, self.role, self.issuer, lifetime, self.keys, self.store)


Profiles = dict[ProfileName, ProfileSettings]
